package jstext

import (
	"math"
	"testing"
	"time"
)

func TestLenCountsUTF16Units(t *testing.T) {
	for in, want := range map[string]int{"": 0, "a": 1, "é": 1, "€": 1, "😀": 2, "a😀b": 4} {
		if got := Len(in); got != want {
			t.Errorf("Len(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestCutNeverSplitsACharacter(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 2, "ab"}, {"abc", 5, "abc"}, {"a😀b", 2, "a"}, {"a😀b", 3, "a😀"}, {"é€", 1, "é"}, {"x", 0, ""}} {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestTrimIsJavaScripts(t *testing.T) {
	for in, want := range map[string]string{
		"\ufeff a \ufeff":       "a",             // Go's TrimSpace keeps U+FEFF
		"\u0085a\u0085":         "\u0085a\u0085", // Go's TrimSpace removes U+0085
		"\u00a0\u2003a\u2028\v": "a",
		" a b ":                 "a b",
	} {
		if got := Trim(in); got != want {
			t.Errorf("Trim(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLowerUsesFullUnicodeRules(t *testing.T) {
	for in, want := range map[string]string{"ABC": "abc", "ÀÉ": "àé", "İ": "i̇", "ΣΑΣ": "σας"} {
		if got := Lower(in); got != want {
			t.Errorf("Lower(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestISOHasThreeDecimals(t *testing.T) {
	at := time.Date(2026, 1, 5, 11, 0, 0, 0, time.FixedZone("x", 3600))
	if got, want := ISO(at), "2026-01-05T10:00:00.000Z"; got != want {
		t.Errorf("ISO = %s, want %s", got, want)
	}
}

// The wanted texts are those of new TextDecoder().decode.
func TestValidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"ä€😀":                   "ä€😀",
		"a\xffb":                "a\uFFFDb",
		"\xff\xff":              "\uFFFD\uFFFD",
		"\xff\xc3(":             "\uFFFD\uFFFD(",
		"\xe2\x82(":             "\uFFFD(",
		"\xe2\x82":              "\uFFFD",
		"\xf0\x9f\x98!":         "\uFFFD!",
		"\xf0\x9f\x98\xf0":      "\uFFFD\uFFFD",
		"\xed\xa0\x80":          "\uFFFD\uFFFD\uFFFD",
		"\xe0\x80\x80":          "\uFFFD\uFFFD\uFFFD",
		"\xf4\x90\x80\x80":      "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\xf8\x88\x80\x80\x80x": "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDx",
		"\xc0\x80":              "\uFFFD\uFFFD",
		"\uFFFD\x80":            "\uFFFD\uFFFD",
	} {
		if got := string(ValidUTF8([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int{
		"5": 5, " 5abc": 5, "5.9": 5, "1e3": 1, "0x10": 0, "+3": 3, "-4": -4, "005": 5, "1_0": 1, "\uFEFF7": 7,
		"9223372036854775807": math.MaxInt, "99999999999999999999": math.MaxInt,
	} {
		if got, ok := ParseInt(text); got != want || !ok {
			t.Errorf("%q: %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "x", "+", "-", "- 1", ".5", "Infinity", "٣"} {
		if got, ok := ParseInt(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

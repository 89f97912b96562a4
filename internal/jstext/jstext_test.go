package jstext

import (
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

package rawjson

import (
	stdjson "encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestVerdictAndPlaceOfTheError(t *testing.T) {
	const good = -1
	for _, c := range []struct {
		in string
		at int // of the error
	}{
		{`0`, good}, {`-0`, good}, {`10.50`, good}, {`1e5`, good}, {`1E+05`, good}, {`-1.5e-0`, good},
		{`01`, 1}, {`-`, 1}, {`-a`, 1}, {`+1`, 0}, {`.5`, 0}, {`1.`, 2}, {`1.e1`, 2}, {`1e`, 2}, {`1e+`, 3}, {`1x`, 1}, {`0x1`, 1}, {`1_0`, 1}, {`NaN`, 0},
		{`true`, good}, {`false`, good}, {`null`, good}, {`tru`, 3}, {`nulL`, 3}, {`fals `, 4}, {`truefalse`, 4}, {`True`, 0},
		{`""`, good}, {`"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, good}, {`"\ud800"`, good}, {"\"\x7f\u2028\xff\xc0\"", good},
		{`"`, 1}, {`"abc`, 4}, {`"\`, 2}, {`"\"`, 3}, {`"\x"`, 2}, {`"\u12"`, 5}, {`"\u12G4"`, 5}, {`"\u`, 3}, {`"\U0041"`, 2}, {"\"a\nb\"", 2}, {"\"12345678901234\x1f\"", 15}, {"\"\x00\"", 1}, {`'a'`, 0},
		{`[]`, good}, {` [ ] `, good}, {`[1,[2],{}]`, good}, {`[`, 1}, {`[1`, 2}, {`[1,`, 3}, {`[,1]`, 1}, {`[1,]`, 3}, {`[1 2]`, 3}, {`[1}`, 2}, {`]`, 0}, {`[]]`, 2},
		{`{}`, good}, {"\t{\r\n}", good}, {`{"a":1,"a":{"b":[]}}`, good}, {`{`, 1}, {`{"a"`, 4}, {`{"a":`, 5}, {`{"a":1`, 6}, {`{"a":1,`, 7}, {`{"a":1,}`, 7}, {`{,}`, 1}, {`{a:1}`, 1}, {`{1:1}`, 1}, {`{"a" 1}`, 5}, {`{"a":}`, 5}, {`{"a"}`, 4}, {`{"a":1]`, 6}, {`{"a":1 "b"}`, 7}, {`{"a":1}}`, 7},
		{``, 0}, {`  `, 2}, {`1 1`, 2}, {"1\x00", 1}, {"\x00", 0}, {"\ufeff1", 0}, {"1\u00a0", 1}, {"\v1", 0}, {`/**/1`, 0},
		{strings.Repeat(" ", 20) + "1" + strings.Repeat(" \n", 20), good}, {strings.Repeat(" ", 20) + "x", 20},
	} {
		_, err := Compact(Value(c.in))
		if std := stdjson.Valid([]byte(c.in)); std != (c.at == good) {
			t.Errorf("the table says that %q is wrong at %d, encoding/json says valid = %v", c.in, c.at, std)
		}
		if got := Valid([]byte(c.in)); got != (c.at == good) {
			t.Errorf("Valid(%q) = %v", c.in, got)
		}
		var syntax *SyntaxError
		switch {
		case c.at == good && err != nil:
			t.Errorf("%q: %v", c.in, err)
		case c.at != good && (!errors.As(err, &syntax) || syntax.Offset != c.at):
			t.Errorf("%q: error %v, want one at offset %d", c.in, err, c.at)
		}
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":tru}`:                 `invalid JSON at offset 8: unexpected '}'`,
		`{"a":1`:                    `unexpected end of JSON`,
		strings.Repeat(`[`, 10_001): `JSON nested deeper than 10000 at offset 10000`,
	} {
		if _, err := Parse([]byte(in)); in[0] == '{' && (err == nil || err.Error() != want) {
			t.Errorf("Parse(%.20s) = %v, want %s", in, err, want)
		}
		if _, err := Compact(Value(in)); err == nil || err.Error() != want {
			t.Errorf("Compact(%.20s) = %v, want %s", in, err, want)
		}
	}
}

// Each byte of a text with every kind of token is cut off, left out and
// replaced by each byte that means something.
func TestVerdictOnEveryDamage(t *testing.T) {
	const text = ` {"a" : [ true,false , null,-12.50e+3,0 ],"long name of 16+":"\u00e9\\\"/ – sixteen and more letters",` +
		"\r\n\t        \"b\":{},\"\":[[],{\"c\":\"\"}]}  "
	check := func(data []byte) {
		t.Helper()
		if got, want := Valid(data), stdjson.Valid(data); got != want {
			t.Errorf("Valid(%q) = %v, want %v", data, got, want)
		}
	}
	check([]byte(text))
	for i := range len(text) {
		check([]byte(text[:i]))
		check([]byte(text[:i] + text[i+1:]))
		for _, c := range []byte("{}[],:\"\\ \n01-+.eEutrfnalsx/\x00\x1f\x7f\x80\xff") {
			check([]byte(text[:i] + string(c) + text[i+1:]))
			check([]byte(text[:i] + string(c) + text[i:]))
		}
	}
}

func TestBreaksFindsEachByteInEachPlace(t *testing.T) {
	for c := range 256 {
		wants := c < ' ' || c == '"' || c == '\\'
		for at := range 40 {
			for _, fill := range []string{" ", "!", "#", "[", "]", "\x7f", "\x80", "\xff"} {
				data := []byte(strings.Repeat(fill, at) + string([]byte{byte(c)}) + strings.Repeat(fill, 40-at))
				want := len(data)
				if wants {
					want = at
				}
				if got := runEnd(data, 0); got != want {
					t.Fatalf("runEnd(%q) = %d, want %d", data, got, want)
				}
			}
		}
	}
}

func TestDepthIsLimited(t *testing.T) {
	for name, c := range map[string]struct{ open, inside, close string }{
		"arrays":  {`[`, ``, `]`},
		"objects": {`{"a":`, `1`, `}`},
	} {
		for depth, want := range map[int]bool{1: true, 63: true, 64: true, 65: true, 128: true, 129: true, maxDepth: true, maxDepth + 1: false, 1_000_000: false} {
			text := []byte(strings.Repeat(c.open, depth) + c.inside + strings.Repeat(c.close, depth))
			if got, std := Valid(text), stdjson.Valid(text); got != want || got != std {
				t.Errorf("%d %s: Valid = %v, encoding/json says %v", depth, name, got, std)
			}
			if _, ok := Array(text); ok != (want && c.open == `[`) {
				t.Errorf("%d %s: Array says %v", depth, name, ok)
			}
			err := Walk(text, func([]byte, Value) error { return nil })
			if (err == nil) != (want && c.open != `[`) {
				t.Errorf("%d %s: Walk says %v", depth, name, err)
			}
		}
	}
}

// The words that hold the open brackets must come back in order.
func TestDeepBracketsCloseInOrder(t *testing.T) {
	for _, depth := range []int{62, 63, 64, 65, 130, 200} {
		var open, shut []string
		for i := range depth {
			if i*i%3 == 0 {
				open, shut = append(open, `[`), append(shut, `]`)
			} else {
				open, shut = append(open, `{"a":`), append(shut, `}`)
			}
		}
		text := strings.Join(open, "") + "1"
		for i := depth - 1; i >= 0; i-- {
			wrong := text + map[string]string{`]`: `}`, `}`: `]`}[shut[i]]
			if _, err := Compact(Value(wrong)); err == nil || err.(*SyntaxError).Offset != len(text) {
				t.Fatalf("depth %d: a wrong bracket for %d: %v", depth, i, err)
			}
			text += shut[i]
		}
		if !Valid([]byte(text)) {
			t.Errorf("depth %d: refused", depth)
		}
	}
}

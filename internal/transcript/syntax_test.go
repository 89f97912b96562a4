package transcript

import (
	stdjson "encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// fieldsByLibrary is parse by the general decoder.
func fieldsByLibrary(line []byte) (f fields, parsed bool) {
	if !stdjson.Valid(line) {
		return f, false
	}
	o, err := rawjson.Parse(line)
	if err != nil {
		return f, true
	}
	for name, value := range o.All() {
		f.set([]byte(name), value)
	}
	if m, err := rawjson.Parse(f.Message); err == nil {
		for name, value := range m.All() {
			f.own.set([]byte(name), value)
		}
	}
	return f, true
}

// compact makes spellings equal that differ in white space only.
func (f *fields) compact(t *testing.T) {
	t.Helper()
	for _, v := range []*rawjson.Value{&f.Type, &f.ID, &f.ParentID, &f.Version, &f.Timestamp, &f.Message, &f.Usage, &f.Provider, &f.Model,
		&f.CustomType, &f.Data, &f.FirstKeptEntryID, &f.FirstKeptEntryIndex,
		&f.own.Role, &f.own.Usage, &f.own.Provider, &f.own.Model, &f.own.IdempotencyKey} {
		if *v == nil {
			continue
		}
		c, err := rawjson.Compact(*v)
		if err != nil {
			t.Fatalf("%q was taken for a value: %v", *v, err)
		}
		*v = c
	}
}

func checkParse(t *testing.T, line []byte) {
	t.Helper()
	want, wantParsed := fieldsByLibrary(line)
	got, parsed := parse(line)
	if parsed != wantParsed {
		t.Fatalf("%q: parsed = %v, want %v", line, parsed, wantParsed)
	}
	got.compact(t)
	want.compact(t)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fields{}, messageFields{})); diff != "" {
		t.Fatalf("%q:\n%s", line, diff)
	}
}

var parseLines = []string{
	testHeader,
	testMessage("00000001", "00000000", "user", "text with \"quotes\", \\ and é"),
	` { "type" : "message" , "message" : { "role" : "user" , "usage" : { "a" : [ 1 , { } ] } } } `,
	`{"message":{"role":"a","role":"b"},"message":{"idempotencyKey":"k"},"id":1,"id":"2"}`,
	`{"message":{"role":"a"},"message":[{"role":"b"}]}`,
	`{"mess\u0061ge":{"\u0072ole":"a"},"typ\u0065":"x"}`,
	`{}`, `[]`, `null`, `true`, `false`, `"s"`, `0`, `-0`, `-1.5e+10`, `1E-2`, `{"a":{}}`, `[[],[{}],[1,2]]`,
	`{"data":"` + strings.Repeat("long text ", 200) + `\n` + strings.Repeat("x", 600) + `\\"}`,
	"{\"a\":\"\x7f\xff\xc3\"}", `{"a":"\ud800"}`, `{"":""}`,
	"{\"a\":\t1,\r\n\"b\":2}",
	// What is not JSON.
	"", " ", "{", "}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,1]`, `{"a":1]`, `[1}`, `{"a":1}x`, `{"a":1} {}`, `"`, `"\"`, `"\x"`, `"\u12g4"`, `"\u123`,
	"\"\x01\"", "\"tab\t\"", `01`, `1.`, `.5`, `-`, `1e`, `1e+`, `+1`, `tru`, `nulll`, `'a'`, `{"a" 1}`, `{a:1}`, "\ufeff{}", "{\"a\":1}\x00", `[`, `[[`, `{"a":[}`, `"a":1`,
	`{"message":{"role":"a"}`, `{"message":{"role":}}`, `{"message":{"role":"a",}}`, `{"message":{1:2}}`, "{\"message\":{\"a\x01\":1}}",
}

func TestParseAgreesWithTheLibrary(t *testing.T) {
	for _, line := range parseLines {
		checkParse(t, []byte(line))
	}
	// Each line cut at each byte.
	for _, line := range parseLines {
		if len(line) < 300 {
			for cut := range len(line) {
				checkParse(t, []byte(line[:cut]))
			}
		}
	}
	// A special byte at each place of a long string.
	for _, special := range []string{`"`, `\`, `\n`, "\x1f", "\x00", "\u2028"} {
		for at := range 80 {
			line := []byte(`{"id":"` + strings.Repeat("a", at) + special + strings.Repeat("b", 700-8*at) + `"}`)
			checkParse(t, line)
		}
	}
}

func TestParseLimitsTheDepth(t *testing.T) {
	for _, depth := range []int{maxDepth - 2, maxDepth - 1, maxDepth, maxDepth + 1, 1_000_000} {
		for _, wrap := range [][2]string{{"", ""}, {`{"a":`, `}`}, {`{"message":{"a":`, `}}`}} {
			line := []byte(wrap[0] + strings.Repeat("[", depth) + strings.Repeat("]", depth) + wrap[1])
			if _, parsed := parse(line); parsed != stdjson.Valid(line) {
				t.Errorf("%d deep in %q: parsed = %v", depth, wrap[0], parsed)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range parseLines {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) { checkParse(t, line) })
}

package rawjson

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"
)

// The right sides are what Node prints for JSON.stringify(x, null, 2).
func TestAppendIndentIsTheLayoutOfJSONStringify(t *testing.T) {
	for _, c := range []struct {
		in    string
		depth int
		want  string
	}{
		{`1`, 0, "1"}, {`"a,b:{}[]\""`, 3, `"a,b:{}[]\""`}, {`{}`, 2, `{}`}, {`[]`, 0, `[]`}, {`[[],{}]`, 0, "[\n  [],\n  {}\n]"},
		{`{"a":[1,"x: y"],"b":{"c":null}}`, 0, "{\n  \"a\": [\n    1,\n    \"x: y\"\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}"},
		{`{"a":1}`, 2, "{\n      \"a\": 1\n    }"},
	} {
		if got := string(AppendIndent([]byte("before"), Value(c.in), c.depth)); got != "before"+c.want {
			t.Errorf("AppendIndent(%s, %d) = %s\nwant %s", c.in, c.depth, got, c.want)
		}
	}
}

func TestAppendIndentDeeperThanTheMargin(t *testing.T) {
	v := Value(strings.Repeat(`[`, 100) + `1` + strings.Repeat(`]`, 100))
	if got, want := string(AppendIndent(nil, v, 3)), indentByStd(t, v, 3); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestIndentAndCompactAreInverse(t *testing.T) {
	v, err := Compact(store(20))
	if err != nil {
		t.Fatal(err)
	}
	indented := AppendIndent(nil, v, 0)
	if string(indented) != string(store(20)) {
		t.Error("the store's form is not what AppendIndent makes of it")
	}
	if again, err := Compact(indented); err != nil || string(again) != string(v) {
		t.Errorf("compact again: %v", err)
	}
}

func indentByStd(t *testing.T, v Value, depth int) string {
	t.Helper()
	var b bytes.Buffer
	if err := stdjson.Indent(&b, v, strings.Repeat("  ", depth), "  "); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

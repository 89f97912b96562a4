package rawjson

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"slices"
	"testing"
)

// samples are what the fuzz targets start from, beside testdata/fuzz.
var samples = []string{
	``, ` `, `null`, ` true `, `-12.50e+3`, `"a"`, `"\u00e9\ud83d\ude00\ud800\udc00\ud800x\ud800\u0041\udc00"`, "\"\xff\xe2\x80\\n\xe2\x80\xa8\"",
	`{"a":1,"b":{"c":[1,2.50]}}`, ` { "a" : [ 1 , { } , [ ] , "x" ] , "a" : null , "\u0061":"\\" } `, "{\n  \"k\": {\n    \"updatedAt\": 1760000000000\n  }\n}",
	`[{"type":"text","text":"a line\nand \"more\" than sixteen letters"},[],{}]`, `{"a":1,}`, `[1 2]`, `{"a" 1}`, `"\x"`, `01`, "[\"\x1f\"]",
}

func seed(f *testing.F) {
	f.Helper()
	for _, s := range samples {
		f.Add([]byte(s))
	}
}

// FuzzScan compares every reader with encoding/json and jsontext.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		if got, want := Valid(data), stdjson.Valid(data); got != want {
			t.Fatalf("Valid(%q) = %v, want %v", data, got, want)
		}
		compareCompact(t, data)
		compareMembers(t, data)
		got, ok := Text(data)
		if want, wantOK := textByUnmarshal(data); got != want || ok != wantOK {
			t.Fatalf("Text(%q) = %q, %v, want %q, %v", data, got, ok, want, wantOK)
		}
		elements, ok := Array(data)
		want, wantOK := arrayByUnmarshal(data)
		if ok != wantOK || !slices.EqualFunc(elements, want, func(a, b Value) bool { return string(a) == string(b) }) {
			t.Fatalf("Array(%q) = %q, %v, want %q, %v", data, elements, ok, want, wantOK)
		}
		if !bytes.Equal(data, before) {
			t.Fatalf("the data were changed from %q to %q", before, data)
		}
	})
}

func compareCompact(t *testing.T, data []byte) {
	t.Helper()
	var want bytes.Buffer
	stdErr := stdjson.Compact(&want, data)
	got, err := Compact(data)
	if (err == nil) != (stdErr == nil) || string(got) != want.String() {
		t.Fatalf("Compact(%q) = %q, %v, want %q, %v", data, got, err, &want, stdErr)
	}
}

func compareMembers(t *testing.T, data []byte) {
	t.Helper()
	want, wantErr := parseByTokens(data)
	o, err := Parse(data)
	if (err == nil) != (wantErr == nil) || errors.Is(err, ErrNotObject) != errors.Is(wantErr, ErrNotObject) {
		t.Fatalf("Parse(%q): %v, want %v", data, err, wantErr)
	}
	same := func(a, b Member) bool { return a.Name == b.Name && string(a.Value) == string(b.Value) }
	if !slices.EqualFunc(o.members, want, same) {
		t.Fatalf("Parse(%q) = %q, want %q", data, o.members, want)
	}
	var walked Object
	err = Walk(data, func(name []byte, v Value) error {
		v, err := Compact(v)
		walked.Set(string(name), v)
		return err
	})
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("Walk(%q): %v, want %v", data, err, wantErr)
	}
	if err == nil && !slices.EqualFunc(walked.members, want, same) {
		t.Fatalf("Walk(%q) tells %q, want %q", data, walked.members, want)
	}
	compact, err := CompactObject(nil, data, func([]byte, Value) error { return nil })
	if all, _ := Compact(data); err == nil && !bytes.Equal(compact, all) {
		t.Fatalf("CompactObject(%q) = %q", data, compact)
	}
	compareStream(t, data)
}

func FuzzAppendIndent(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Compact(data)
		if err != nil {
			AppendIndent(nil, data, 1) // must not panic, whatever it makes
			return
		}
		for depth := range 3 {
			if got, want := string(AppendIndent(nil, v, depth)), indentByStd(t, v, depth); got != want {
				t.Fatalf("AppendIndent(%q, %d) = %q, want %q", v, depth, got, want)
			}
		}
	})
}

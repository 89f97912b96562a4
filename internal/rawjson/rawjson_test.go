package rawjson

import (
	"fmt"
	"testing"
)

func TestObjectRoundTripKeepsOrderAndSpelling(t *testing.T) {
	const in = `{"z":1.0,"a":"\u00e9<&>` + "\u2028" + `","n":1e2,"big":12345678901234567890,"s":"\ud800","o":{"b":1,"a":[ 1 , 2 ]},"":null}`
	const want = `{"z":1.0,"a":"\u00e9<&>` + "\u2028" + `","n":1e2,"big":12345678901234567890,"s":"\ud800","o":{"b":1,"a":[1,2]},"":null}`
	o, err := Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(o.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The same bytes come out when the object is part of something marshalled.
	b, err := Marshal(struct {
		O Object `json:"o"`
		V Value  `json:"v"`
	}{o, Value(want)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); got != `{"o":`+want+`,"v":`+want+`}` {
		t.Errorf("nested: got %s", got)
	}
}

func TestObjectSetKeepsPlaces(t *testing.T) {
	o, err := Parse([]byte(`{"a":1,"b":2,"a":3}`))
	if err != nil {
		t.Fatal(err)
	}
	c := o.Clone()
	c.Put("b", "x<y")
	c.Put("c", true)
	c.Delete("a")
	if got := string(c.JSON()); got != `{"b":"x<y","c":true}` {
		t.Errorf("changed clone = %s", got)
	}
	if got := string(o.JSON()); got != `{"a":3,"b":2}` {
		t.Errorf("original = %s, a repeated name must keep its place and take the last value", got)
	}
}

func TestLargeObjectKeepsOrderAndLastDuplicate(t *testing.T) {
	text, want := []byte{'{'}, []byte{'{'}
	for i := range 300 {
		text = fmt.Appendf(text, `"k%d":%d,`, i, i)
		want = fmt.Appendf(want, `"k%d":%d,`, i, i+1000*(i%2))
	}
	for i := 1; i < 300; i += 2 {
		text = fmt.Appendf(text, `"k%d":%d,`, i, i+1000)
	}
	text[len(text)-1], want[len(want)-1] = '}', '}'
	o, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(o.JSON()); got != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseRefusesWhatIsNoObject(t *testing.T) {
	for _, in := range []string{``, `[]`, `1`, `"x"`, `null`, `{"a":1`, `{"a":1} x`, `{a:1}`} {
		if _, err := Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%s) succeeded", in)
		}
	}
}

func TestUnmarshalMatchesNamesExactly(t *testing.T) {
	var p struct {
		Key string `json:"key"`
	}
	if err := Unmarshal([]byte(`{"Key":"a","KEY":"b"}`), &p); err != nil || p.Key != "" {
		t.Errorf("Key = %q, err %v: names must not match ignoring case", p.Key, err)
	}
}

func TestTruthy(t *testing.T) {
	for in, want := range map[string]bool{``: false, `null`: false, `false`: false, `0`: false, `-0`: false, `""`: false, `"0"`: true, `{}`: true, `[]`: true, `1`: true, `true`: true} {
		if got := Truthy(Value(in)); got != want {
			t.Errorf("Truthy(%s) = %v, want %v", in, got, want)
		}
	}
}

func FuzzObjectRoundTrip(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[1,2.50]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data)
		if err != nil {
			return
		}
		once := o.JSON()
		p, err := Parse(once)
		if err != nil {
			t.Fatalf("own output %s does not parse: %v", once, err)
		}
		if got := string(p.JSON()); got != string(once) {
			t.Fatalf("second round trip %s differs from %s", got, once)
		}
	})
}

func TestList(t *testing.T) {
	for _, tt := range []struct {
		values []Value
		want   string
	}{
		{nil, "[]"},
		{[]Value{Value(` { "a" : 1.0 } `), Value("null"), Value(`"\u00e9"`)}, `[{"a":1.0},null,"\u00e9"]`},
		{[]Value{Value("1"), Value("1 2")}, ""},
		{[]Value{nil}, ""},
	} {
		got, err := List(tt.values)
		if string(got) != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %s, %v, want %s", tt.values, got, err, tt.want)
		}
	}
}

package rawjson

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWalkTellsMembersInOrder(t *testing.T) {
	const in = ` { "a" : 1 , "\u0062\n" : [ 1, {"x":2} ] , "a":"again","` + "\xff" + `":null, "\ud83d\ude00\ud800":{ } } `
	const compact = `{"a":1,"\u0062\n":[1,{"x":2}],"a":"again","` + "\xff" + `":null,"\ud83d\ude00\ud800":{}}`
	var got, small []string
	if err := Walk([]byte(in), func(name []byte, v Value) error {
		got = append(got, fmt.Sprintf("%s=%s", name, v))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	out, err := CompactObject([]byte("before"), []byte(in), func(name []byte, v Value) error {
		small = append(small, fmt.Sprintf("%s=%s", name, v))
		return nil
	})
	if want := "before" + compact; err != nil || string(out) != want {
		t.Errorf("CompactObject = %s, %v\nwant %s", out, err, want)
	}
	want := "a=1|b\n=[ 1, {\"x\":2} ]|a=\"again\"|\ufffd=null|😀\ufffd={ }"
	if got := strings.Join(got, "|"); got != want {
		t.Errorf("Walk told %q\nwant %q", got, want)
	}
	want = "a=1|b\n=[1,{\"x\":2}]|a=\"again\"|\ufffd=null|😀\ufffd={}"
	if got := strings.Join(small, "|"); got != want {
		t.Errorf("CompactObject told %q\nwant %q", got, want)
	}
}

func TestWalkSharesMemoryAndNoMore(t *testing.T) {
	data := []byte(`{"name":[1],"next":2}`)
	if err := Walk(data, func(name []byte, v Value) error {
		if string(name) == "name" {
			if &name[0] != &data[2] || &v[0] != &data[8] {
				t.Error("name or value were copied")
			}
			_, _ = append(name, "XXXX"...), append(v, "XXXX"...)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := string(data); got != `{"name":[1],"next":2}` {
		t.Errorf("appending to what Walk told changed the data: %s", got)
	}
}

func TestWalkEndsWithTheErrorOfItsFunction(t *testing.T) {
	stop, calls := errors.New("stop"), 0
	f := func([]byte, Value) error { calls++; return stop }
	if err := Walk([]byte(`{"a":1,"b":2}`), f); err != stop || calls != 1 {
		t.Errorf("Walk = %v after %d calls", err, calls)
	}
	dst := []byte("before")
	out, err := CompactObject(dst, []byte(`{"a":1,"b":2}`), f)
	if err != stop || calls != 2 || string(out) != "before" {
		t.Errorf("CompactObject = %q, %v after %d calls", out, err, calls-1)
	}
}

func TestWalkRefuses(t *testing.T) {
	for _, c := range []struct {
		in        string
		told      string // names told before the error is found
		notObject bool
	}{
		{in: `[]`, notObject: true}, {in: ` "x" `, notObject: true}, {in: `null`, notObject: true},
		{in: ``}, {in: `nul`}, {in: `[`}, {in: `{`}, {in: `{} x`}, {in: `{,}`},
		{in: `{"a":1`, told: "a"}, {in: `{"a":1,}`, told: "a"}, {in: `{"a":1}}`, told: "a"}, {in: `{"a":1,"b":tru}`, told: "a"}, {in: `{"a":1,"b"}`, told: "a"},
	} {
		told := ""
		err := Walk([]byte(c.in), func(name []byte, _ Value) error { told += string(name); return nil })
		if err == nil || errors.Is(err, ErrNotObject) != c.notObject || told != c.told {
			t.Errorf("Walk(%s) = %v after %q", c.in, err, told)
		}
		if _, ok := errors.AsType[*SyntaxError](err); ok == c.notObject {
			t.Errorf("Walk(%s) = %T", c.in, err)
		}
	}
}

func TestAppendCompact(t *testing.T) {
	for in, want := range map[string]string{
		` 1 `: `1`, `"a b"`: `"a b"`, "[ 1 ,\n\t2 ]": `[1,2]`, `{}`: `{}`, "\r\n{ \"a b\" : { } }": `{"a b":{}}`,
		"{\n          \"deep\": 1.0,\n                    \"x\": [\n ]\n}": `{"deep":1.0,"x":[]}`,
	} {
		dst, err := AppendCompact([]byte("before"), []byte(in))
		if err != nil || string(dst) != "before"+want {
			t.Errorf("AppendCompact(%q) = %q, %v, want %q", in, dst, err, want)
		}
	}
	if dst, err := AppendCompact([]byte("before"), []byte(`[ 1, 2`)); err == nil || string(dst) != "before" {
		t.Errorf("bad JSON: %q, %v", dst, err)
	}
}

func TestCommonCallsAllocateLittle(t *testing.T) {
	data, dst := []byte(entry(1)), make([]byte, 0, 4096)
	compact, _ := Compact(data)
	for name, c := range map[string]struct {
		most float64
		f    func()
	}{
		"Valid":         {0, func() { Valid(data) }},
		"Walk":          {0, func() { _ = Walk(data, func([]byte, Value) error { return nil }) }},
		"AppendCompact": {0, func() { _, _ = AppendCompact(dst, data) }},
		"AppendIndent":  {0, func() { AppendIndent(dst, compact, 1) }},
		"Parse":         {3, func() { _, _ = Parse(data) }}, // values, names, members
	} {
		if got := testing.AllocsPerRun(10, c.f); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
	}
}

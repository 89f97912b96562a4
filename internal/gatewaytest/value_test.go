package gatewaytest

import (
	"math"
	"testing"
)

func TestStringifyIsJavaScripts(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"2":2,"a":3,"1":4,"01":5}`:   `{"1":4,"2":2,"b":1,"a":3,"01":5}`, // integer names first
		`{"a":1,"b":2,"a":3}`:                `{"a":3,"b":2}`,
		`[1.0,1e2,-0.5,1e21,1e-7,0.000001]`:  `[1,100,-0.5,1e+21,1e-7,0.000001]`,
		`[123456789012345680000,5e-324]`:     `[123456789012345680000,5e-324]`,
		`[1e999,-1e999]`:                     `[null,null]`,
		`"\u0001\b\f\n\r\t\u2028\u007f<>&/"`: "\"\\u0001\\b\\f\\n\\r\\t\u2028\u007f<>&/\"",
		`"\ud83d\ude00\ud83d\ude"`:           ``,
		`"\ud83d\ude00 \ud83d \ude00"`:       `"😀 \ud83d \ude00"`,
		` [ true , null ] `:                  `[true,null]`,
		`[1] x`:                              ``,
		`{"a":1,}`:                           ``,
	} {
		v, err := parseJSON([]byte(in))
		if (err != nil) != (want == "") {
			t.Errorf("parse %s: %v", in, err)
		}
		if err == nil && compact(v) != want {
			t.Errorf("%s = %s, want %s", in, compact(v), want)
		}
	}
}

func TestIndentedIsJavaScripts(t *testing.T) {
	v, err := parseJSON([]byte(`{"a":{},"b":[],"c":[1,{"d":2}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    1,\n    {\n      \"d\": 2\n    }\n  ]\n}"
	if got := indented(v); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLoneSurrogateIsNotTheReplacement(t *testing.T) {
	a, b := unquote([]byte(`"\ud800"`)), unquote([]byte(`"\ufffd"`))
	if a == b {
		t.Error("a lone surrogate equals U+FFFD")
	}
	if got := string(wellFormed(a + "x")); got != "\ufffdx" {
		t.Errorf("sent as %q", got)
	}
}

func TestSubstitute(t *testing.T) {
	p := &player{vars: map[string]any{"n": 5.0, "s": "x", "a.b": "dot", "nil": nil}}
	for in, want := range map[string]any{
		"${n}": 5.0, "${n+3}": 8.0, "${n-10}": -5.0, "${s+1}": "x1", "n=${n}": "n=5", "${s}${a.b}": "xdot",
		"${gone}": undefined, "a ${gone} ${nil}": "a undefined null", "${n-1} ": "${n-1} ", "$n": "$n",
	} {
		if got := p.substitute(in); got != want {
			t.Errorf("%s = %v, want %v", in, got, want)
		}
	}
	if f, ok := p.substitute("${gone+1}").(float64); !ok || !math.IsNaN(f) {
		t.Error("a sum with nothing is not NaN")
	}
}

func TestDrop(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"a", `{"b":[{"c":1,"d":2},{"c":3}]}`},
		{"b.*.c", `{"a":{"c":1},"b":[{"d":2},{}]}`},
		{"*.c", `{"a":{},"b":[{"c":1,"d":2},{"c":3}]}`},
		{"b.0", `{"a":{"c":1},"b":[null,{"c":3}]}`},
		{"*", `{}`},
		{"x.y", `{"a":{"c":1},"b":[{"c":1,"d":2},{"c":3}]}`},
	} {
		v, err := parseJSON([]byte(`{"a":{"c":1},"b":[{"c":1,"d":2},{"c":3}]}`))
		if err != nil {
			t.Fatal(err)
		}
		drop(v, c.path)
		if got := compact(v); got != c.want {
			t.Errorf("without %s: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestRequestTarget(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "": "/", "/a/./b/../c": "/a/c", "/..": "/", "/a/..": "/", "/a/.": "/a/",
		"/%2e%2E/x": "/x", "/%2e%2e%2fx": "/%2e%2e%2fx", `/a\b`: "/a/b", "/a b?c d#e": "/a%20b?c%20d",
		"/a?": "/a", "/é?'": "/%C3%A9?%27", "/%ff/x": "/%ff/x", "/a//b": "/a//b",
	} {
		if got := requestTarget(in); got != want {
			t.Errorf("%s = %s, want %s", in, got, want)
		}
	}
}

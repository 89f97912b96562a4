package protocol

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func TestFrame(t *testing.T) {
	raw := func(s string) rawjson.Value {
		if s == "" {
			return nil
		}
		return rawjson.Value(s)
	}
	for _, c := range []struct{ frame, id, method, params, problems string }{
		{`{"type":"req","id":"1","method":"health"}`, `"1"`, "health", ``, ``},
		{` {"type":"req", "params" : {"a": [1, 2]} ,"id":"é","method":"a\u0062"} `, `"é"`, "ab", `{"a": [1, 2]}`, ``},
		{`{"type":"req","id":"1","method":"m","params":null}`, `"1"`, "m", ``, ``},
		{`{"type":"req","id":"1","method":"m","params":5}`, `"1"`, "m", `5`, ``},
		{`{"type":"req","id":"1","id":"2","method":"m"}`, `"2"`, "m", ``, ``},
		{`{"type":"req","\u0069d":"2","method":"m"}`, `"2"`, "m", ``, ``},
		{`{"type":"req","id":7,"method":"m"}`, `7`, "m", ``, `at /id: must be string`},
		{`{"type":"req","id":"","method":"m"}`, `""`, "m", ``, `at /id: must NOT have fewer than 1 characters`},
		{`{"type":"req","id":{"a":1},"method":"m"}`, `{"a":1}`, "m", ``, `at /id: must be string`},
		{`{"type":"req","id":null,"method":"m"}`, `"invalid"`, "m", ``, `at /id: must be string`},
		{`{"type":"res","method":5,"x":1}`, `"invalid"`, "", ``,
			`must have required property 'id'; at root: unexpected property 'x'; at /type: must be equal to constant; at /method: must be string`},
		{`{"type":1,"id":"1","method":""}`, `"1"`, "", ``,
			`at /type: must be string; at /type: must be equal to constant; at /method: must NOT have fewer than 1 characters`},
		{`{}`, `"invalid"`, "", ``, `must have required property 'type'; must have required property 'id'; must have required property 'method'`},
		{`null`, `"invalid"`, "", ``, `must be object`},
		{`[]`, `"invalid"`, "", ``, `must be object`},
		{`"x"`, `"invalid"`, "", ``, `must be object`},
		{`5`, `"invalid"`, "", ``, `must be object`},
	} {
		got, problems := newTestValidator(t).Frame([]byte(c.frame))
		want := Request{ID: raw(c.id), Method: c.method, Params: raw(c.params)}
		if d := cmp.Diff(want, got); d != "" || problems != c.problems {
			t.Errorf("%s: problems %q, want %q; request (-want +got):\n%s", c.frame, problems, c.problems, d)
		}
	}
}

func FuzzFrame(f *testing.F) {
	v, err := NewValidator()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"type":"req","id":"1","method":"health","params":{"a":[1,{"b":"\""}]}}`, `{"type":"req","id":"1","id":2,"method":"m"}`,
		`{"type":"req","\u0069d":"2","method":"m"}`, `{"type":"req","id":"1","method":"m","type":"x"}`, `[]`, `{"id":`, `"\`, `{"a":}`, `{"id" 1}`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, problems := v.Frame(text)
		if !rawjson.Valid(text) || !utf8.Valid(text) {
			return // never gets here; it must only not panic
		}
		if !rawjson.Valid(r.ID) {
			t.Errorf("%s: id %s is not JSON", text, r.ID)
		}
		if r.Params != nil && !rawjson.Valid(r.Params) {
			t.Errorf("%s: params %s are not JSON", text, r.Params)
		}
		if want := v.frame.problems(text); problems != want {
			t.Errorf("%s: problems %q, the schema says %q", text, problems, want)
		}
		if problems != "" {
			return
		}
		o, err := rawjson.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if o.Text("method") != r.Method || o.Text("type") != "req" || o.Text("id") == "" {
			t.Errorf("%s was taken for %+v", text, r)
		}
	})
}

func TestAppendFrames(t *testing.T) {
	e := &Error{Code: Unavailable, Message: "a <b> & \"c\" \u2028 é", Retryable: true, RetryAfterMs: 1500}
	for _, c := range []struct {
		schema, got, want string
	}{
		{"_frame.response", string(AppendResponse(nil, rawjson.Value(`"1"`), rawjson.Value(`{"a":1}`))), `{"type":"res","id":"1","ok":true,"payload":{"a":1}}`},
		{"_frame.response", string(AppendResponse(nil, rawjson.Value(`"1"`), nil)), `{"type":"res","id":"1","ok":true}`},
		{"_frame.response", string(AppendErrorResponse(nil, rawjson.Value(`"1"`), Invalidf("no %s", "x"), nil)),
			`{"type":"res","id":"1","ok":false,"error":{"code":"INVALID_REQUEST","message":"no x"}}`},
		{"_frame.response", string(AppendErrorResponse(nil, rawjson.Value(`"1"`), e.WithDetails(map[string]int{"n": 1}), rawjson.Value(`{}`))),
			`{"type":"res","id":"1","ok":false,"payload":{},"error":{"code":"UNAVAILABLE","message":"a <b> & \"c\" ` + "\u2028" + ` é","details":{"n":1},"retryable":true,"retryAfterMs":1500}}`},
		{"_frame.event", string(AppendEvent(nil, "tick", rawjson.Value(`{"ts":1}`), nil)) + `,"seq":3}`, `{"type":"event","event":"tick","payload":{"ts":1},"seq":3}`},
		{"_frame.event", string(AppendEvent(nil, "health", rawjson.Value(`{}`), &StateVersion{2, 3})) + `}`,
			`{"type":"event","event":"health","payload":{},"stateVersion":{"presence":2,"health":3}}`},
		{"_frame.event", string(AppendEvent(nil, "x", nil, nil)) + `}`, `{"type":"event","event":"x"}`},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
		if err := newTestValidator(t).Conforms(c.schema, rawjson.Value(c.got)); err != nil {
			t.Error(err)
		}
	}
	if string(rawjson.MustMarshal(e)) != string(e.appendJSON(nil)) {
		t.Errorf("marshalled %s, appended %s", rawjson.MustMarshal(e), e.appendJSON(nil))
	}
	if got := string(AppendResponse([]byte("before "), rawjson.Value(`1`), nil)); !strings.HasPrefix(got, "before {") {
		t.Errorf("appended to a prefix: %s", got)
	}
}

func TestWithDetailsLeavesTheErrorAlone(t *testing.T) {
	e := Unavailablef("later")
	d := e.WithDetails(struct {
		Code string `json:"code"`
	}{"X"})
	if e.Details != nil || string(d.Details) != `{"code":"X"}` || d.Message != "later" {
		t.Errorf("e = %+v, d = %+v", e, d)
	}
	if got := e.WithDetails(func() {}); got.Details != nil || got.Message != "later" {
		t.Errorf("details that cannot be encoded: %+v", got)
	}
}

package protocol

import (
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// What clients send is seen to be valid without the library, and nothing else is.
func TestFits(t *testing.T) {
	v, err := NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, params string
		want           bool
	}{
		{"sessions.resolve", `{"key":"agent:main:a"}`, true},
		{"sessions.list", ` { "limit" : 50 , "includeLastMessage" : true } `, true},
		{"sessions.patch", `{"key":"a","thinkingLevel":"low"}`, true},
		{"sessions.patch", `{"key":"a","thinkingLevel":null}`, true},
		{"sessions.preview", `{"keys":["a","b"],"limit":3}`, true},
		{"chat.send", `{"sessionKey":"a","message":"line\nline","idempotencyKey":"1"}`, true},

		{"sessions.patch", `{"thinkingLevel":"low"}`, false},
		{"sessions.patch", `{"key":"a","other":1}`, false},
		{"sessions.patch", `{"key":""}`, false},
		{"sessions.patch", `{"key":7}`, false},
		{"sessions.patch", `{"key":"a","key":7}`, false},
		{"sessions.list", `{"limit":0}`, false},
		{"sessions.list", `{"limit":1.5}`, false},
		{"sessions.list", `{"limit":"1"}`, false},
		{"sessions.preview", `{"keys":[]}`, false},
		{"sessions.preview", `{"keys":["a",1]}`, false},
		{"chat.send", `[]`, false},
	} {
		j := v.methods[c.method]
		if got := j.words.fits(rawjson.Value(c.params)); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.method, c.params, got, c.want)
		}
		if valid := j.verdict.Validate(plainJSON(t, []byte(c.params))) == nil; valid != c.want {
			t.Errorf("%s %s: the library says %v", c.method, c.params, valid)
		}
	}
}

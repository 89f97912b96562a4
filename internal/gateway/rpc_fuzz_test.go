package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// FuzzRPC sends arbitrary messages of a client without scopes through JSON-RPC:
// whatever comes, it is answered once, with as many responses as there are calls
// at most, each of them a response.
func FuzzRPC(f *testing.F) {
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"health"}`, `[{"jsonrpc":"2.0","id":"a","method":"x","params":{}},{"jsonrpc":"2.0","method":"health"},5,[],{}]`,
		`{"jsonrpc":"2.0","id":null,"method":"rpc.discover","params":[1]}`, `{"jsonrpc":"2.0","id":1e999,"id":{},"method":"connect"}`, `[]`, `[[[]]]`, `{"`, ``, `"\ud800"`,
		`{"jsonrpc":2.0,"id":-0,"method":"\u0000","params":5}`, `{"\u006asonrpc":"2.0","id":"\ud800","method":"sessions.list"}`,
	} {
		f.Add([]byte(text))
	}
	g := gatewayOf(f, `{gateway: {auth: {mode: "token", token: "secret-token"}}}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return // does not get here
		}
		c := newConn(nil, httptest.NewRequest(http.MethodPost, rpcPath, nil), 1<<20)
		g.enterRPC(c, protocol.NewScopeSet())
		var answers [][]byte
		g.exchange(t.Context(), c, text, func(answer []byte) { answers = append(answers, answer) })
		c.calls.Wait()
		if len(answers) != 1 {
			t.Fatalf("%q is answered %d times", text, len(answers))
		}
		if answers[0] == nil {
			return
		}
		calls, batch := rawjson.Array(text)
		responses, several := rawjson.Array(answers[0])
		if !several {
			responses = []rawjson.Value{answers[0]}
		} else if !batch || len(responses) > len(calls) {
			t.Fatalf("%q is answered %q", text, answers[0])
		}
		for _, r := range responses {
			o, err := rawjson.Parse(r)
			if err != nil || !utf8.Valid(r) || o.Text("jsonrpc") != "2.0" || !o.Has("id") || o.Has("result") == o.Has("error") {
				t.Errorf("%q is answered %q", text, r)
			}
		}
	})
}

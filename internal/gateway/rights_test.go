package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// harmless are params that no method takes, and that do nothing in those that
// look at none.
const harmless = `{"\u0001":0}`

// caller calls a method and gives what went wrong, "" for nothing.
type caller func(t *testing.T, method string) string

// Every method answers each caller, whichever way it comes, as the table of the
// protocol says: who may not call it learns that and nothing else, who may is
// answered by the method. Without credentials nobody comes in at all.
func TestEveryMethodUnderEveryRight(t *testing.T) {
	d := openRPC(t, "127.0.0.1:5000", withToken)
	hello, err := rawjson.Parse(gatewaytest.Connect(t, d.listener, "").Hello())
	if err != nil {
		t.Fatal(err)
	}
	var features protocol.Features
	if err := rawjson.Unmarshal(hello.Get("features"), &features); err != nil || len(features.Methods) < 50 {
		t.Fatalf("%v: %s", err, hello.Get("features"))
	}
	for _, scopes := range []string{"", "operator.read", "operator.write", "operator.admin", "operator.approvals", "operator.pairing", "operator.unknown"} {
		set := protocol.NewScopeSet(scopes)
		for way, call := range map[string]caller{"frame": d.byFrame("operator", scopes), "JSON-RPC": d.bySocket(scopes), "POST": d.byPost(scopes)} {
			for _, method := range append(features.Methods, "no.such.method") {
				need, _ := protocol.RequiredScope(method)
				got := call(t, method)
				if set.Allows(need) == strings.HasPrefix(got, "missing scope: ") || !set.Allows(need) && got != "missing scope: "+string(need) {
					t.Errorf("%s with %q by %s: %q; it needs %q", method, scopes, way, got, need)
				}
			}
		}
	}
	for _, scopes := range []string{"", "operator.admin"} {
		call := d.byFrame("node", scopes)
		for _, method := range features.Methods {
			got, want := call(t, method), "unauthorized role: node"
			if method == "health" {
				want = ""
			}
			if got != want {
				t.Errorf("%s of a node with %q: %q, want %q", method, scopes, got, want)
			}
			call(t, "health") // many refusals in a row would end the connection
		}
	}
	for _, method := range features.Methods {
		if status, got := d.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q}`, method)); status != http.StatusUnauthorized {
			t.Errorf("%s without credentials: %d %s", method, status, got)
		}
	}
}

// byFrame calls in the gateway protocol, over one connection.
func (d rpcDoor) byFrame(role, scopes string) caller {
	c := gatewaytest.Connect(d.t, d.listener, fmt.Sprintf(`{"role":%q,"scopes":%s}`, role, list(scopes)))
	return func(t *testing.T, method string) string {
		t.Helper()
		_, fault := c.Try(method, harmless)
		return messageOf(t, fault)
	}
}

// list is a JSON list of one text, or of none.
func list(text string) string {
	if text == "" {
		return "[]"
	}
	return fmt.Sprintf("[%q]", text)
}

// bySocket calls in JSON-RPC, over one connection.
func (d rpcDoor) bySocket(scopes string) caller {
	ws, _ := d.dial(bearer, "Parley-Scopes: "+scopes)
	if ws == nil {
		d.t.Fatal("not let in")
	}
	return func(t *testing.T, method string) string {
		t.Helper()
		if err := ws.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, harmless)); err != nil {
			t.Fatal(err)
		}
		for {
			_, text, err := ws.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if o, err := rawjson.Parse(text); err == nil && o.Has("id") {
				return messageOf(t, o.Get("error"))
			}
		}
	}
}

// byPost calls in JSON-RPC, each call by a request of its own.
func (d rpcDoor) byPost(scopes string) caller {
	return func(t *testing.T, method string) string {
		t.Helper()
		_, text := d.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, harmless), bearer, "Parley-Scopes: "+scopes)
		o, err := rawjson.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v: %s", method, err, text)
		}
		return messageOf(t, o.Get("error"))
	}
}

// messageOf is the message of an error, "" when there is none.
func messageOf(t *testing.T, fault rawjson.Value) string {
	t.Helper()
	if rawjson.Null(fault) {
		return ""
	}
	o, err := rawjson.Parse(fault)
	if err != nil {
		t.Fatal(err)
	}
	return o.Text("message")
}

package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// rights are what operators may have: nothing, each scope alone.
var rights = [][]string{
	nil, {string(protocol.ScopeRead)}, {string(protocol.ScopeWrite)}, {string(protocol.ScopeAdmin)},
	{string(protocol.ScopeApprovals)}, {string(protocol.ScopePairing)}, {"operator.unknown"},
}

// refusalOf is why a caller with these rights may not call a method, "" when it
// may.
func refusalOf(method string, scopes []string) string {
	if need, _ := protocol.RequiredScope(method); !protocol.NewScopeSet(scopes...).Allows(need) {
		return "missing scope: " + string(need)
	}
	return ""
}

// Every route is as open as its entry says: to nobody's credentials, to each
// scope, to a page of somebody else.
func TestEveryRouteUnderEveryRight(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:x":{"sessionId":"s"}}`,
	})
	withEngine(t, g)
	withMethods(t, g)
	const bearer = "Authorization: Bearer secret-token"
	for _, rt := range routes {
		if len(rt.needs) == 0 {
			t.Errorf("the route %s does not say what it needs", rt.name)
		}
		for request, need := range rt.needs {
			method, path, _ := strings.Cut(request, " ")
			want := func(name string, status int, headers ...string) {
				t.Helper()
				if w := ask(g, method, path, headers...); w.Code != status {
					t.Errorf("%s %s: %d %s, want %d", request, name, w.Code, w.Body, status)
				}
			}
			open := http.StatusOK
			if rt.credentials {
				open = http.StatusUnauthorized
			}
			want("without credentials", open)
			want("with the secret", http.StatusOK, bearer)
			foreign := http.StatusForbidden
			if rt.probe {
				foreign = http.StatusOK
			}
			want("from a foreign page", foreign, bearer, "Origin: https://evil.example")
			want("under a rebound name", foreign, bearer, "Host: evil.example")
			for _, r := range rights {
				status := http.StatusOK
				if !protocol.NewScopeSet(r...).Allows(need) {
					status = http.StatusForbidden
				}
				want("with "+strings.Join(r, ","), status, bearer, "Parley-Scopes: "+strings.Join(r, ","))
			}
		}
	}
	listed := map[string]protocol.Scope{}
	for _, rt := range routes {
		maps.Copy(listed, rt.needs)
	}
	for name, e := range sessionEndpoints {
		if need, ok := listed[e.method+" /sessions/x/"+name]; !ok || need != e.scope {
			t.Errorf("the endpoint %s is not in the table of routes, or with another scope", name)
		}
	}
}

// withMethods gives a gateway its handler table.
func withMethods(t *testing.T, g *Gateway) {
	t.Helper()
	var err error
	if g.validator, err = protocol.NewValidator(); err != nil {
		t.Fatal(err)
	}
	if g.methods, err = index(methods, g.validator); err != nil {
		t.Fatal(err)
	}
}

// A command needs what the method needs that does the same.
func TestEveryCommandUnderEveryRight(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
	withEngine(t, g)
	for _, k := range commands {
		if !slices.ContainsFunc(methods, func(m method) bool { return m.name == k.equal }) && k.name != "help" {
			t.Errorf("/%s names no method that does the same", k.name)
		}
		for _, r := range rights {
			if !protocol.NewScopeSet(r...).Allows(protocol.ScopeWrite) {
				continue // these may not send at all
			}
			for _, name := range append([]string{k.name}, k.also...) {
				c := &conn{id: "c", role: protocol.RoleOperator, scopes: protocol.NewScopeSet(r...)}
				_, err := g.send(t.Context(), &call{conn: c}, sendRequest{Key: "a", Message: "/" + strings.ToUpper(name), RunID: fmt.Sprint(name, r)})
				want := ""
				if k.equal != "" {
					want = refusalOf(k.equal, r)
				}
				got := ""
				if err != nil {
					got = err.Error()
				}
				if got != want {
					t.Errorf("/%s with %v: %q, want %q", name, r, got, want)
				}
			}
		}
	}
}

// A panic of a handler is our failure, and JSON-RPC has a code for that.
func TestBrokenHandlerByRPC(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
	withMethods(t, g)
	g.methods = map[string]*method{"health": {name: "health", serve: func(*Gateway, context.Context, *call, rawjson.Value) (any, error) {
		panic("ouch")
	}}}
	var got []byte
	c := newConn(nil, httptest.NewRequest(http.MethodPost, "/rpc", nil), 1<<20)
	g.enterRPC(c, protocol.NewScopeSet())
	g.exchange(t.Context(), c, []byte(`{"jsonrpc":"2.0","id":1,"method":"health"}`), func(answer []byte) { got = answer })
	if want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error in health: ouch","data":{"code":"UNAVAILABLE"}}}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

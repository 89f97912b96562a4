package gateway

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func makeDir(path string) error { return os.MkdirAll(path, 0o700) }

// joined is a client that passed the handshake and takes part.
func joined(t *testing.T, g *Gateway, id string, s stranger) *conn {
	t.Helper()
	c, p := s.arrive()
	c.id = id
	if _, no := g.handshake(c, p); no != nil {
		t.Fatalf("%s: %v", id, no.err)
	}
	if !g.enter(c) || !g.join(c) {
		t.Fatal("the gateway is stopping")
	}
	t.Cleanup(func() { g.leave(c) })
	return c
}

// call lets a client call a method and gives the answer's payload or error.
func callAs(t *testing.T, g *Gateway, c *conn, method, params string) string {
	t.Helper()
	g.dispatchFrame(t.Context(), c, []byte(`{"type":"req","id":"1","method":"`+method+`","params":`+params+`}`))
	for _, f := range taken(c.out) {
		o, err := rawjson.Parse(rawjson.Value(f))
		if err != nil {
			t.Fatal(err)
		}
		if o.Text("type") != "res" {
			continue
		}
		if e, err := rawjson.Parse(o.Get("error")); err == nil {
			return "error: " + e.Text("message")
		}
		return string(o.Get("payload"))
	}
	t.Fatalf("%s: no answer", method)
	return ""
}

func closedFor(c *conn) string {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.ending == nil {
		return ""
	}
	return c.out.ending.reason
}

func TestDeviceMethods(t *testing.T) {
	g := gatewayOf(t, tokenMode)
	admin := joined(t, g, "admin", cli(1))
	got, _ := g.outcome(cli(2, fromFar, asking("operator.read")))
	if got != "PAIRING_REQUIRED not-paired" {
		t.Fatal(got)
	}
	list := callAs(t, g, admin, "device.pair.list", `{}`)
	o, err := rawjson.Parse(rawjson.Value(list))
	if err != nil {
		t.Fatal(err)
	}
	pending, _ := rawjson.Array(o.Get("pending"))
	if len(pending) != 1 {
		t.Fatalf("list = %s", list)
	}
	request, err := rawjson.Parse(pending[0])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(list, `"token"`) || strings.Contains(list, "approvedScopes") {
		t.Errorf("the list tells too much: %s", list)
	}
	id := `{"requestId":"` + request.Text("requestId") + `"}`
	if got := callAs(t, g, admin, "device.pair.approve", `{"requestId":"nope"}`); got != "error: unknown requestId" {
		t.Errorf("approve nothing: %s", got)
	}
	if got := callAs(t, g, admin, "device.pair.approve", id); !strings.HasPrefix(got, `{"requestId":"`+request.Text("requestId")+`","device":{"deviceId":"`+deviceIDOf(2)) {
		t.Errorf("approve: %s", got)
	}
	if got := callAs(t, g, admin, "device.pair.reject", id); got != "error: unknown requestId" {
		t.Errorf("reject what is approved: %s", got)
	}
	if got, _ := g.outcome(cli(2, fromFar, asking("operator.read"))); got != "ok operator.read" {
		t.Errorf("the approved device: %s", got)
	}
	if got := callAs(t, g, admin, "device.token.rotate", `{"deviceId":"nope","role":"operator"}`); got != "error: device token rotation denied" {
		t.Errorf("rotate nothing: %s", got)
	}
	if got := callAs(t, g, admin, "device.token.rotate", `{"deviceId":"`+deviceIDOf(2)+`","role":"operator"}`); !strings.Contains(got, `"role":"operator","token":"`) || !strings.Contains(got, `"scopes":["operator.read"],"rotatedAtMs":`) {
		t.Errorf("rotate: %s", got)
	}
	if got := callAs(t, g, admin, "device.token.revoke", `{"deviceId":"`+deviceIDOf(2)+`","role":"node"}`); got != "error: unknown deviceId/role" {
		t.Errorf("revoke nothing: %s", got)
	}
	if got := callAs(t, g, admin, "device.pair.remove", `{"deviceId":"nope"}`); got != "error: unknown deviceId" {
		t.Errorf("remove nothing: %s", got)
	}
	identity := callAs(t, g, admin, "gateway.identity.get", `{}`)
	if again := callAs(t, g, admin, "gateway.identity.get", `{}`); again != identity || !strings.HasPrefix(identity, `{"deviceId":"`) {
		t.Errorf("identity %s, then %s", identity, again)
	}
	reader := joined(t, g, "reader", cli(3, asking("operator.read")))
	for _, m := range []string{"device.pair.list", "device.pair.approve", "device.pair.reject", "device.pair.remove", "device.token.rotate", "device.token.revoke"} {
		if got := callAs(t, g, reader, m, `{}`); got != "error: missing scope: operator.pairing" {
			t.Errorf("%s for a reader: %s", m, got)
		}
	}
}

// An approver cannot give what it does not have.
func TestApproverNeedsTheScopes(t *testing.T) {
	g := gatewayOf(t, tokenMode)
	pairer := joined(t, g, "pairer", cli(1, asking("operator.pairing", "operator.read")))
	c, p := cli(2, fromFar).arrive()
	_, no := g.handshake(c, p)
	if no == nil {
		t.Fatal("let in")
	}
	details, err := rawjson.Parse(no.err.Details)
	if err != nil {
		t.Fatal(err)
	}
	if got := callAs(t, g, pairer, "device.pair.approve", `{"requestId":"`+details.Text("requestId")+`"}`); got != "error: missing scope: operator.admin" {
		t.Errorf("got %s", got)
	}
}

// Removing a device or revoking its token ends its connections, after the
// answer; others stay.
func TestRemovedDeviceIsDisconnected(t *testing.T) {
	g := gatewayOf(t, tokenMode)
	admin, phone := joined(t, g, "admin", cli(1)), joined(t, g, "phone", cli(2))
	node := joined(t, g, "node", cli(3, asNode, asking()))
	callAs(t, g, admin, "device.token.revoke", `{"deviceId":"`+deviceIDOf(3)+`","role":"node"}`)
	if closedFor(node) != "token revoked" || closedFor(phone) != "" {
		t.Errorf("after revoke: node %q, phone %q", closedFor(node), closedFor(phone))
	}
	callAs(t, g, admin, "device.pair.remove", `{"deviceId":" `+deviceIDOf(2)+` "}`)
	if closedFor(phone) != "device removed" || closedFor(admin) != "" {
		t.Errorf("after remove: phone %q, admin %q", closedFor(phone), closedFor(admin))
	}
	if got := callAs(t, g, admin, "device.pair.remove", `{"deviceId":"`+deviceIDOf(1)+`"}`); got != `{"deviceId":"`+deviceIDOf(1)+`"}` {
		t.Errorf("removing oneself is answered %s", got)
	}
	if closedFor(admin) != "device removed" {
		t.Errorf("who removed itself is closed for %q", closedFor(admin))
	}
}

// A removal while the handshake goes on must not be missed.
func TestRemovedDuringTheHandshake(t *testing.T) {
	g := doorOf(t, tokenMode)
	c, p := cli(1).arrive()
	if _, no := g.handshake(c, p); no != nil {
		t.Fatal(no.err)
	}
	if _, err := g.gate.devices.Remove(deviceIDOf(1)); err != nil {
		t.Fatal(err)
	}
	g.closeIfGone(c)
	if closedFor(c) != "device removed" {
		t.Errorf("closed for %q", closedFor(c))
	}
	d, q := cli(2).arrive()
	if _, no := g.handshake(d, q); no != nil {
		t.Fatal(no.err)
	}
	g.closeIfGone(d)
	if closedFor(d) != "" {
		t.Errorf("another device is closed for %q", closedFor(d))
	}
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{gate: &gate{budget: newBudget()}}
		a, b := &conn{id: "1", deviceID: "d"}, &conn{id: "2", deviceID: "e"}
		none, other := &conn{id: "3"}, &conn{id: "4"}
		spend := func(c *conn, method string) *protocol.Error {
			t.Helper()
			err, _ := g.spend(c, method).(*protocol.Error)
			return err
		}
		for i, m := range []string{"config.patch", "config.apply", "update.run"} {
			if err := spend(a, m); err != nil {
				t.Errorf("call %d: %v", i+1, err)
			}
		}
		time.Sleep(500 * time.Millisecond)
		err := spend(a, "config.patch")
		if err == nil || err.Code != protocol.Unavailable || err.Message != "rate limit exceeded for config.patch; retry after 60s" ||
			!err.Retryable || err.RetryAfterMs != 59_500 || string(err.Details) != `{"method":"config.patch","limit":"3 per 60s"}` {
			t.Errorf("fourth call: %+v", err)
		}
		if err := spend(a, "config.set"); err != nil {
			t.Errorf("a method without budget: %v", err)
		}
		if err := spend(b, "config.patch"); err != nil {
			t.Errorf("another device: %v", err)
		}
		for range 3 {
			spend(none, "config.patch")
		}
		if spend(none, "config.patch") == nil || spend(other, "config.patch") != nil {
			t.Error("clients that nothing tells apart do not have a budget per connection")
		}
		time.Sleep(59_500 * time.Millisecond)
		if err := spend(a, "config.patch"); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

// Only callers on this machine, and those who know the secret, see how ready
// the gateway is; without any secret nobody from elsewhere does.
func TestTrustsHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		config, peer, bearer string
		want                 bool
	}{
		"local":              {tokenMode, "127.0.0.1:1", "", true},
		"elsewhere":          {tokenMode, "203.0.113.9:1", "", false},
		"elsewhere, secret":  {tokenMode, "203.0.113.9:1", testToken, true},
		"elsewhere, guess":   {tokenMode, "203.0.113.9:1", "guess", false},
		"elsewhere, no auth": {noneMode, "203.0.113.9:1", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/readyz", nil)
		r.RemoteAddr = tc.peer
		if tc.bearer != "" {
			r.Header.Set("Authorization", "Bearer "+tc.bearer)
		}
		if got := doorOf(t, tc.config).gate.trustsHTTP(r); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

package gateway

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Fifty wrong passwords from loopback, with and without Origin, with device,
// bootstrap and other tokens beside them, or as Bearer: ten are judged, the rest,
// and the right one behind them, are told to come later.
func TestFiftyWrongPasswordsFromLoopback(t *testing.T) {
	const password = `{gateway: {auth: {mode: "password", password: "secret-token"}, controlUi: {allowedOrigins: ["https://ui.example"]}}}`
	random := func(c *protocol.Credentials, names ...string) {
		for _, name := range names {
			*map[string]**string{"token": &c.Token, "deviceToken": &c.DeviceToken, "bootstrapToken": &c.BootstrapToken}[name] = new(rand.Text())
		}
	}
	page := with("Origin", "http://localhost:5173")
	for name, tc := range map[string]struct {
		beside []string
		change []func(*stranger)
	}{
		"alone":                              {nil, nil},
		"without a device":                   {nil, []func(*stranger){deviceless}},
		"from a page":                        {nil, []func(*stranger){page}},
		"from a page without a device":       {nil, []func(*stranger){deviceless, page}},
		"with device tokens":                 {[]string{"deviceToken"}, nil},
		"with device tokens from a page":     {[]string{"deviceToken"}, []func(*stranger){page}},
		"with tokens":                        {[]string{"token"}, nil},
		"with bootstrap tokens":              {[]string{"bootstrapToken"}, nil},
		"with all of them":                   {[]string{"token", "deviceToken", "bootstrapToken"}, nil},
		"with all of them, without a device": {[]string{"token", "deviceToken", "bootstrapToken"}, []func(*stranger){deviceless}},
		"under a foreign Host":               {[]string{"deviceToken"}, []func(*stranger){func(s *stranger) { s.host = "evil.example" }}},
		"with forwarding headers":            {[]string{"deviceToken"}, []func(*stranger){fromFar}},
	} {
		t.Run(name, func(t *testing.T) {
			g := doorOf(t, password)
			try := func(secret string, n byte) string {
				c := protocol.Credentials{Password: &secret}
				random(&c, tc.beside...)
				got, _ := g.outcome(cli(n, append(tc.change, offering(c))...))
				return got
			}
			for i := range 50 {
				got := try(rand.Text(), byte(i)) // each from a device of its own
				if locked := strings.HasPrefix(got, "AUTH_RATE_LIMITED"); locked != (i >= 10) || strings.HasPrefix(got, "ok") {
					t.Errorf("guess %d: %s", i+1, got)
				}
			}
			if got := try(testToken, 1); !strings.HasPrefix(got, "AUTH_RATE_LIMITED") {
				t.Errorf("the right password after them: %s", got)
			}
		})
	}
}

// The same as Bearer of HTTP requests and of JSON-RPC, which count together.
func TestFiftyWrongPasswordsAsBearer(t *testing.T) {
	for _, origin := range []string{"X-None: ", "Origin: http://localhost:5173"} {
		g := webWith(t, `{gateway: {auth: {mode: "password", password: "secret-token"}}}`, nil)
		for i := range 50 {
			method, path := http.MethodPost, "/rpc"
			if i%2 == 0 {
				method, path = http.MethodGet, "/sessions/x/history"
			}
			want := http.StatusUnauthorized
			if i >= 10 {
				want = http.StatusTooManyRequests
			}
			if w := ask(g, method, path, "Authorization: Bearer "+rand.Text(), origin); w.Code != want {
				t.Errorf("guess %d, %q: %d, want %d", i+1, origin, w.Code, want)
			}
		}
	}
}

// One client is one client to the throttle, however its address is spelled.
func TestAddressSpellingsShareOneBucket(t *testing.T) {
	const proxied = `{gateway: {trustedProxies: ["10.0.0.1"], auth: {mode: "token", token: "secret-token"}}}`
	for name, tc := range map[string]struct {
		config string
		ways   []func(*stranger)
	}{
		"IPv4": {tokenMode, []func(*stranger){
			func(s *stranger) { s.peer = "203.0.113.9" }, func(s *stranger) { s.peer = "::ffff:203.0.113.9" }, func(s *stranger) { s.peer = "::ffff:cb00:7109" },
		}},
		"IPv6": {tokenMode, []func(*stranger){
			func(s *stranger) { s.peer = "fe80::1" }, func(s *stranger) { s.peer = "fe80::1%eth0" }, func(s *stranger) { s.peer = "fe80:0:0::0:1%eth1" },
		}},
		"loopback": {tokenMode, []func(*stranger){
			func(s *stranger) { s.peer = "127.0.0.1" }, func(s *stranger) { s.peer = "::ffff:127.0.0.1" }, fromFar, with("X-Real-IP", "198.51.100.1"),
			func(s *stranger) { s.host = "rebound.example" },
		}},
		"behind a proxy": {proxied, []func(*stranger){
			forwarded("203.0.113.9"), forwarded("203.0.113.9:1"), forwarded("203.0.113.9:65535"), forwarded(" ::ffff:203.0.113.9 "), forwarded("[::ffff:203.0.113.9]:80"),
			forwarded("1.2.3.4, 203.0.113.9"), forwarded("203.0.113.9, 10.0.0.1"), forwarded("203.0.113.9, 127.0.0.1"),
		}},
		"behind a proxy, IPv6": {proxied, []func(*stranger){
			forwarded("2001:db8::1"), forwarded("[2001:db8::1]"), forwarded("[2001:db8::1]:443"), forwarded("2001:DB8:0::1"), forwarded("2001:db8::1%eth0"),
		}},
	} {
		g := doorOf(t, tc.config)
		for i := range 10 {
			if got, _ := g.outcome(cli(1, deviceless, badToken, tc.ways[i%len(tc.ways)])); !strings.HasPrefix(got, "AUTH_TOKEN_MISMATCH") {
				t.Errorf("%s, guess %d: %s", name, i+1, got)
			}
		}
		for i, way := range tc.ways {
			if got, _ := g.outcome(cli(1, deviceless, way)); !strings.HasPrefix(got, "AUTH_RATE_LIMITED") {
				t.Errorf("%s, spelling %d of a locked address: %s", name, i+1, got)
			}
		}
	}
}

// forwarded is a client that a trusted proxy tells of.
func forwarded(from string) func(*stranger) {
	return func(s *stranger) {
		s.peer = "10.0.0.1"
		with("X-Forwarded-For", from)(s)
	}
}

// The shared secret alone brings no scopes from elsewhere, whatever a client says
// of itself, its device or its way.
func TestSelfDeclaredScopesFromAfar(t *testing.T) {
	g := doorOf(t, `{gateway: {bind: "lan", auth: {mode: "token", token: "secret-token"}, controlUi: {allowedOrigins: ["https://ui.example"]}}}`)
	far := func(s *stranger) { s.peer = "203.0.113.9" }
	for name, tc := range map[string]struct {
		who  stranger
		want string
	}{
		"no device":                      {cli(1, deviceless, far), "ok"},
		"backend, no device":             {cli(1, deviceless, far, as(backendClient)), "ok"},
		"Host localhost":                 {cli(1, deviceless, far, func(s *stranger) { s.host = "localhost" }), "ok"},
		"forged X-Forwarded-For":         {cli(1, deviceless, far, with("X-Forwarded-For", "127.0.0.1")), "ok"},
		"forged X-Real-IP":               {cli(1, deviceless, far, with("X-Real-IP", "127.0.0.1")), "ok"},
		"forged Forwarded":               {cli(1, deviceless, far, with("Forwarded", "for=127.0.0.1")), "ok"},
		"loopback behind a proxy":        {cli(1, deviceless, fromFar), "ok"},
		"loopback, forwarded host":       {cli(1, deviceless, with("X-Forwarded-Host", "localhost")), "ok"},
		"loopback under a foreign Host":  {cli(1, deviceless, func(s *stranger) { s.host = "evil.example" }), "ok"},
		"a page of this machine":         {cli(1, deviceless, localPage), "ok"},
		"an allowed page":                {cli(1, deviceless, far, with("Origin", "https://ui.example")), "ok"},
		"an allowed Control UI":          {cli(1, deviceless, far, as(uiClient), with("Origin", "https://ui.example")), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"},
		"a new device":                   {cli(1, far), "PAIRING_REQUIRED not-paired"},
		"a new device, backend":          {cli(1, far, as(backendClient)), "PAIRING_REQUIRED not-paired"},
		"node, no device":                {cli(1, far, deviceless, asNode), "DEVICE_IDENTITY_REQUIRED"},
		"on this machine, for contrast":  {cli(1, deviceless), all},
		"on this machine, with a device": {cli(9), all},
	} {
		if got, _ := g.outcome(tc.who); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	// A device that was approved for little does not get more by asking.
	if got, _ := g.outcome(cli(2, asking("operator.read"))); got != "ok operator.read" {
		t.Fatal(got)
	}
	if got, _ := g.outcome(cli(2, far)); got != "PAIRING_REQUIRED scope-upgrade" {
		t.Errorf("more scopes from afar: %s", got)
	}
}

// Nobody gives away what he does not have: not by rotating a token, not by
// approving, and rotating leads beyond what was approved for nobody.
func TestRotationAndApprovalNeverWiden(t *testing.T) {
	g := gatewayOf(t, tokenMode)
	if got, _ := g.outcome(cli(1, asking("operator.read", "operator.pairing"))); !strings.HasPrefix(got, "ok") {
		t.Fatal(got)
	}
	g.outcome(cli(2, fromFar)) // waits for approval of all scopes
	own := deviceIDOf(1)
	for _, caller := range [][]string{{"operator.pairing"}, {"operator.pairing", "operator.read"}, {"operator.pairing", "operator.write"}, {"operator.pairing", "operator.admin"}, allScopes} {
		c, _ := cli(1).arrive()
		c.role, c.scopes = protocol.RoleOperator, protocol.NewScopeSet(caller...)
		for _, asked := range [][]string{{"operator.admin"}, {"operator.write"}, {"operator.read", "operator.approvals"}, {"operator.read", " operator.admin "}, {"OPERATOR.ADMIN"}, {"operator.*"}, {"custom"}} {
			params := fmt.Sprintf(`{"deviceId":%q,"role":"operator","scopes":["%s"]}`, own, strings.Join(asked, `","`))
			if got := callAs(t, g, c, "device.token.rotate", params); got != "error: device token rotation denied" {
				t.Errorf("%v rotates to %v: %s", caller, asked, got)
			}
		}
		for _, role := range []string{"node", "admin", "operator.admin"} {
			params := fmt.Sprintf(`{"deviceId":%q,"role":%q,"scopes":["operator.admin"]}`, own, role)
			if got := callAs(t, g, c, "device.token.rotate", params); got != "error: device token rotation denied" {
				t.Errorf("%v rotates the role %s: %s", caller, role, got)
			}
		}
		if auth.ScopesWithin(protocol.RoleOperator, allScopes, caller) {
			continue // may approve
		}
		request := pendingOf(t, g)
		if got := callAs(t, g, c, "device.pair.approve", fmt.Sprintf(`{"requestId":%q}`, request)); !strings.HasPrefix(got, "error: missing scope: operator.") {
			t.Errorf("%v approves a request for all scopes: %s", caller, got)
		}
	}
	if got, _ := g.outcome(cli(2, fromFar)); got != "PAIRING_REQUIRED not-paired" {
		t.Errorf("after refused approvals: %s", got)
	}
}

// pendingOf is the id of the one request that waits.
func pendingOf(t *testing.T, g *Gateway) string {
	t.Helper()
	pending, _, err := g.gate.devices.List()
	if err != nil || len(pending) != 1 {
		t.Fatalf("%d requests, %v", len(pending), err)
	}
	o, err := rawjson.Parse(pending[0])
	if err != nil {
		t.Fatal(err)
	}
	return o.Text("requestId")
}

package gateway

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// origins are the Origins that pages and forgers may show: to a direct client of
// this machine, is it the page of somebody else (or none at all), of this machine,
// or one that is allowed?
var origins = []struct{ name, value, kind string }{
	{"none", "", "none"},
	{"blank", "  ", "none"},
	{"same host as the request", "http://127.0.0.1:18789", "local"},
	{"localhost", "http://localhost:5173", "local"},
	{"::1", "http://[::1]:9", "local"},
	{"allowed", "https://ui.example", "allowed"},
	{"allowed in capitals", "HTTPS://UI.EXAMPLE:443", "allowed"},
	{"foreign", "https://evil.example", "foreign"},
	{"null", "null", "invalid"},
	{"no URL", "ui.example", "invalid"},
	{"longer at the end", "https://ui.example.evil.example", "foreign"},
	{"longer at the beginning", "https://evil-ui.example", "foreign"},
	{"as a user name", "https://ui.example@evil.example", "foreign"},
	{"as a password", "http://localhost:5173@evil.example", "foreign"},
	{"as a path", "https://evil.example/https://ui.example", "foreign"},
	{"as a fragment", "https://evil.example#https://ui.example", "foreign"},
	{"other scheme", "http://ui.example", "foreign"},
	{"other port", "https://ui.example:8443", "foreign"},
	{"final dot", "https://ui.example.", "foreign"},
	{"localhost in front", "http://localhost.evil.example", "foreign"},
	{"localhost behind", "http://evil-localhost", "foreign"},
	{"127.0.0.1 in front", "http://127.0.0.1.evil.example", "foreign"},
	{"all addresses", "http://0.0.0.0:18789", "foreign"},
	{"an address as a number", "http://2130706433", "foreign"},
	{"two", "https://ui.example, https://evil.example", "invalid"},
}

// ways are how a request may come to a gateway on loopback: which kinds of origin
// it lets connect, and whether the client counts as on this machine.
var ways = []struct {
	name    string
	config  string
	headers []string
	local   bool
}{
	{"direct", ``, nil, true},
	{"forged X-Forwarded-For", ``, []string{"X-Forwarded-For: 127.0.0.1"}, false},
	{"forged X-Forwarded-Host", ``, []string{"X-Forwarded-Host: ui.example"}, false},
	{"forged X-Real-IP", ``, []string{"X-Real-IP: 127.0.0.1"}, false},
	{"through a trusted proxy", `"trustedProxies":["127.0.0.1"],`, []string{"X-Forwarded-For: 203.0.113.9"}, false},
	{"through it, forged by the client", `"trustedProxies":["127.0.0.1"],`, []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.9"}, false},
	{"from the proxy's machine", `"trustedProxies":["127.0.0.1"],`, nil, false},
}

// Every Origin, on every way, on the WebSocket and over HTTP: a page comes in
// when it is allowed, or when it and the client are of this machine.
func TestOriginMatrix(t *testing.T) {
	for _, way := range ways {
		g := webWith(t, `{"gateway":{`+way.config+`"auth":{"mode":"token","token":"secret-token"},"controlUi":{"allowedOrigins":["https://ui.example"]}}}`, nil)
		withMethods(t, g)
		for _, o := range origins {
			var headers []string
			pairs := []string{}
			for _, h := range append(way.headers, "Origin: "+o.value) {
				name, value, _ := strings.Cut(h, ": ")
				if name == "Origin" && value == "" {
					continue
				}
				headers, pairs = append(headers, h), append(pairs, name, value)
			}
			welcome := o.kind == "none" || o.kind == "allowed" || o.kind == "local" && way.local
			refusal := "CONTROL_UI_ORIGIN_NOT_ALLOWED origin not allowed"
			if o.kind == "invalid" {
				refusal = "CONTROL_UI_ORIGIN_NOT_ALLOWED origin missing or invalid"
			}
			got, _ := g.outcome(cli(1, deviceless, with(pairs...)))
			if welcome && !strings.HasPrefix(got, "ok") || !welcome && got != refusal {
				t.Errorf("%s, %s: WebSocket %s", way.name, o.name, got)
			}
			if keeps := got == all; keeps != (o.kind == "none" && way.local) {
				t.Errorf("%s, %s: a page or a client from elsewhere has scopes: %s", way.name, o.name, got)
			}
			for path, open := range map[string]int{"/schemas/": http.StatusOK, "/sessions/x/history": http.StatusUnauthorized, "/health": http.StatusOK} {
				want := open
				if !welcome && path != "/health" {
					want = http.StatusForbidden
				}
				if w := ask(g, http.MethodGet, path, headers...); w.Code != want {
					t.Errorf("%s, %s: GET %s is answered %d, want %d", way.name, o.name, path, w.Code, want)
				}
			}
			if got, _ := g.outcome(cli(1, as(uiClient), with(pairs...))); o.kind == "none" && !strings.HasSuffix(got, "origin missing or invalid") {
				t.Errorf("%s, %s: a Control UI that shows no Origin: %s", way.name, o.name, got)
			}
		}
	}
}

// A page under a name that was rebound to our address speaks to us as to its own
// server: its Origin fits its Host. Over HTTP and JSON-RPC it gets nothing; on the
// WebSocket of the gateway protocol it is a client from elsewhere.
func TestDNSRebinding(t *testing.T) {
	for _, host := range []string{"rebound.example:18789", "localhost.rebound.example", "127.0.0.1.rebound.example:18789", "localhost.", "0.0.0.0:18789", "rebound.example:18789\t"} {
		g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
		withMethods(t, g)
		for _, origin := range []string{"X-None: ", "Origin: http://" + strings.TrimSpace(host)} {
			for _, r := range []struct {
				method, path string
				headers      []string
			}{
				{"GET", "/", nil}, {"GET", "/schemas/", nil}, {"POST", "/rpc", []string{"Authorization: Bearer secret-token"}},
				{"GET", "/sessions/x/history", []string{"Authorization: Bearer secret-token"}}, {"POST", "/sessions/x/kill", []string{"Authorization: Bearer secret-token"}},
				{"GET", "/rpc", []string{"Authorization: Bearer secret-token", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}},
				{"GET", "/avatar/main", nil}, {"GET", "/__openclaw/control-ui-config.json", nil}, {"GET", "/assets/x.js", nil},
			} {
				if w := ask(g, r.method, r.path, append(r.headers, origin, "Host: "+host)...); w.Code != http.StatusForbidden {
					t.Errorf("%s %s with Host %q and %s: %d, want 403", r.method, r.path, host, origin, w.Code)
				}
			}
		}
		rebound := func(s *stranger) { s.host = host }
		if got, _ := g.outcome(cli(1, deviceless, rebound)); got != "ok" {
			t.Errorf("Host %q without a device: %s, want no scopes", host, got)
		}
		if got, _ := g.outcome(cli(1, rebound)); got != "PAIRING_REQUIRED not-paired" {
			t.Errorf("Host %q with a device: %s", host, got)
		}
		page := cli(1, as(uiClient), rebound, with("Origin", "http://"+strings.TrimSpace(host)))
		if got, _ := g.outcome(page); got != "CONTROL_UI_ORIGIN_NOT_ALLOWED origin not allowed" {
			t.Errorf("the page of Host %q: %s", host, got)
		}
	}
}

// What is judged is the Host of the request line where that has one, not a second
// one beside it.
func TestDNSRebindingBesideTheRequestLine(t *testing.T) {
	_, address := serveOn(t)
	for text, want := range map[string]string{
		"GET http://evil.example/schemas/ HTTP/1.1\r\nHost: localhost\r\n":      "403",
		"GET /schemas/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n":   "400",
		"GET /schemas/ HTTP/1.1\r\nHost: evil.example\r\nX-Host: localhost\r\n": "403",
		"GET /schemas/ HTTP/1.0\r\n":                                            "403",
		"GET //evil.example/schemas/ HTTP/1.1\r\nHost: localhost\r\n":           "404",
		"GET http://localhost/schemas/ HTTP/1.1\r\nHost: localhost\r\n":         "200",
	} {
		if got := address.status(t, text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	ws, _, err := websocket.Dial(t.Context(), "ws://rebound.example/", &websocket.DialOptions{HTTPClient: address.client()})
	if err != nil {
		t.Fatalf("the WebSocket under a foreign name: %v, want it open", err)
	}
	_ = ws.CloseNow()
}

// door is a way to a gateway on a listener in memory.
type door struct{ *gatewaytest.Listener }

// serveOn runs a gateway until the test ends.
func serveOn(t *testing.T) (*Gateway, door) {
	t.Helper()
	g, err := New(optionsFor(t, t.TempDir(), nil))
	if err != nil {
		t.Fatal(err)
	}
	l := gatewaytest.NewListener(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, door{l}
}

func (d door) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
}

func (d door) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: d.dial}}
}

// status sends the head of a request and returns the status that is answered.
func (d door) status(t *testing.T, head string) string {
	t.Helper()
	c, err := d.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = c.Write([]byte(head + "Connection: close\r\n\r\n")) }() // it may be refused before
	buf := make([]byte, len("HTTP/1.1 200"))
	n, err := c.Read(buf)
	if err != nil || n < len(buf) {
		t.Fatalf("%q: %q %v", head, buf[:n], err)
	}
	return string(buf[len(buf)-3:])
}

package gateway

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// ServeHTTP takes WebSocket upgrades on any path, answers the probes to
// everybody, and the other routes to those who are not led here by a foreign
// web page (spec: protocol 2). The first route that knows the path answers.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	noteTLS(r)
	path := pathOf(r)
	if r.Header.Get("Upgrade") != "" && path != rpcPath {
		g.upgrade(w, r, g.greet)
		return
	}
	if r.Header.Get("Upgrade") == "" {
		counted := &countedWriter{ResponseWriter: w, status: http.StatusOK, route: "none"}
		defer func() { g.metrics.HTTP(counted.route, counted.status) }()
		w = counted
	}
	g.strangers.asks(strangerOf(r), true)
	defer g.strangers.asks(strangerOf(r), false)
	if r.Body != http.NoBody {
		awaitBody(w, strangersBody)
	}
	g.setHeaders(w.Header())
	judged := false
	for i := range routes {
		rt := &routes[i]
		if !rt.probe && !judged {
			if reason := g.foreign(r); reason != "" {
				text(w, http.StatusForbidden, reason)
				return
			}
			judged = true
		}
		if rt.serve(g, w, r, path) {
			if c, ok := w.(*countedWriter); ok {
				c.route = rt.name
			}
			return
		}
	}
	text(w, http.StatusNotFound, notFound)
}

// strangersBody is how long the body of a request may take whose sender has shown
// no secret, also one that nobody reads; clientsBody, that of a client.
const strangersBody, clientsBody = handshakeTimeout, 5 * time.Minute

// awaitBody limits how long the body of a request may take from now on, without
// end when limit is 0. The server itself would wait for a body as long as its
// sender likes, also behind the answer.
func awaitBody(w http.ResponseWriter, limit time.Duration) {
	var until time.Time
	if limit > 0 {
		until = time.Now().Add(limit)
	}
	_ = http.NewResponseController(w).SetReadDeadline(until) // a recorder of tests has none
}

// setHeaders sets what every answer carries.
func (g *Gateway) setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	if hsts := g.cfg().Gateway.StrictTransportSecurity; hsts != "" {
		h.Set("Strict-Transport-Security", hsts)
	}
}

// noteTLS fills in what the server cannot see through our connections.
func noteTLS(r *http.Request) {
	c := requestDoor(r)
	if c == nil || r.TLS != nil {
		return
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		s := t.ConnectionState()
		r.TLS = &s
	}
}

// route is one entry of the table of routes.
type route struct {
	name string
	// probe: answered to everybody, also to pages of others.
	probe bool
	// needs is how a request of each kind that the route takes is judged:
	// "GET /path" by the scope that its credentials must have. ScopeNone asks for
	// no credentials.
	needs map[string]protocol.Scope
	// credentials are asked for in any case, though what they allow is judged
	// behind the route.
	credentials bool
	// serve answers a request, or reports false: then it has done nothing.
	serve func(g *Gateway, w http.ResponseWriter, r *http.Request, path string) bool
}

// routes is everything that answers plain HTTP requests; the first one that
// knows the path does.
var routes = []route{
	{name: "probes", probe: true, serve: (*Gateway).serveProbe, needs: map[string]protocol.Scope{
		"GET /health": protocol.ScopeNone, "GET /healthz": protocol.ScopeNone, "GET /ready": protocol.ScopeNone, "GET /readyz": protocol.ScopeNone,
	}},
	{name: "metrics", serve: (*Gateway).serveMetrics, credentials: true, needs: map[string]protocol.Scope{"GET " + metricsPath: protocol.ScopeRead}},
	{name: "JSON-RPC", serve: (*Gateway).serveRPC, credentials: true, needs: map[string]protocol.Scope{"POST " + rpcPath: protocol.ScopeNone}},
	{name: "schemas", serve: (*Gateway).serveSchemas, needs: map[string]protocol.Scope{"GET " + schemasPath: protocol.ScopeNone}},
	{name: "sessions", serve: (*Gateway).serveSession, credentials: true, needs: map[string]protocol.Scope{
		"GET /sessions/x/history": protocol.ScopeRead, "POST /sessions/x/kill": protocol.ScopeWrite,
	}},
	{name: "page", serve: (*Gateway).serveUI, needs: map[string]protocol.Scope{"GET /": protocol.ScopeNone}},
}

const notFound = "Not Found"

// pathOf is the path as the client wrote it: every route decides itself what
// percent-encoding means to it.
func pathOf(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

// foreign says why a request is not answered that a page of somebody else may
// have made: its Origin shows it, or, where a name was rebound to our loopback
// address, its Host.
func (g *Gateway) foreign(r *http.Request) string {
	if g.gate.ForeignHost(r.Host) {
		return "Forbidden: the gateway listens on loopback and does not know the name in the Host header. " +
			"Use localhost, or name the page's origin in gateway.controlUi.allowedOrigins."
	}
	origin := auth.Origin(r.Header)
	if origin == "" {
		return ""
	}
	if reason := g.gate.JudgeOrigin(origin, r.Host, g.gate.placeOf(r).Local); reason != "" {
		return "Forbidden: " + reason + ". Allow the page's origin in gateway.controlUi.allowedOrigins."
	}
	return ""
}

// serveProbe answers the probes. They need no credentials and stay where they
// are whatever the base path of the page is.
func (g *Gateway) serveProbe(w http.ResponseWriter, r *http.Request, path string) bool {
	switch path {
	case "/health", "/healthz":
		probe(w, r, http.StatusOK, live{OK: true, Status: "live"})
	case "/ready", "/readyz":
		g.serveReady(w, r)
	default:
		return false
	}
	return true
}

type live struct {
	OK     bool   `json:"ok"`
	Status string `json:"status"`
}

func probe(w http.ResponseWriter, r *http.Request, status int, v any) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	reply(w, status, rawjson.MustMarshal(v))
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, body rawjson.Value) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; nobody to tell
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // as above
}

// upgrade takes a WebSocket connection and serves it; only what is no upgrade at
// all is refused here. welcome is called for the connection before it is served.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, welcome func(*conn, *http.Request)) {
	if g.draining.Load() {
		text(w, http.StatusServiceUnavailable, "Service Unavailable: the gateway is stopping")
		return
	}
	if requestDoor(r) == nil {
		text(w, http.StatusNotImplemented, "Not Implemented: WebSockets are served through the gateway's own listener")
		return
	}
	if status, reason := upgradeFault(r); status != 0 {
		g.edge.one(edgeMalformed, "")
		g.log.Debug("malformed upgrade", "peer", r.RemoteAddr, "reason", reason)
		if status == http.StatusBadRequest && strings.Contains(reason, "Version") {
			w.Header().Set("Sec-WebSocket-Version", "13, 8")
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Connection", "close")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(reason)) // the client may be gone; nobody to tell
		return
	}
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	if first, _ := firstProtocol(r.Header); first != "" {
		o.Subprotocols = []string{first}
	}
	var c *conn
	// The library would answer from the reader, and end the connection when a
	// large message holds the socket for five seconds.
	o.OnPingReceived = func(_ context.Context, payload []byte) bool {
		c.out.pong(payload)
		return false
	}
	ws, err := websocket.Accept(w, r, o)
	if err != nil {
		g.log.Debug("upgrade failed", "peer", r.RemoteAddr, "err", err)
		return
	}
	c = newConn(ws, r, g.maxBuffered)
	if !g.enter(c) {
		_ = ws.CloseNow() // stopping: a connection without handshake is just dropped
		return
	}
	welcome(c, r)
	go g.serveConn(c) // the server's part ends here, and what it keeps for a request
}

// greet takes in a connection of the gateway protocol: Origin and credentials
// are judged later, in connect.
func (g *Gateway) greet(c *conn, r *http.Request) {
	c.dispatch = g.dispatchFrame
	g.edge.one(edgeOpened, "frames")
	if c.guise != nil {
		g.meet(c.guise, g.gate.placeOf(r).Addr, false)
	}
}

// upgradeFault says what is wrong with an upgrade request, 0 when nothing is.
func upgradeFault(r *http.Request) (status int, reason string) {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "Invalid HTTP method"
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"), !hasToken(strings.Join(r.Header.Values("Connection"), ","), "upgrade"):
		return http.StatusBadRequest, "Invalid Upgrade header"
	case !validKey(r.Header.Values("Sec-WebSocket-Key")):
		return http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Key header"
	}
	switch r.Header.Get("Sec-WebSocket-Version") {
	case "13":
	case "8":
		r.Header.Set("Sec-WebSocket-Version", "13") // the same protocol; the library knows it by this number
	default:
		return http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Version header"
	}
	if _, ok := firstProtocol(r.Header); !ok {
		return http.StatusBadRequest, "Invalid Sec-WebSocket-Protocol header"
	}
	return 0, ""
}

// validKey reports whether a handshake has one key: 16 bytes in base64.
func validKey(keys []string) bool {
	if len(keys) != 1 || len(keys[0]) != 24 {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(b) == 16
}

// firstProtocol is the subprotocol that is agreed on, "" when none is offered.
// It reports false when the offer is no list of different tokens.
func firstProtocol(h http.Header) (string, bool) {
	offers := h.Values("Sec-WebSocket-Protocol")
	if len(offers) == 0 {
		return "", true
	}
	var names []string
	for name := range strings.SplitSeq(strings.Join(offers, ","), ",") {
		name = strings.Trim(name, " \t")
		if !protocolName.MatchString(name) || slices.Contains(names, name) {
			return "", false
		}
		names = append(names, name)
	}
	return names[0], true
}

// protocolName is a token of HTTP.
var protocolName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// hasToken reports whether a comma-separated header holds a word.
func hasToken(header, word string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if strings.EqualFold(strings.TrimSpace(part), word) {
			return true
		}
	}
	return false
}

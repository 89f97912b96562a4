package gateway

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// rpcPath is where JSON-RPC 2.0 is spoken, over WebSocket and HTTP POST.
const rpcPath = "/rpc"

// serveRPC answers JSON-RPC 2.0: the handler table, schemas and scopes of the
// gateway protocol without its handshake. Who may come in is judged by the
// Authorization header alone.
func (g *Gateway) serveRPC(w http.ResponseWriter, r *http.Request, path string) bool {
	if path != rpcPath {
		return false
	}
	upgrade := r.Header.Get("Upgrade") != ""
	if !upgrade && r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed: POST JSON-RPC 2.0 here, or open a WebSocket.")
		return true
	}
	place := g.gate.placeOf(r)
	admitted := admittedBy{under: g.cfg().Gateway.Auth}
	v := g.gate.Bearer(place, r.Header)
	if g.refuseHTTP(w, v) {
		return true
	}
	g.strangers.leave(strangerOf(r))
	scopes := g.rpcScopes(v, place, r.Header)
	if upgrade {
		admitted.method = v.Method
		g.upgrade(w, r, func(c *conn, _ *http.Request) {
			c.admitted = admitted
			g.greetRPC(c, scopes)
		})
		return true
	}
	g.post(w, r, scopes)
	return true
}

// rpcScopes is what may be done by JSON-RPC: everything for a program that knows
// the secret and that parley.deviceless means, else nothing but what is open to
// all. The header Parley-Scopes narrows.
func (g *Gateway) rpcScopes(v auth.Verdict, from auth.Place, h http.Header) protocol.ScopeSet {
	if !v.SharedSecret() || !g.deviceless(from, auth.Origin(h)) {
		return protocol.NewScopeSet()
	}
	return narrowed(operatorScopes(), h)
}

// enterRPC fills in what the handshake of the gateway protocol would settle.
func (g *Gateway) enterRPC(c *conn, scopes protocol.ScopeSet) {
	c.client = protocol.Client{ID: "rpc", Mode: "rpc"}
	c.role, c.scopes = protocol.RoleOperator, scopes
	c.protocol = slices.Max(g.cfg().Parley.Protocols)
	c.dispatch = g.dispatchRPC
}

// greetRPC takes in a WebSocket connection, which hears events at once.
func (g *Gateway) greetRPC(c *conn, scopes protocol.ScopeSet) {
	g.enterRPC(c, scopes)
	g.edge.one(edgeOpened, "rpc")
	c.out.rpc, c.out.greeted = true, true
	if !g.join(c) {
		c.out.close(websocket.StatusServiceRestart, "service restart")
		return
	}
	g.edge.one(edgeConnected, c.client.ID)
	g.log.Info("client connected", "conn", c.id, "client", c.client.ID, "mode", c.client.Mode, "role", c.role, "scopes", scopes.Names())
	g.health.refreshSoon()
}

// post answers one request or a batch.
func (g *Gateway) post(w http.ResponseWriter, r *http.Request, scopes protocol.ScopeSet) {
	awaitBody(w, clientsBody)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxPayload))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		reply(w, http.StatusRequestEntityTooLarge, rpcRefusal(rawjson.Value("null"), rpcError{
			Code: rpcInvalidRequest, Message: "invalid request: the message is larger than policy.maxPayload allows",
		}))
		return
	}
	if err != nil {
		text(w, http.StatusRequestTimeout, "Request Timeout") // or the client is gone, and nobody hears it
		return
	}
	awaitBody(w, 0) // the calls may take longer
	body = jstext.ValidUTF8(body)
	c := newConn(nil, r, g.maxBuffered)
	g.enterRPC(c, scopes)
	c.remoteIP = g.gate.placeOf(r).Addr.String() // what is limited is the client, not the request
	answered := make(chan []byte, 1)
	g.exchange(r.Context(), c, body, func(answer []byte) { answered <- answer })
	answer := <-answered
	c.calls.Wait()
	w.Header().Set("Cache-Control", "no-store")
	if answer == nil {
		w.WriteHeader(http.StatusNoContent) // notifications only
		return
	}
	reply(w, http.StatusOK, answer)
}

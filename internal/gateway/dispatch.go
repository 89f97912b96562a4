package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/metrics"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/tracing"
)

// call is one request under way.
type call struct {
	conn   *conn
	id     rawjson.Value
	method string
	after  []func()

	// rpc is where the answer of a call by JSON-RPC goes, nil for a frame.
	rpc     *rpcExchange
	place   int  // in rpc
	silent  bool // a notification: nobody waits for an answer
	unknown bool // there is no such method
	broken  bool // the failure is ours, and not one that a rule names
	yielded bool // it holds one of the connection's tokens for calls that block

	began time.Time
	meter *metrics.Method
	span  tracing.Span
}

// alone reports whether the call is all that its message asks for.
func (c *call) alone() bool { return c.rpc == nil || !c.rpc.batch }

// Yield lets the messages behind the call be handled while it waits for the disk:
// what it does has its place by now. Of a connection as many calls may do so as
// may block.
func (c *call) Yield() {
	if c.yielded || !c.alone() {
		return
	}
	select {
	case c.conn.blocking <- struct{}{}:
		c.yielded = true
	default:
		return
	}
	if c.conn.in.loosen() {
		go c.conn.lend()
	}
}

// After registers f to run once the call's answer is queued. Events that the
// call causes are published there, so that no event overtakes its answer.
func (c *call) After(f func()) { c.after = append(c.after, f) }

// Answer queues an extra response on the call's id, before the last one. In
// JSON-RPC there is only the last one.
func (c *call) Answer(payload any, err *protocol.Error) {
	if c.rpc == nil {
		c.conn.out.put(encodeAnswer(c.id, payload, err))
	}
}

// finish queues the last answer, and then lets the call's effects be told.
func (c *call) finish(payload any, err *protocol.Error) {
	if c.rpc != nil {
		c.rpc.done(c, payload, err)
		return
	}
	if c.yielded {
		// Who has the answer may ask for its effects, which nobody waits for here.
		c.conn.out.pause()
		defer c.conn.out.resume()
	}
	c.conn.out.put(encodeAnswer(c.id, payload, err))
	for _, f := range c.after {
		f()
	}
}

// failure is an error answer that carries a payload as well.
type failure struct {
	err     *protocol.Error
	payload any
}

// Error is the message that the client gets.
func (f failure) Error() string { return f.err.Message }

// withPayload makes an error answer that carries a payload.
func withPayload(e *protocol.Error, payload any) error { return failure{e, payload} }

// handle handles one message. What comes behind a fault that closes the
// connection is not looked at.
func (g *Gateway) handle(ctx context.Context, c *conn, m message) {
	if c.out.isClosing() {
		return
	}
	c.out.waitForRoom()
	if c.connected.Load() {
		c.dispatch(ctx, c, m.text)
		return
	}
	g.strangers.asks(c.guise, true)
	g.firstFrame(c, m.text)
	g.strangers.asks(c.guise, false) // refused, it still takes up a socket
}

// firstFrame handles what comes before connect has succeeded
// (spec: protocol 3, "before connect succeeded").
func (g *Gateway) firstFrame(c *conn, text []byte) {
	if !rawjson.Valid(text) {
		c.out.close(websocket.StatusNormalClosure, "")
		return
	}
	req, problems := g.validator.Frame(text)
	switch {
	case problems != "":
		c.out.close(websocket.StatusPolicyViolation, "invalid request frame")
	case req.Method != "connect":
		g.refuse(c, req.ID, refused(protocol.Invalidf("invalid handshake: first request must be connect")))
	default:
		g.connect(c, req)
	}
}

// connect runs the handshake and lets the connection in.
func (g *Gateway) connect(c *conn, req protocol.Request) {
	params := req.Params
	if params == nil {
		params = rawjson.Value("null") // unlike elsewhere, absent params are no object here
	}
	if problems := g.validator.Params("connect", params); problems != "" {
		g.refuse(c, req.ID, refused(protocol.Invalidf("invalid connect params: %s", problems)))
		return
	}
	var p protocol.ConnectParams
	if err := protocol.Read(params, &p); err != nil {
		g.refuse(c, req.ID, refused(protocol.Invalidf("invalid connect params: %v", err)))
		return
	}
	hello, no := g.handshake(c, p)
	if no != nil {
		g.refuse(c, req.ID, no)
		return
	}
	if !g.join(c) {
		c.out.close(websocket.StatusServiceRestart, "service restart")
		return
	}
	g.strangers.leave(c.guise)
	g.edge.one(edgeConnected, c.client.ID)
	c.out.hello(protocol.AppendResponse(nil, req.ID, rawjson.MustMarshal(hello)))
	g.closeIfGone(c)
	g.log.Info("client connected", "conn", c.id, "client", c.client.ID, "mode", c.client.Mode, "role", c.role,
		"device", c.deviceID, "scopes", c.scopes.Names())
	g.health.refreshSoon()
}

// refusal is the end of a handshake that failed: the answer and the close.
type refusal struct {
	err    *protocol.Error
	status websocket.StatusCode
	reason string
}

// refused makes the usual refusal: close 1008 with the message, cut to what a
// close frame can carry.
func refused(err *protocol.Error) *refusal {
	return &refusal{err: err, status: websocket.StatusPolicyViolation, reason: cutBytes(err.Message, 120)}
}

// cutBytes cuts s to at most n bytes of UTF-8, between characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := 0
	for i := range s {
		if i > n {
			break
		}
		cut = i
	}
	return s[:cut]
}

func (g *Gateway) refuse(c *conn, id rawjson.Value, no *refusal) {
	g.edge.one(edgeRefused, why(no.err))
	g.log.Warn("handshake refused", "conn", c.id, "peer", c.peer, "code", why(no.err), "reason", no.err.Message)
	c.out.answer(protocol.AppendErrorResponse(nil, id, no.err, nil))
	c.out.close(no.status, no.reason)
}

// dispatchFrame handles one frame of a connected client: frame schema, role and
// scope, budget, look-up, params schema, handler (spec: protocol 11).
func (g *Gateway) dispatchFrame(ctx context.Context, c *conn, text []byte) {
	if !rawjson.Valid(text) {
		g.log.Warn("ignored a message that is not JSON", "conn", c.id, "bytes", len(text))
		return
	}
	req, problems := g.validator.Frame(text)
	cl := g.newCall(c, req.ID, req.Method)
	if problems != "" {
		g.answer(cl, nil, protocol.Invalidf("invalid request frame: %s", problems))
		return
	}
	g.begin(g.trace(ctx, cl, req.Trace), cl, req.Params)
}

// begin judges a call and lets its handler work: here, or in a goroutine of its
// own. A handler that may wait works here as long as it does not (inbox).
func (g *Gateway) begin(ctx context.Context, cl *call, params rawjson.Value) {
	c := cl.conn
	m, err := g.admit(cl)
	if err != nil {
		g.answer(cl, nil, err)
		if c.unauthorized >= unauthorizedLimit {
			c.out.close(websocket.StatusPolicyViolation, "repeated unauthorized calls")
		}
		return
	}
	if params == nil || m.flags&unvalidated != 0 && rawjson.Kind(params) != '{' {
		params = rawjson.Value("{}")
	}
	if m.flags&unvalidated == 0 {
		if problems := g.validator.Params(m.name, params); problems != "" {
			g.answer(cl, nil, protocol.Invalidf("invalid %s params: %s", m.name, problems))
			return
		}
	}
	if m.flags&(blocking|abandoned) == 0 {
		g.serve(context.WithoutCancel(ctx), cl, m, params)
		return
	}
	slots := c.waiting
	if m.flags&abandoned == 0 {
		slots, ctx = c.blocking, context.WithoutCancel(ctx)
	}
	slots <- struct{}{}
	if m.flags&abandoned == 0 && cl.alone() && c.in.loosen() {
		c.slow.Reset(slowLoose)
		defer func() { <-slots }()
		g.serve(ctx, cl, m, params)
		return
	}
	c.calls.Go(func() {
		defer func() { <-slots }()
		g.serve(ctx, cl, m, params)
	})
}

// admit finds the method of a call, if this connection may call it.
func (g *Gateway) admit(c *call) (*method, error) {
	if err := g.authorize(c.conn, c.method); err != nil {
		return nil, err
	}
	if err := g.spend(c.conn, c.method); err != nil {
		return nil, err
	}
	m := g.methods[c.method]
	switch {
	case c.method == "connect" && c.rpc == nil:
		return nil, protocol.Invalidf("connect is only valid as the first request")
	case m == nil:
		c.unknown = true
		return nil, protocol.Invalidf("unknown method: %s", c.method)
	case m.flags&socketed != 0 && c.conn.ws == nil:
		return nil, protocol.Unavailablef("%s needs a WebSocket", c.method)
	}
	return m, nil
}

// authorize applies role and scope to a method name, known or not.
func (g *Gateway) authorize(c *conn, name string) error {
	if name == "health" {
		c.unauthorized = 0
		return nil
	}
	if protocol.NodeMethod(name) != (c.role == protocol.RoleNode) {
		c.unauthorized++
		return protocol.Invalidf("unauthorized role: %s", c.role)
	}
	c.unauthorized = 0
	if c.role == protocol.RoleNode {
		return nil
	}
	need, _ := protocol.RequiredScope(name)
	if c.scopes.Allows(need) {
		return nil
	}
	return g.missingScope(c, need)
}

// missingScope is the refusal of a call whose scope the connection lacks; from
// protocol 4 on it says so in its details as well.
func (g *Gateway) missingScope(c *conn, need protocol.Scope) *protocol.Error {
	err := protocol.Invalidf("missing scope: %s", need)
	if c.protocol >= 4 {
		err = err.WithDetails(missingScopeDetails{Code: "MISSING_SCOPE", MissingScope: need, RequiredScopes: []protocol.Scope{need}})
	}
	return err
}

type missingScopeDetails struct {
	Code           string           `json:"code"`
	MissingScope   protocol.Scope   `json:"missingScope"`
	RequiredScopes []protocol.Scope `json:"requiredScopes"`
}

// serve runs a handler and answers.
func (g *Gateway) serve(ctx context.Context, c *call, m *method, params rawjson.Value) {
	result, err := g.callHandler(ctx, c, m, params)
	g.answer(c, result, err)
}

// callHandler is the one place that catches a handler's panic.
func (g *Gateway) callHandler(ctx context.Context, c *call, m *method, params rawjson.Value) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("handler panicked", "conn", c.conn.id, "method", m.name, "panic", r, "stack", string(debug.Stack()))
			result, err = nil, protocol.Unavailablef("internal error in %s: %v", m.name, r)
			c.after, c.broken = nil, true
		}
	}()
	return m.serve(g, ctx, c, params)
}

// answer ends a call with a result or an error.
func (g *Gateway) answer(c *call, result any, err error) {
	payload, perr := g.answerFor(c, result, err)
	c.finish(payload, perr)
	if c.yielded {
		<-c.conn.blocking
	}
	code := "ok"
	if perr != nil {
		code = string(perr.Code)
	}
	c.meter.Answered(code, time.Since(c.began))
	if g.tracer != nil {
		c.span.Set("code", code)
		c.span.End(failureText(perr))
	}
}

func failureText(err *protocol.Error) string {
	if err == nil {
		return ""
	}
	return err.Message
}

// trace begins the span of a call, under the one that the caller names.
func (g *Gateway) trace(ctx context.Context, c *call, traceparent string) context.Context {
	if g.tracer == nil {
		return ctx
	}
	name := "unknown" // names of spans are few, as labels of metrics are
	if m := g.methods[c.method]; m != nil {
		name = m.name
	}
	ctx, c.span = g.tracer.Begin(ctx, name, traceparent, "conn", c.conn.id, "client", c.conn.client.ID)
	return ctx
}

// answerFor is what the caller gets for a handler's result.
func (g *Gateway) answerFor(c *call, result any, err error) (payload any, _ *protocol.Error) {
	if err == nil {
		return result, nil
	}
	if f, ok := errors.AsType[failure](err); ok {
		return f.payload, f.err
	}
	perr, ok := errors.AsType[*protocol.Error](err)
	if !ok {
		g.log.Error("call failed", "conn", c.conn.id, "method", c.method, "err", err)
		c.broken = true
		perr = protocol.Unavailablef("%v", err)
	}
	return nil, perr
}

// newCall begins a call; what it takes is counted from now on.
func (g *Gateway) newCall(c *conn, id rawjson.Value, method string) *call {
	cl := &call{conn: c, id: id, method: method, began: time.Now(), meter: g.meters[method]}
	if cl.meter == nil {
		cl.meter = g.unmetered
	}
	return cl
}

// encodeAnswer encodes a response frame. A payload that cannot be encoded is a
// fault of the program, told to the client as such.
func encodeAnswer(id rawjson.Value, payload any, err *protocol.Error) outFrame {
	text, pool := newRoomy()
	if a, ok := payload.(rawjson.Appender); ok && err == nil {
		return outFrame{text: protocol.AppendResponseFrom(text, id, a), form: roomy, pool: pool}
	}
	var raw rawjson.Value
	if payload != nil {
		var merr error
		if raw, merr = rawjson.Marshal(payload); merr != nil {
			err, raw = protocol.Unavailablef("%v", fmt.Errorf("encode the answer: %w", merr)), nil
		}
	}
	text = slices.Grow(text, len(raw)+len(id)+64)
	if err != nil {
		return outFrame{text: protocol.AppendErrorResponse(text, id, err, raw), form: roomy, pool: pool}
	}
	return outFrame{text: protocol.AppendResponse(text, id, raw), form: roomy, pool: pool}
}

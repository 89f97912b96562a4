package gateway

import (
	"context"
	"fmt"
	"sync"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// The codes of JSON-RPC 2.0. rpcFailed is the one of ours: what it was stands in
// the error's data.
const (
	rpcParseError     = -32700
	rpcInvalidRequest = -32600
	rpcUnknownMethod  = -32601
	rpcInvalidParams  = -32602
	rpcInternal       = -32603
	rpcFailed         = -32000
)

// rpcMaxBatch is how many calls one message may hold.
const rpcMaxBatch = 1000

// rpcError is the error of a JSON-RPC response.
type rpcError struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Data    *rpcFault `json:"data,omitzero"`
}

// rpcFault is the error as the gateway protocol has it.
type rpcFault struct {
	Code         protocol.Code `json:"code"`
	Details      rawjson.Value `json:"details,omitzero"`
	Retryable    bool          `json:"retryable,omitzero"`
	RetryAfterMs int64         `json:"retryAfterMs,omitzero"`
	Payload      rawjson.Value `json:"payload,omitzero"`
}

// rpcRequest is one call as JSON-RPC has it.
type rpcRequest struct {
	trace  string        // traceparent
	id     rawjson.Value // nil: a notification
	method string
	params rawjson.Value // nil: absent
	fault  string        // why it is no valid request
}

// rpcExchange is one message with calls and what came of them. It is answered as
// a whole when the last call is done; the events that the calls caused come
// behind that.
type rpcExchange struct {
	batch bool
	send  func(answer []byte) // nil when there is nothing to say

	mu      sync.Mutex // guards the rest
	left    int
	answers [][]byte
	after   []func()
}

// done takes the end of a call.
func (x *rpcExchange) done(c *call, payload any, err *protocol.Error) {
	var answer []byte
	if !c.silent {
		answer = rpcAnswer(c, payload, err)
	}
	x.settle(c.place, answer, c.after)
}

// settle takes what is to be said of the call in a place, nil for nothing, and
// answers when it was the last one.
func (x *rpcExchange) settle(place int, answer []byte, after []func()) {
	x.mu.Lock()
	x.answers[place] = answer
	x.after = append(x.after, after...)
	x.left--
	last := x.left == 0
	x.mu.Unlock()
	if !last {
		return
	}
	x.send(x.whole())
	for _, f := range x.after {
		f()
	}
}

// whole is the answer to the message.
func (x *rpcExchange) whole() []byte {
	if !x.batch {
		return x.answers[0]
	}
	var out []byte
	for _, a := range x.answers {
		if a == nil {
			continue
		}
		if out == nil {
			out = append(out, '[')
		} else {
			out = append(out, ',')
		}
		out = append(out, a...)
	}
	if out != nil {
		out = append(out, ']')
	}
	return out
}

// dispatchRPC handles one message of a JSON-RPC connection.
func (g *Gateway) dispatchRPC(ctx context.Context, c *conn, text []byte) {
	g.exchange(ctx, c, text, func(answer []byte) {
		if answer != nil {
			c.out.answer(answer)
		}
	})
}

// exchange begins all calls of a message, in their order. send is called once,
// when all are done.
func (g *Gateway) exchange(ctx context.Context, c *conn, text []byte, send func([]byte)) {
	refuse := func(code int, message string) {
		send(rpcRefusal(rawjson.Value("null"), rpcError{Code: code, Message: message}))
	}
	if !rawjson.Valid(text) {
		refuse(rpcParseError, "parse error: the message is not JSON")
		return
	}
	calls, batch := rawjson.Array(text)
	switch {
	case !batch:
		calls = []rawjson.Value{text}
	case len(calls) == 0:
		refuse(rpcInvalidRequest, "invalid request: the batch is empty")
		return
	case len(calls) > rpcMaxBatch:
		refuse(rpcInvalidRequest, fmt.Sprintf("invalid request: the batch holds %d calls, at most %d are taken", len(calls), rpcMaxBatch))
		return
	}
	x := &rpcExchange{batch: batch, send: send, left: len(calls), answers: make([][]byte, len(calls))}
	for i, one := range calls {
		g.beginRPC(ctx, c, x, i, one)
	}
}

// beginRPC begins one call.
func (g *Gateway) beginRPC(ctx context.Context, c *conn, x *rpcExchange, place int, text rawjson.Value) {
	req := readRPC(text)
	if req.fault != "" {
		id := req.id
		if id == nil {
			id = rawjson.Value("null")
		}
		x.settle(place, rpcRefusal(id, rpcError{Code: rpcInvalidRequest, Message: "invalid request: " + req.fault}), nil)
		return
	}
	cl := g.newCall(c, req.id, req.method)
	cl.rpc, cl.place, cl.silent = x, place, req.id == nil
	if req.method == "rpc.discover" {
		g.answer(cl, g.openRPC(), nil)
		return
	}
	if req.trace == "" && c.ws == nil {
		req.trace = c.header.Get("Traceparent")
	}
	g.begin(g.trace(ctx, cl, req.trace), cl, req.params)
}

// readRPC reads one call.
func readRPC(text rawjson.Value) rpcRequest {
	o, err := rawjson.Parse(text)
	if err != nil {
		return rpcRequest{fault: "a call must be an object"}
	}
	req := rpcRequest{method: o.Text("method"), trace: o.Text("traceparent")}
	switch id := o.Get("id"); rawjson.Kind(id) {
	case 0:
	case '"', '0', 'n':
		req.id = id
	default:
		req.fault = "id must be a string, a number or null"
		return req
	}
	switch params := o.Get("params"); {
	case o.Text("jsonrpc") != "2.0":
		req.fault = `jsonrpc must be "2.0"`
	case req.method == "":
		req.fault = "method must be a string that is not empty"
	case !rawjson.Null(params):
		req.params = params
		if k := rawjson.Kind(params); k != '{' && k != '[' {
			req.fault = "params must be an object"
		}
	}
	return req
}

// rpcAnswer is the response to a call.
func rpcAnswer(c *call, payload any, err *protocol.Error) []byte {
	var raw rawjson.Value
	if payload != nil {
		var fault error
		if raw, fault = rawjson.Marshal(payload); fault != nil {
			raw, err, c.broken = nil, protocol.Unavailablef("encode the answer: %v", fault), true
		}
	}
	if err == nil {
		if raw == nil {
			raw = rawjson.Value("null")
		}
		dst := append([]byte(`{"jsonrpc":"2.0","id":`), c.id...)
		return append(append(append(dst, `,"result":`...), raw...), '}')
	}
	e := rpcError{Code: rpcFailed, Message: err.Message, Data: &rpcFault{err.Code, err.Details, err.Retryable, err.RetryAfterMs, raw}}
	switch {
	case c.unknown:
		e.Code = rpcUnknownMethod
	case c.broken:
		e.Code = rpcInternal
	case err.Code == protocol.InvalidRequest:
		e.Code = rpcInvalidParams
	}
	return rpcRefusal(c.id, e)
}

// rpcRefusal is the response that carries an error.
func rpcRefusal(id rawjson.Value, e rpcError) []byte {
	dst := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	return append(append(append(dst, `,"error":`...), rawjson.MustMarshal(e)...), '}')
}

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"sync"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/rawjson"
)

// Conn is one connection that has been let in. Make one with Dial.
type Conn struct {
	// Static after construction.
	ws    *websocket.Conn
	hello *Hello
	sink  func(Event)             // takes the events, on the reader
	stop  context.CancelCauseFunc // ends reader and writes
	ctx   context.Context         // of reader and writes; ends with the connection

	events fan
	reader sync.WaitGroup

	mu     sync.Mutex // guards what follows
	calls  map[string]*call
	lastID int
	ended  error // why the connection has ended, nil while it lives
}

// call waits for its answer.
type call struct {
	method string
	answer chan *frame // takes one without blocking
}

// newConn is a connection whose events go to sink; nil stands for its own
// iterators.
func newConn(ws *websocket.Conn, hello *Hello, sink func(Event)) *Conn {
	c := &Conn{ws: ws, hello: hello, sink: sink, calls: map[string]*call{}}
	if sink == nil {
		c.sink = c.events.put
	}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	c.reader.Go(c.read)
	return c
}

// Hello is what the gateway said when the connection began.
func (c *Conn) Hello() *Hello { return c.hello }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Err is why the connection has ended: ErrClosed after Close; nil while it
// lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Call asks the gateway for a method and returns the payload of its answer,
// which may be nil. Params are nil or any value that encodes to a JSON object.
// A refusal of the gateway is an *Error; when the connection ends before the
// answer comes, the error is an ErrLost. When ctx ends first, the call is given
// up, though the gateway may still carry it out.
//
// The method "agent" answers twice, first that it has begun; Call waits for the
// answer that ends it.
func (c *Conn) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	raw, err := encode(method, params)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, method, raw)
}

func encode(method string, params any) (rawjson.Value, error) {
	if params == nil {
		return nil, nil
	}
	raw, err := rawjson.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode the params of %s: %w", method, err)
	}
	return raw, nil
}

func (c *Conn) call(ctx context.Context, method string, params rawjson.Value) (json.RawMessage, error) {
	id, waiting, err := c.register(method)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, unsent{err})
	}
	defer c.forget(id)
	if err := c.write(appendRequest(nil, id, method, params)); err != nil {
		return nil, fmt.Errorf("call %s: %w", method, lost{err})
	}
	select {
	case f := <-waiting.answer:
		if !f.OK {
			return nil, f.failure()
		}
		return f.Payload, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the answer of %s: %w", method, context.Cause(ctx))
	case <-c.ctx.Done():
		return nil, fmt.Errorf("wait for the answer of %s: %w", method, lost{context.Cause(c.ctx)})
	}
}

func (c *Conn) register(method string) (id string, waiting *call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return "", nil, c.ended
	}
	c.lastID++
	id = strconv.Itoa(c.lastID)
	waiting = &call{method: method, answer: make(chan *frame, 1)}
	c.calls[id] = waiting
	return id, waiting, nil
}

func (c *Conn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

// Events hands out the events from this call on, in order. So call it before
// the method that causes the events one wants to see, and range over it after:
//
//	events := conn.Events(ctx)
//	conn.Call(ctx, "sessions.subscribe", nil)
//	for e, err := range events { … }
//
// The loop ends without an error after Close; in all other cases the last turn
// has the error: the end of the connection, the cause of ctx, or ErrSlow. It
// can be ranged over once. Several may exist; each gets every event.
func (c *Conn) Events(ctx context.Context) iter.Seq2[Event, error] { return c.events.events(ctx) }

// write sends a frame. Its time is not the caller's: giving up in the middle of
// a frame would cost all others the connection.
func (c *Conn) write(text []byte) error {
	ctx, cancel := context.WithTimeout(c.ctx, writeLimit)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, text); err != nil {
		return causeOf(c.ctx, err)
	}
	return nil
}

// read takes frames until the connection ends.
func (c *Conn) read() {
	for {
		ctx, cancel := context.WithTimeoutCause(c.ctx, silenceLimit, ErrSilent)
		f, err := read(ctx, c.ws)
		if err != nil {
			err = causeOf(ctx, err)
		}
		cancel()
		if err != nil {
			c.end(err)
			_ = c.ws.CloseNow()
			return
		}
		c.take(f)
	}
}

func (c *Conn) take(f *frame) {
	if f.Type == "event" {
		c.sink(Event{Name: f.Event, Payload: f.Payload, Seq: f.Seq})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.calls[f.ID]
	if waiting == nil || waiting.method == "agent" && f.accepted() {
		return
	}
	delete(c.calls, f.ID)
	waiting.answer <- f
}

// accepted reports whether f is the first of two answers.
func (f *frame) accepted() bool {
	var p struct {
		Status string `json:"status"`
	}
	return f.OK && rawjson.Unmarshal(f.Payload, &p) == nil && p.Status == "accepted"
}

// end makes err the reason that everybody gets, unless there is one already.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	c.ended = err
	c.stop(err)
	c.events.finish(err)
}

// Close says goodbye to the gateway and ends the connection. Calls that wait
// fail with ErrClosed, iterators of events end without an error. It may be
// called more than once, and waits for the connection's goroutine.
func (c *Conn) Close() error {
	c.mu.Lock()
	open := c.ended == nil
	if open {
		c.ended = ErrClosed
		c.events.finish(ErrClosed)
	}
	c.mu.Unlock()
	if open {
		_ = c.ws.Close(websocket.StatusNormalClosure, "") // the reader takes the answer
		c.stop(ErrClosed)
	}
	c.reader.Wait()
	return nil
}

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/rawjson"
)

// Conn is a connection that has been let in. Make one with Dial.
type Conn struct {
	// Static after construction.
	ws    *websocket.Conn
	hello *Hello
	stop  context.CancelCauseFunc // ends reader and writes
	ctx   context.Context         // of reader and writes; ends with the connection

	reader sync.WaitGroup

	mu      sync.Mutex // guards what follows
	calls   map[string]*call
	lastID  int
	streams map[*stream]bool
	ended   error // why the connection has ended, nil while it lives
}

// call waits for its answer.
type call struct {
	method string
	answer chan *frame // takes one without blocking
}

func newConn(ws *websocket.Conn, hello *Hello) *Conn {
	c := &Conn{ws: ws, hello: hello, calls: map[string]*call{}, streams: map[*stream]bool{}}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	c.reader.Go(c.read)
	return c
}

// Hello is what the gateway said when the connection began.
func (c *Conn) Hello() *Hello { return c.hello }

// Call asks the gateway for a method and returns the payload of its answer.
// Params are nil or any value that encodes to a JSON object. A refusal of the
// gateway is an *Error. When ctx ends first, the call is given up, though the
// gateway may still carry it out.
//
// The method "agent" answers twice, first that it has begun; Call waits for the
// answer that ends it.
func (c *Conn) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	var raw rawjson.Value
	if params != nil {
		var err error
		if raw, err = rawjson.Marshal(params); err != nil {
			return nil, fmt.Errorf("encode the params of %s: %w", method, err)
		}
	}
	id, waiting, err := c.register(method)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	defer c.forget(id)
	if err := c.write(appendRequest(nil, id, method, raw)); err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
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
		return nil, fmt.Errorf("wait for the answer of %s: %w", method, context.Cause(c.ctx))
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Type == "event" {
		e := Event{Name: f.Event, Payload: f.Payload, Seq: f.Seq}
		for s := range c.streams {
			s.put(e)
		}
		return
	}
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
	for s := range c.streams {
		s.finish(err)
	}
}

// Close says goodbye to the gateway and ends the connection. Calls that wait
// fail with ErrClosed, iterators of events end without an error. It may be
// called more than once.
func (c *Conn) Close() error {
	c.mu.Lock()
	open := c.ended == nil
	if open {
		c.ended = ErrClosed
		for s := range c.streams {
			s.finish(nil)
		}
	}
	c.mu.Unlock()
	if open {
		_ = c.ws.Close(websocket.StatusNormalClosure, "") // the reader takes the answer
		c.stop(ErrClosed)
	}
	c.reader.Wait()
	return nil
}

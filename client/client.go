package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// Client is a connection to a gateway that comes back when it is lost. Make one
// with Connect. See the package's documentation for what is promised then.
type Client struct {
	// Static after construction.
	address string
	o       Options
	ctx     context.Context // ends with the Client
	stop    context.CancelCauseFunc

	events fan
	keeper sync.WaitGroup

	mu      sync.Mutex // guards what follows
	hello   *Hello     // of the last connection
	conn    *Conn      // nil while there is none that calls may use
	changed chan struct{}
	ended   error // why there will be no connection any more

	subscribed subscriptions
}

// Connect connects like Dial and keeps the connection until Close. The first
// connection must come about at once: its failure is the error. The context is
// for that only.
func Connect(ctx context.Context, address string, o Options) (*Client, error) {
	c := &Client{address: address, o: o.withDefaults(), changed: make(chan struct{})}
	ws, hello, err := dial(ctx, address, c.o)
	if err != nil {
		return nil, err
	}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	c.hello, c.conn = hello, newConn(ws, hello, c.events.put)
	conn := c.conn
	c.keeper.Go(func() { c.keep(conn) })
	return c, nil
}

// Hello is what the gateway said when the last connection began.
func (c *Client) Hello() *Hello {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello
}

// Done is closed when the Client has ended: by Close, or because the gateway
// does not let it in any more.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err is why the Client has ended: ErrClosed after Close; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Call is as that of a Conn, but waits, as long as ctx allows, when there is no
// connection. A call that was sent before its connection was lost is not
// repeated: it fails with ErrLost.
//
// Subscriptions (sessions.subscribe, sessions.messages.subscribe) that succeed
// are renewed after each loss of the connection until they are taken back.
func (c *Client) Call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	raw, err := encode(method, params)
	if err != nil {
		return nil, err
	}
	settle := c.subscribed.begin(method, raw)
	payload, err := c.send(ctx, method, raw)
	settle(payload, err)
	return payload, err
}

// send makes the call on the first connection that takes it.
func (c *Client) send(ctx context.Context, method string, params rawjson.Value) (json.RawMessage, error) {
	var spent *Conn // it took no call any more
	for {
		conn, err := c.await(ctx, spent)
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", method, err)
		}
		payload, err := conn.call(ctx, method, params)
		if _, again := errors.AsType[unsent](err); !again {
			return payload, err
		}
		spent = conn
	}
}

// await is the connection, once there is one that is not spent.
func (c *Client) await(ctx context.Context, spent *Conn) (*Conn, error) {
	for {
		c.mu.Lock()
		conn, ended, changed := c.conn, c.ended, c.changed
		c.mu.Unlock()
		if ended != nil {
			return nil, ended
		}
		if conn != nil && conn != spent {
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("there is no connection: %w", context.Cause(ctx))
		}
	}
}

// Events is as that of a Conn, but the loop goes on over lost connections: it
// gets Disconnected and Reconnected then. It ends with an error when the
// gateway does not let the Client in again.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] { return c.events.events(ctx) }

// Close ends the connection for good and waits for the goroutines of the
// Client. Calls that wait fail with ErrClosed, iterators of events end without
// an error. It may be called more than once.
func (c *Client) Close() error {
	c.finish(ErrClosed)
	c.keeper.Wait()
	return nil
}

// finish makes err the reason for which the Client has ended, unless there is
// one already.
func (c *Client) finish(err error) {
	c.mu.Lock()
	if c.ended == nil {
		c.ended = err
		c.announce()
	}
	c.mu.Unlock()
	c.events.finish(err)
	c.stop(err)
}

// announce wakes those who wait for a change. The caller holds mu.
func (c *Client) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// keep sees to it that there is a connection until the Client ends.
func (c *Client) keep(conn *Conn) {
	for attempt := 0; ; {
		since := time.Now()
		select {
		case <-conn.Done():
		case <-c.ctx.Done():
			_ = conn.Close() // always nil
			return
		}
		_ = conn.Close() // its reader may just be ending
		if time.Since(since) > c.o.Backoff.Max {
			attempt = 0
		}
		gap := Gap{Since: time.Now(), Reason: conn.Err()}
		c.use(nil)
		c.events.put(Event{Name: Disconnected, Gap: &Gap{Since: gap.Since, Reason: gap.Reason}})
		var err error
		if conn, err = c.regain(&attempt, gap); err != nil {
			c.finish(err)
			return
		}
	}
}

// use makes conn the connection for calls.
func (c *Client) use(conn *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	c.announce()
}

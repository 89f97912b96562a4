package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// renewLimit is how long the renewal of the subscriptions may take.
const renewLimit = 30 * time.Second

// regain tries to get a connection until there is one, with its subscriptions,
// or there will be none. attempt counts the tries since a connection lasted.
func (c *Client) regain(attempt *int, gap Gap) (*Conn, error) {
	var last error
	for tries := 1; ; tries++ {
		if *attempt++; c.o.Backoff.Attempts > 0 && tries > c.o.Backoff.Attempts {
			return nil, fmt.Errorf("the connection was lost (%w), and %d tries to get it back failed: %w", gap.Reason, tries-1, last)
		}
		if err := c.pause(c.o.Backoff.pause(*attempt), last); err != nil {
			return nil, err
		}
		gap.Attempts = tries
		conn, err := c.redial(gap)
		if err == nil {
			return conn, nil
		}
		if c.ctx.Err() != nil {
			return nil, context.Cause(c.ctx)
		}
		if final(err) {
			return nil, err
		}
		last = err
	}
}

// pause waits for d, or longer if a refusal says so.
func (c *Client) pause(d time.Duration, refusal error) error {
	if e, ok := errors.AsType[*Error](refusal); ok {
		d = max(d, e.RetryAfter())
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// final reports whether the gateway has refused for good. A wrong token stays
// wrong; a gateway that has just no room will have some.
func final(err error) bool {
	e, refused := errors.AsType[*Error](err)
	return refused && e.Code != Unavailable && !e.Retryable && e.RetryAfterMs == 0
}

// redial makes a connection, tells of it, renews the subscriptions and lets
// calls through, in this order.
func (c *Client) redial(gap Gap) (*Conn, error) {
	ws, hello, err := dial(c.ctx, c.address, c.o)
	if err != nil {
		return nil, err
	}
	gap.Until = time.Now()
	c.mu.Lock()
	c.hello = hello
	c.mu.Unlock()
	c.events.put(Event{Name: Reconnected, Gap: &gap}) // nobody reads from the connection yet
	conn := newConn(ws, hello, c.events.put)
	if err := c.renew(conn); err != nil {
		_ = conn.Close() // always nil
		c.events.put(Event{Name: Disconnected, Gap: &Gap{Since: time.Now(), Reason: err}})
		return nil, err
	}
	c.use(conn)
	return conn, nil
}

// renew subscribes again to all that was subscribed to.
func (c *Client) renew(conn *Conn) error {
	ctx, cancel := context.WithTimeout(c.ctx, renewLimit)
	defer cancel()
	for _, s := range c.subscribed.list() {
		if _, err := conn.Call(ctx, s.method, s.params); err != nil {
			return fmt.Errorf("renew the subscription %s: %w", s.method, err)
		}
	}
	return nil
}

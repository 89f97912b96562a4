package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// corkedConn is a connection whose writer may hold small writes back and let
// them go as one: a fan-out that queued twenty frames costs one system call.
type corkedConn struct {
	net.Conn
	stranger *strangerConn // what it counts as
	closed   func()        // called by Close

	mu   sync.Mutex // guards all below, and orders writes
	held bool
	buf  []byte
}

// corkLimit is how much is held back at most.
const corkLimit = 64 << 10

// Write passes b on, or keeps it while writes are held.
func (c *corkedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		return c.Conn.Write(b)
	}
	if len(c.buf)+len(b) > corkLimit {
		if err := c.flush(); err != nil {
			return 0, err
		}
		if len(b) > corkLimit {
			return c.Conn.Write(b)
		}
	}
	c.buf = append(c.buf, b...)
	return len(b), nil
}

func (c *corkedConn) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// hold keeps writes back until release.
func (c *corkedConn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

// release writes what was held back. An error shows again at the next write.
func (c *corkedConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	err := c.flush()
	if cap(c.buf) > corkLimit/4 {
		c.buf = nil // an idle connection keeps no large buffer
	}
	return err
}

// Close closes the connection.
func (c *corkedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// cut ends the connection without a word. Unlike Close it never blocks: TLS would
// say goodbye first.
func (c *corkedConn) cut() {
	raw := c.Conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.Close() // whoever reads or writes learns of it
}

type corkKey struct{}

// withCork lets the HTTP handler find the corkedConn of its request.
func withCork(ctx context.Context, c net.Conn) context.Context {
	if cc, ok := c.(*corkedConn); ok {
		return context.WithValue(ctx, corkKey{}, cc)
	}
	return ctx
}

func corkOf(r *http.Request) *corkedConn {
	c, _ := r.Context().Value(corkKey{}).(*corkedConn)
	return c
}

// strangerOf is what the connection of a request counts as, nil where the
// listener is not ours.
func strangerOf(r *http.Request) *strangerConn {
	if c := corkOf(r); c != nil {
		return c.stranger
	}
	return nil
}

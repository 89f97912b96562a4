package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
)

// doorConn is a connection that came in through our listener. What is written to
// it is written whole: nothing comes between the parts of a message, also when a
// try could not write all of it.
type doorConn struct {
	net.Conn
	stranger *strangerConn   // what it counts as
	closed   func()          // called by Close
	raw      syscall.RawConn // nil where writing cannot be tried

	mu   sync.Mutex // guards all below, and orders writes
	rest []byte     // what a try left, written before anything else
	attempt
}

// newDoorConn makes a doorConn of a connection. Writing can be tried where that
// is a socket of a system that is able to, and not behind TLS.
func newDoorConn(c net.Conn) *doorConn {
	d := &doorConn{Conn: c, closed: func() {}}
	if s, ok := c.(syscall.Conn); ok && canTry {
		if raw, err := s.SyscallConn(); err == nil {
			d.raw, d.attempt.write = raw, d.attempt.once
		}
	}
	return d
}

// Write writes b, behind what a try has left. An empty b writes that alone.
func (d *doorConn) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if rest := d.rest; len(rest) > 0 {
		d.rest = nil
		if _, err := d.Conn.Write(rest); err != nil {
			return 0, err
		}
	}
	if len(b) == 0 {
		return 0, nil
	}
	return d.Conn.Write(b)
}

// try writes what the socket takes of b without waiting. It reports whether that
// was all; else the rest goes with the next Write, and b must stay as it is
// until then.
func (d *doorConn) try(b []byte) (all bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rest) > 0 { // the order stays
		d.rest = append(slices.Clip(d.rest), b...)
		return false, nil
	}
	n, err := d.attempt.of(d.raw, b)
	if err != nil {
		return false, err
	}
	d.rest = b[n:]
	return n == len(b), nil
}

// canTryNow reports whether try may be used.
func (d *doorConn) canTryNow() bool { return d.raw != nil }

// Close closes the connection.
func (d *doorConn) Close() error {
	d.closed()
	return d.Conn.Close()
}

// cut ends the connection without a word. Unlike Close it never blocks: TLS would
// say goodbye first.
func (d *doorConn) cut() {
	raw := d.Conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.Close() // whoever reads or writes learns of it
}

type doorKey struct{}

// withDoor lets the HTTP handler find the doorConn of its request.
func withDoor(ctx context.Context, c net.Conn) context.Context {
	if d, ok := c.(*doorConn); ok {
		return context.WithValue(ctx, doorKey{}, d)
	}
	return ctx
}

// requestDoor is the connection of a request, nil where the listener is not ours.
func requestDoor(r *http.Request) *doorConn {
	d, _ := r.Context().Value(doorKey{}).(*doorConn)
	return d
}

// strangerOf is what the connection of a request counts as, nil where the
// listener is not ours.
func strangerOf(r *http.Request) *strangerConn {
	if d := requestDoor(r); d != nil {
		return d.stranger
	}
	return nil
}

package gatewaytest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Listener is a net.Listener in memory. Its connections have no buffer: who
// writes waits until the other end reads, so that a slow consumer is one from
// the first byte. It works inside a synctest bubble.
type Listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewListener makes a listener that is closed when the test ends.
func NewListener(t testing.TB) *Listener {
	l := &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
	t.Cleanup(func() { l.Close() })
	return l
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. Connections made before stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is the address that the listener claims.
func (l *Listener) Addr() net.Addr { return tcpAddr(netip.MustParseAddrPort("127.0.0.1:18789")) }

// Dial opens a connection that the accepting side sees coming from peer.
func (l *Listener) Dial(ctx context.Context, peer netip.AddrPort) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- addressed{theirs, l.Addr(), tcpAddr(peer)}:
		return addressed{ours, tcpAddr(peer), l.Addr()}, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// addressed is a connection with the addresses that it claims.
type addressed struct {
	net.Conn
	local, remote net.Addr
}

func (a addressed) LocalAddr() net.Addr  { return a.local }
func (a addressed) RemoteAddr() net.Addr { return a.remote }

func tcpAddr(a netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(a) }

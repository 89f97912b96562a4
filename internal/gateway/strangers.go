package gateway

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
)

// strangerPatience is how long a connection is not closed for the sake of others
// from its address: after a restart all clients of an office, or behind a proxy
// on this machine, come at once, and each needs a moment to speak.
const strangerPatience = time.Second

// strangerConn is an open connection whose client has not shown that it may be here:
// no secret was right, no handshake has succeeded.
type strangerConn struct {
	// from is the client's address, invalid when it is unknown.
	from netip.Addr
	// shared: from tells nothing, because it is that of a proxy whose clients are
	// not known before they ask for something.
	shared bool
	since  time.Time
	cut    func() // ends the connection at once; it must not block

	// Guarded by the mutex of strangers.
	asking bool // a request of it is being looked at
}

// strangers are the connections of all strangers, from the moment they are
// accepted. They cost the other side nothing and us a socket each; so they are
// few. Where one too many comes, the oldest goes: a newcomer who means it speaks
// at once. All methods are safe for concurrent use and take nil for a connection
// that is not counted.
type strangers struct {
	mu    sync.Mutex // guards limit, list and what is in it
	limit config.Strangers
	list  []*strangerConn
}

// setLimit says how many may be there from now on.
func (s *strangers) setLimit(l config.Strangers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = l
}

// enter takes in a connection, or, when it is there, takes it for a new one from
// another address. It returns the one that had to make room, which is for the
// caller to cut; nil when there was room.
func (s *strangers) enter(c *strangerConn, from netip.Addr, shared bool) (gone *strangerConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(other *strangerConn) bool { return other == c })
	c.from, c.shared, c.since = from, shared, time.Now()
	s.list = append(s.list, c)
	i := s.neighbour(c)
	if i < 0 && len(s.list) > s.limit.InAll {
		i = s.oldest()
	}
	if i < 0 {
		return nil
	}
	gone = s.list[i]
	s.list = slices.Delete(s.list, i, i+1)
	return gone
}

// neighbour is the place of the connection that has to go because there are too
// many of one address, -1 for none. One that is being answered does not.
func (s *strangers) neighbour(c *strangerConn) int {
	if c.shared {
		return -1
	}
	n, oldest := 0, -1
	for i, other := range s.list {
		if other.shared || other.from != c.from {
			continue
		}
		if n++; oldest < 0 && !other.asking {
			oldest = i
		}
	}
	if n <= s.limit.PerAddress || oldest < 0 || time.Since(s.list[oldest].since) < strangerPatience {
		return -1
	}
	return oldest
}

// oldest is the place of the connection that has to go because there are too
// many in all: the first that waits for nothing, or just the first.
func (s *strangers) oldest() int {
	return max(0, slices.IndexFunc(s.list[:len(s.list)-1], func(other *strangerConn) bool { return !other.asking }))
}

// asks tells whether a request of the connection is being looked at.
func (s *strangers) asks(c *strangerConn, asking bool) {
	if c == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.asking = asking
}

// leave forgets a connection that has ended, or whose client is none any more.
// It is idempotent.
func (s *strangers) leave(c *strangerConn) {
	if c == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(other *strangerConn) bool { return other == c })
}

// meet counts a connection among the strangers, and cuts the one that has to
// make room.
func (g *Gateway) meet(c *strangerConn, from netip.Addr, shared bool) {
	if gone := g.strangers.enter(c, from, shared); gone != nil {
		g.edge.one(edgeCrowded, "")
		g.log.Debug("cut a connection of a stranger: too many are open", "peer", gone.from)
		gone.cut()
	}
}

// accepted counts a connection that has just been accepted.
func (g *Gateway) accepted(c *doorConn) {
	c.stranger = &strangerConn{cut: c.cut}
	peer, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // invalid for in-memory listeners: the address is unknown then
	place := g.gate.Place(peer.Addr(), "", nil)
	g.meet(c.stranger, place.Peer, place.TrustedPeer)
}

// doorListener makes each accepted connection a doorConn that is counted among
// the strangers.
type doorListener struct {
	net.Listener
	g *Gateway
}

func (l doorListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d := newDoorConn(c)
	d.closed = func() { l.g.strangers.leave(d.stranger) }
	l.g.accepted(d)
	return d, nil
}

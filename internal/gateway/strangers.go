package gateway

import (
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

// strangers are the connections that have not sent their first frame. They
// cost a stranger nothing and us a socket each, for as long as a handshake may
// take; so they are few. Where one too many comes, the oldest goes: a newcomer
// who means it speaks at once. All methods are safe for concurrent use.
type strangers struct {
	limit config.Strangers // of how many may be there

	mu   sync.Mutex // guards list
	list []*conn    // in order of arrival
}

// enter takes in a connection. It returns the one that has to make room, nil
// when there was room.
func (s *strangers) enter(c *conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, oldest := 0, -1
	for i, other := range s.list {
		if other.from == c.from {
			if n++; oldest < 0 {
				oldest = i
			}
		}
	}
	s.list = append(s.list, c)
	switch {
	case n >= s.limit.PerAddress && time.Since(s.list[oldest].opened) >= strangerPatience:
	case len(s.list) > s.limit.InAll:
		oldest = 0
	default:
		return nil
	}
	gone := s.list[oldest]
	s.list = slices.Delete(s.list, oldest, oldest+1)
	return gone
}

// leave forgets a connection that has spoken or ended. It is idempotent.
func (s *strangers) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(other *conn) bool { return other == c })
}

// meet counts a new connection among the strangers, and drops the one that has
// to make room.
func (g *Gateway) meet(c *conn, from netip.Addr) {
	c.from = from
	if gone := g.strangers.enter(c); gone != nil {
		g.edge.one(edgeCrowded, "")
		g.log.Debug("dropped a connection that said nothing: too many are open", "conn", gone.id, "peer", gone.peer)
		gone.out.drop()
	}
}

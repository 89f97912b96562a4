package gateway

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/config"
)

func strangerFrom(id, address string) *conn {
	return &conn{id: id, from: netip.MustParseAddr(address)}
}

func TestStrangersPerAddress(t *testing.T) {
	s := strangers{limit: config.Strangers{PerAddress: 4, InAll: 50}}
	other := strangerFrom("other", "192.0.2.9")
	s.enter(other)
	var all []*conn
	for range s.limit.PerAddress {
		c := strangerFrom("c", "192.0.2.1")
		all = append(all, c)
		if gone := s.enter(c); gone != nil {
			t.Fatalf("%d connections: one was closed", len(all))
		}
	}
	s.leave(all[0]) // it spoke
	if gone := s.enter(all[0]); gone != nil {
		t.Error("a connection was closed though another had made room")
	}
	if gone := s.enter(strangerFrom("late", "192.0.2.1")); gone != all[1] {
		t.Errorf("%v was closed, want the oldest of the address", gone)
	}
	if gone := s.enter(strangerFrom("far", "192.0.2.2")); gone != nil {
		t.Error("a connection from another address made one close")
	}
}

// TestStrangersMayComeAtOnce: clients that come back after a restart share an
// address more often than not.
func TestStrangersMayComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := strangers{limit: config.Strangers{PerAddress: 4, InAll: 50}}
		var all []*conn
		come := func() *conn {
			c := strangerFrom("c", "192.0.2.1")
			c.opened = time.Now()
			all = append(all, c)
			return s.enter(c)
		}
		for range 10 * s.limit.PerAddress {
			if gone := come(); gone != nil {
				t.Fatalf("%d connections at once: one was closed", len(all))
			}
		}
		time.Sleep(strangerPatience)
		if gone := come(); gone != all[0] {
			t.Error("the oldest stayed though it had time to speak")
		}
	})
}

func TestStrangersInAll(t *testing.T) {
	s := strangers{limit: config.Strangers{PerAddress: 4, InAll: 50}}
	a := netip.MustParseAddr("192.0.2.0")
	first := &conn{from: a}
	s.enter(first)
	for range s.limit.InAll - 1 {
		a = a.Next()
		if gone := s.enter(&conn{from: a}); gone != nil {
			t.Fatal("a connection was closed below the limit")
		}
	}
	if gone := s.enter(&conn{from: a.Next()}); gone != first {
		t.Error("the oldest connection stayed")
	}
	if got := len(s.list); got != s.limit.InAll {
		t.Errorf("%d are kept, want %d", got, s.limit.InAll)
	}
}

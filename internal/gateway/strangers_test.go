package gateway

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/config"
)

// lot is strangers with small limits in a test, all in one bubble of fake time.
type lot struct {
	strangers
	all []*strangerConn
}

func newLot() *lot {
	return &lot{strangers: strangers{limit: config.Strangers{PerAddress: 4, InAll: 50}}}
}

// come lets another connection come from an address; it returns it and the one
// that had to go.
func (l *lot) come(address string) (c, gone *strangerConn) {
	c = &strangerConn{}
	l.all = append(l.all, c)
	return c, l.enter(c, netip.MustParseAddr(address), false)
}

func TestStrangersPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLot()
		l.come("192.0.2.9")
		for i := range l.limit.PerAddress {
			if _, gone := l.come("192.0.2.1"); gone != nil {
				t.Fatalf("connection %d: one was cut", i+1)
			}
			time.Sleep(strangerPatience)
		}
		l.leave(l.all[1]) // let in
		if _, gone := l.come("192.0.2.1"); gone != nil {
			t.Error("a connection was cut though another had made room")
		}
		l.asks(l.all[2], true)
		if _, gone := l.come("192.0.2.1"); gone != l.all[3] {
			t.Errorf("%v was cut, want the oldest of the address that is not being answered", gone)
		}
		if _, gone := l.come("192.0.2.2"); gone != nil {
			t.Error("a connection from another address made one go")
		}
	})
}

// TestStrangersMayComeAtOnce: clients that come back after a restart share an
// address more often than not.
func TestStrangersMayComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLot()
		for range 10 * l.limit.PerAddress {
			if _, gone := l.come("192.0.2.1"); gone != nil {
				t.Fatalf("%d connections at once: one was cut", len(l.all))
			}
		}
		time.Sleep(strangerPatience)
		if _, gone := l.come("192.0.2.1"); gone != l.all[0] {
			t.Error("the oldest stayed though it had time to speak")
		}
	})
}

// TestStrangersBehindAProxy: what a proxy of ours keeps open is not the fault of
// any client; a client that has shown its address counts like others.
func TestStrangersBehindAProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLot()
		proxy := netip.MustParseAddr("10.0.0.1")
		for range 3 * l.limit.PerAddress {
			c := &strangerConn{}
			if gone := l.enter(c, proxy, true); gone != nil {
				t.Fatal("a connection of the proxy was cut")
			}
			l.all = append(l.all, c)
			time.Sleep(strangerPatience)
		}
		for i := range l.limit.PerAddress + 1 { // they turn out to be of one client
			gone := l.enter(l.all[i], netip.MustParseAddr("192.0.2.1"), false)
			if want := i == l.limit.PerAddress; (gone == l.all[0]) != want {
				t.Errorf("connection %d of the client: %v was cut", i+1, gone)
			}
			time.Sleep(strangerPatience)
		}
	})
}

func TestStrangersInAll(t *testing.T) {
	l := newLot()
	a := netip.MustParseAddr("192.0.2.0")
	for range l.limit.InAll {
		if _, gone := l.come(a.String()); gone != nil {
			t.Fatal("a connection was cut below the limit")
		}
		a = a.Next()
	}
	l.asks(l.all[0], true)
	if _, gone := l.come(a.Next().String()); gone != l.all[1] {
		t.Error("the oldest that is not being answered stayed")
	}
	if got := len(l.list); got != l.limit.InAll {
		t.Errorf("%d are kept, want %d", got, l.limit.InAll)
	}
	for _, c := range l.list {
		l.asks(c, true)
	}
	if newest, gone := l.come("192.0.2.1"); gone != l.all[0] || gone == newest {
		t.Error("where all are being answered the oldest stayed")
	}
}

package gateway

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// A call that has its place and waits for the disk holds up nobody, whatever time
// passes; of a connection only so many calls do.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &conn{in: newInbox(1 << 20), out: newOutbox(1 << 20), role: protocol.RoleOperator, blocking: make(chan struct{}, 2)}
		var lent int
		c.lend = func() {
			if ok, _ := c.in.lend(func() {}); ok {
				lent++
			}
		}
		release := make(chan struct{})
		wait := func(_ *Gateway, _ context.Context, cl *call, _ rawjson.Value) (any, error) {
			cl.Yield()
			cl.Yield() // once is enough
			<-release
			return nil, nil
		}
		g := &Gateway{methods: map[string]*method{}}
		turns := 0
		take := func() {
			tn := new(turn)
			if mine, _ := c.in.put(t.Context(), tn, message{}, notHeld); !mine {
				return // it waits in order
			}
			turns++
			go func() {
				g.serve(t.Context(), &call{conn: c, meter: g.unmetered}, &method{name: "x", serve: wait}, nil)
				c.in.end(tn)
			}()
			synctest.Wait()
		}
		for range 4 {
			take()
		}
		if turns != 3 || lent != 2 {
			t.Errorf("%d calls go on and reading was lent %d times; want 3 (the last one in order) and 2", turns, lent)
		}
		close(release)
		synctest.Wait()
		if n := len(c.blocking); n != 0 {
			t.Errorf("%d calls still count as blocking", n)
		}
	})
}

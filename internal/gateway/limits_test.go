package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestInboxCountsWhatSmallMessagesCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox(10_000)
		ctx, cancel := context.WithCancel(t.Context())
		first := new(turn)
		if mine, ok := b.put(ctx, first, message{}, notHeld); !mine || !ok {
			t.Error("the first message is not its reader's to handle")
		}
		b.lend(func() {})
		n := 0
		go func() {
			for {
				if _, ok := b.put(ctx, new(turn), message{text: []byte{}}, notHeld); !ok {
					return
				}
				n++
			}
		}()
		synctest.Wait()
		if n == 0 || n > 1000 {
			t.Errorf("%d empty messages were taken in, want some, not any number", n)
		}
		before := n
		b.next(first)
		synctest.Wait()
		if n != before+1 {
			t.Errorf("%d were taken in for one that was handled, want 1", n-before)
		}
		cancel()
	})
}

func notHeld() bool { return false }

func TestOutboxMakesMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(10)
		o.answer(make([]byte, 11))
		waited := func() chan struct{} {
			done := make(chan struct{})
			go func() { o.waitForRoom(); close(done) }()
			synctest.Wait()
			return done
		}
		over := func(c chan struct{}) bool {
			select {
			case <-c:
				return true
			default:
				return false
			}
		}
		w := waited()
		if over(w) {
			t.Error("did not wait though too much waits to be written")
		}
		o.written(1)
		<-w
		if !over(waited()) {
			t.Error("waits though there is room")
		}
		o.answer(make([]byte, 11))
		w = waited()
		o.drop()
		<-w
	})
}

func TestOutboxPongs(t *testing.T) {
	o := newOutbox(10)
	pongs := func() [][]byte { b, _ := o.take(); return b.pongs }
	payload := []byte("0")
	for i := range byte(maxPongs + 2) {
		payload[0] = 'a' + i // the library reuses its buffer
		o.pong(payload)
	}
	got := pongs()
	if len(got) != maxPongs || string(got[0]) != "c" {
		t.Errorf("%q are answered, want the newest %d", got, maxPongs)
	}
	o.drop()
	o.pong(payload)
	if got := pongs(); got != nil {
		t.Errorf("%q are answered after the end", got)
	}
}

// TestBlockingCallsAreBounded: a client that pipelines must not get a
// goroutine for each call.
func TestBlockingCallsAreBounded(t *testing.T) {
	g := gatewayOf(t, `{}`)
	for name, want := range map[string]int{"work": blockingLimit, "wait": waitingLimit} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := cli(1).arrive()
			c.role, c.scopes = protocol.RoleOperator, protocol.NewScopeSet(allScopes...)
			c.blocking, c.waiting = make(chan struct{}, blockingLimit), make(chan struct{}, waitingLimit)
			release := make(chan struct{})
			hold := func(*Gateway, context.Context, *call, rawjson.Value) (any, error) {
				<-release
				return nil, nil
			}
			table := map[string]*method{"work": {name: "work", flags: blocking, serve: hold}, "wait": {name: "wait", flags: abandoned, serve: hold}}
			door := &Gateway{log: g.log, validator: g.validator, methods: table, hub: hub.New()}
			handled := 0
			go func() {
				for range want + 10 {
					door.dispatchFrame(t.Context(), c, []byte(`{"type":"req","id":"1","method":"`+name+`"}`))
					handled++
				}
			}()
			synctest.Wait()
			if handled != want {
				t.Errorf("%s: %d calls are under way, want %d", name, handled, want)
			}
			close(release)
			synctest.Wait()
			if handled != want+10 {
				t.Errorf("%s: %d calls were handled in the end, want %d", name, handled, want+10)
			}
			c.calls.Wait()
		})
	}
}

func TestPatience(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": handshakeTimeout, "x": handshakeTimeout, "0": handshakeTimeout, "-5": handshakeTimeout, "NaN": handshakeTimeout, "1e99": handshakeTimeout,
		"700": 700 * time.Millisecond, " 1.5e3 ": 1500 * time.Millisecond, "60000": time.Minute,
	} {
		if got := patience(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

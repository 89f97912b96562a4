package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/rawjson"
)

// visit is one connection as the stand-in for a gateway sees it.
type visit struct {
	n  int // which one, from 1
	ws *websocket.Conn
}

func (v visit) send(format string, args ...any) {
	_ = v.ws.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, format, args...)) // the client may have left
}

// asked is a request.
type asked struct {
	ID     rawjson.Value `json:"id"`
	Method string        `json:"method"`
	Params rawjson.Value `json:"params"`
}

func (v visit) receive() (r asked, ok bool) {
	_, text, err := v.ws.Read(context.Background())
	return r, err == nil && rawjson.Unmarshal(text, &r) == nil
}

// enter lets the client in.
func (v visit) enter() {
	v.receive()
	v.send(`{"type":"res","id":"connect","ok":true,"payload":{"server":{"connId":"c%d"}}}`, v.n)
}

// refuse answers connect with an error.
func (v visit) refuse(code Code, rest string) {
	v.receive()
	v.send(`{"type":"res","id":"connect","ok":false,"error":{"code":%q,"message":"refused"%s}}`, code, rest)
}

// standIn serves play for every visit inside a bubble and returns options with
// which to reach it. It ends when the returned function is called.
func standIn(t *testing.T, play func(visit)) (o Options, end func()) {
	t.Helper()
	p := pipes{make(chan net.Conn)}
	var mu sync.Mutex
	n := 0
	var open sync.WaitGroup
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		mu.Lock()
		n++
		v := visit{n, ws}
		mu.Unlock()
		v.send(`{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}`)
		play(v)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(p) })
	transport := &http.Transport{DialContext: p.dial}
	return Options{HTTP: &http.Client{Transport: transport}}, func() {
		_ = srv.Close()
		open.Wait()
		serving.Wait()
		transport.CloseIdleConnections()
	}
}

// take is the next event of the loop that next comes from.
func take(t *testing.T, next func() (Event, error, bool)) Event {
	t.Helper()
	e, err, ok := next()
	if err != nil || !ok {
		t.Fatalf("the events ended: %v, %v", err, ok)
	}
	return e
}

// A client that comes back must not miss what happens from then on: whatever it
// reads when it sees Reconnected stands behind its subscriptions.
func TestClientComesBackWithItsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		heard := map[int][]string{}
		o, end := standIn(t, func(v visit) {
			v.enter()
			if v.n > 1 {
				v.send(`{"type":"event","event":"health","payload":{"early":%d}}`, v.n)
			}
			for {
				r, ok := v.receive()
				if !ok {
					return
				}
				mu.Lock()
				heard[v.n] = append(heard[v.n], strings.TrimSpace(r.Method+" "+string(r.Params)))
				mu.Unlock()
				key := ""
				if strings.HasPrefix(r.Method, "sessions.messages.") {
					key = `"key":"agent:main:` + strings.TrimPrefix(keyIn(r.Params), "agent:main:") + `"`
				}
				v.send(`{"type":"res","id":%s,"ok":true,"payload":{%s}}`, r.ID, key)
				if r.Method == "go" {
					_ = v.ws.Close(websocket.StatusServiceRestart, "service restart")
					return
				}
			}
		})
		defer end()
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx := t.Context()
		next, stop := iter.Pull2(c.Events(ctx))
		defer stop()
		call := func(method string, params any) {
			t.Helper()
			if _, err := c.Call(ctx, method, params); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
		}
		call("sessions.subscribe", nil)
		call("sessions.messages.subscribe", SessionKey{"one"})
		call("sessions.messages.subscribe", SessionKey{"two"})
		call("sessions.messages.subscribe", SessionKey{"agent:main:one"})
		call("sessions.messages.unsubscribe", SessionKey{"two"})
		start := time.Now()
		call("go", nil)

		lost := take(t, next)
		if lost.Name != Disconnected || lost.Gap == nil || !strings.Contains(lost.Gap.Reason.Error(), "service restart") || !lost.Gap.Until.IsZero() {
			t.Errorf("first came %+v", lost)
		}
		back := take(t, next)
		pause := time.Since(start)
		if back.Name != Reconnected || back.Gap == nil || back.Gap.Attempts != 1 || back.Gap.Until.Sub(back.Gap.Since) != pause {
			t.Errorf("then came %+v after %s", back, pause)
		}
		if pause < 250*time.Millisecond || pause > 500*time.Millisecond {
			t.Errorf("it came back after %s", pause)
		}
		call("read", nil) // as a caller does to catch up
		if early := take(t, next); early.Name != "health" {
			t.Errorf("the first event of the new connection came as %+v", early)
		}
		if got := c.Hello().Server.ConnID; got != "c2" {
			t.Errorf("hello is that of %s", got)
		}
		mu.Lock()
		defer mu.Unlock()
		want := []string{"sessions.subscribe", `sessions.messages.subscribe {"key":"agent:main:one"}`, "read"}
		if !slices.Equal(heard[2], want) {
			t.Errorf("the second connection was asked %q, want %q", heard[2], want)
		}
	})
}

func TestCallsOfALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, end := standIn(t, func(v visit) {
			v.enter()
			for {
				r, ok := v.receive()
				if !ok || r.Method == "vanish" {
					return
				}
				v.send(`{"type":"res","id":%s,"ok":true,"payload":{"n":%d}}`, r.ID, v.n)
			}
		})
		defer end()
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Call(t.Context(), "vanish", nil); !errors.Is(err, ErrLost) || errors.Is(err, ErrClosed) {
			t.Errorf("a call in the air: %v, want an ErrLost", err)
		}
		// There is no connection now: who has no time is told so, who has waits.
		short, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("no time"))
		defer cancel()
		if _, err := c.Call(short, "read", nil); err == nil || err.Error() != "call read: there is no connection: no time" {
			t.Errorf("a short call got %v", err)
		}
		if got, err := c.Call(t.Context(), "read", nil); err != nil || string(got) != `{"n":2}` {
			t.Errorf("a patient call got %s, %v", got, err)
		}
	})
}

// Pauses grow, a busy gateway is asked again no earlier than it says, and one
// that refuses for good is left alone.
func TestClientGivesUpWhenItIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		o, end := standIn(t, func(v visit) {
			at = append(at, time.Since(start))
			switch v.n {
			case 1:
				v.enter()
			case 2, 3:
				v.refuse(Unavailable, "")
			case 4:
				v.refuse(InvalidRequest, `,"retryable":true,"retryAfterMs":60000`)
			default:
				v.refuse(NotPaired, "")
			}
		})
		defer end()
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var last error
		for _, last = range c.Events(t.Context()) {
		}
		e, ok := errors.AsType[*Error](last)
		if !ok || e.Code != NotPaired {
			t.Errorf("the events ended with %v", last)
		}
		<-c.Done()
		if _, err := c.Call(t.Context(), "read", nil); !errors.As(err, &e) || !errors.As(c.Err(), &e) {
			t.Errorf("a call afterwards: %v; the reason: %v", err, c.Err())
		}
		least := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Minute}
		for i := 1; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause < least[i-1] || pause > 2*least[i-1] {
				t.Errorf("try %d came after %s, want %s or a little more", i, pause, least[i-1])
			}
		}
		if len(at) != 5 {
			t.Errorf("it came %d times", len(at))
		}
	})
}

func TestClientGivesUpAfterItsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, end := standIn(t, func(v visit) {
			if v.n == 1 {
				v.enter()
			}
		})
		defer end()
		o.Backoff.Attempts = 3
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "3 tries to get it back failed") {
			t.Errorf("it ended with %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A subscription that is not granted any more must not be lost in silence.
func TestRefusedSubscriptionEndsTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, end := standIn(t, func(v visit) {
			v.enter()
			r, ok := v.receive()
			switch {
			case !ok:
			case v.n == 1:
				v.send(`{"type":"res","id":%s,"ok":true}`, r.ID)
			default:
				v.send(`{"type":"res","id":%s,"ok":false,"error":{"code":"INVALID_REQUEST","message":"missing scope: operator.read"}}`, r.ID)
				v.receive()
			}
		})
		defer end()
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := SessionsSubscribe.Call(t.Context(), c, None{}); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		if err := c.Err(); err == nil || err.Error() != "renew the subscription sessions.subscribe: missing scope: operator.read" {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestCloseWhileThereIsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, end := standIn(t, func(v visit) {
			if v.n == 1 {
				v.enter()
				v.receive()
			}
		})
		defer end()
		c, err := Connect(t.Context(), "ws://gateway", o)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var wg sync.WaitGroup
		events := c.Events(t.Context())
		wg.Go(func() {
			for e, err := range events {
				if err != nil {
					t.Errorf("the loop ended with %v", err)
				}
				names = append(names, e.Name)
			}
		})
		if _, err := c.Call(t.Context(), "leave", nil); !errors.Is(err, ErrLost) {
			t.Error(err)
		}
		synctest.Wait()
		wg.Go(func() {
			if _, err := c.Call(t.Context(), "read", nil); !errors.Is(err, ErrClosed) {
				t.Errorf("a waiting call got %v", err)
			}
		})
		synctest.Wait()
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if !slices.Equal(names, []string{Disconnected}) || !errors.Is(c.Err(), ErrClosed) {
			t.Errorf("events %q, reason %v", names, c.Err())
		}
	})
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	b := Options{}.withDefaults().Backoff
	for n, want := range map[int]time.Duration{1: 500 * time.Millisecond, 2: time.Second, 6: 16 * time.Second, 7: 30 * time.Second, 8: 30 * time.Second, 1000: 30 * time.Second} {
		for range 100 {
			if got := b.pause(n); got < want/2 || got > want {
				t.Errorf("try %d waits %s, want %s at most and half of it at least", n, got, want)
			}
		}
	}
}

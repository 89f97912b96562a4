package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// pipes is a listener whose connections live in memory, so that time can be
// the bubble's.
type pipes struct{ accepted chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.accepted
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { close(p.accepted); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.accepted <- there
	return here, nil
}

// A gateway whose machine has lost its network sends no farewell. Whoever waits
// must hear of it, and as long as there are ticks nobody must.
func TestSilenceEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipes{make(chan net.Conn)}
		srv := &http.Server{Handler: http.HandlerFunc(tickTwice)}
		go func() { _ = srv.Serve(p) }()
		transport := &http.Transport{DialContext: p.dial}
		defer transport.CloseIdleConnections()
		defer srv.Close()
		start := time.Now()
		c, err := Dial(t.Context(), "ws://gateway", Options{HTTP: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		ticks := 0
		for e, err := range c.Events(t.Context()) {
			if err == nil && e.Name == "tick" {
				ticks++
			} else if !errors.Is(err, ErrSilent) {
				t.Errorf("got %v, %v", e, err)
			}
		}
		if got := time.Since(start); ticks != 2 || got != 2*time.Minute+silenceLimit {
			t.Errorf("%d ticks, ended after %s", ticks, got)
		}
		if _, err := c.Call(t.Context(), "health", nil); !errors.Is(err, ErrSilent) {
			t.Errorf("a call afterwards: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// tickTwice is a gateway that ticks each minute, twice, and then hangs until
// the client goes.
func tickTwice(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx := context.Background()
	send := func(text string) { _ = ws.Write(ctx, websocket.MessageText, []byte(text)) }
	send(`{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}`)
	_, _, _ = ws.Read(ctx)
	send(`{"type":"res","id":"connect","ok":true,"payload":{"type":"hello-ok"}}`)
	for range 2 {
		time.Sleep(time.Minute)
		send(`{"type":"event","event":"tick","payload":{"ts":1}}`)
	}
	_, _, _ = ws.Read(ctx)
}

func TestSlowLoopIsTold(t *testing.T) {
	s := newStream()
	big := Event{Name: "x", Payload: []byte(strings.Repeat(" ", streamLimit/2))}
	for range 3 {
		s.put(big)
	}
	if _, ok, err := s.next(); !ok || err != nil {
		t.Errorf("what waits must still come: %v, %v", ok, err)
	}
	if _, ok, err := s.next(); ok || !errors.Is(err, ErrSlow) {
		t.Errorf("at the end: %v, %v, want %v", ok, err, ErrSlow)
	}
	s.finish(ErrClosed)
	if _, _, err := s.next(); !errors.Is(err, ErrSlow) {
		t.Errorf("the first reason counts, not %v", err)
	}
}

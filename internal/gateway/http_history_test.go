package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// follower reads the event stream of a session.
type follower struct {
	t      *testing.T
	lines  *bufio.Reader
	leave  func()
	opened time.Time
}

// follow asks for an event stream over l.
func follow(t *testing.T, l *gatewaytest.Listener, path string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5555"))
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:18789"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret-token")
	req.Header.Set("Accept", "application/json, text/event-stream")
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream; charset=utf-8" {
		t.Fatalf("stream answered %d %s, want 200 text/event-stream; charset=utf-8", res.StatusCode, got)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control is %q, want no-cache", got)
	}
	f := &follower{t: t, lines: bufio.NewReader(res.Body), opened: time.Now(), leave: func() {
		cancel()
		_ = res.Body.Close() // the stream is given up; how it ends is nobody's concern
		transport.CloseIdleConnections()
	}}
	if got := f.block(); got != "retry: 1000" {
		t.Errorf("the stream begins with %q, want retry: 1000", got)
	}
	return f
}

// block is the next block of lines; "" at the end of the stream.
func (f *follower) block() string {
	f.t.Helper()
	var block strings.Builder
	for {
		line, err := f.lines.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF) && line == "" && block.Len() == 0:
			return ""
		case err != nil:
			f.t.Fatalf("read the stream: %v after %q", err, block.String()+line)
		case line == "\n":
			return strings.TrimSuffix(block.String(), "\n")
		}
		block.WriteString(line)
	}
}

// event is the data of the next event, which must have this name.
func (f *follower) event(name string) rawjson.Object {
	f.t.Helper()
	block := f.block()
	data, ok := strings.CutPrefix(block, "event: "+name+"\ndata: ")
	o, err := rawjson.Parse([]byte(data))
	if !ok || err != nil {
		f.t.Fatalf("the stream says %q, want an event %s with JSON", block, name)
	}
	return o
}

// seqs are the numbers of the messages in a history, in order.
func seqs(t *testing.T, page rawjson.Object) string {
	t.Helper()
	items, ok := rawjson.Array(page.Get("items"))
	if !ok {
		t.Fatalf("no items in %s", page.JSON())
	}
	var got []string
	for _, raw := range items {
		message, err := rawjson.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		own, err := rawjson.Parse(message.Get("__openclaw"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(own.Get("seq")))
	}
	return strings.Join(got, " ")
}

// TestHistoryStream: who follows a session over HTTP gets what is there, then
// each new message once, and a sign of life in between.
func TestHistoryStream(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		c := gatewaytest.Connect(t, l, "")
		c.Call("sessions.create", `{"key":"a"}`)
		c.Call("sessions.create", `{"key":"b"}`)
		c.Call("chat.inject", `{"sessionKey":"a","message":"one"}`)
		f := follow(t, l, "/sessions/A/history")
		defer f.leave()
		page := f.event("history")
		if got := page.Text("sessionKey"); got != "agent:main:a" || seqs(t, page) != "1" {
			t.Errorf("history is %s, want message 1 of agent:main:a", page.JSON())
		}
		for _, want := range []time.Duration{15 * time.Second, 30 * time.Second} {
			if got := f.block(); got != ": keepalive" || time.Since(f.opened) != want {
				t.Errorf("after %v the stream says %q, want : keepalive after %v", time.Since(f.opened), got, want)
			}
		}
		c.Call("chat.inject", `{"sessionKey":"b","message":"elsewhere"}`)
		c.Call("chat.inject", `{"sessionKey":"a","message":"two\nlines"}`)
		message := f.event("message")
		var names []string
		for name := range message.All() {
			names = append(names, name)
		}
		if got, want := strings.Join(names, " "), "sessionKey message messageId messageSeq"; got != want {
			t.Errorf("a message event has %s, want %s", got, want)
		}
		if got := string(message.Get("messageSeq")); got != "2" || !strings.Contains(string(message.Get("message")), `two\nlines`) {
			t.Errorf("message event %s, want message 2", message.JSON())
		}
	})
}

// TestHistoryStreamOfAPart: who asked for a part gets the part anew.
func TestHistoryStreamOfAPart(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		c := gatewaytest.Connect(t, l, "")
		c.Call("sessions.create", `{"key":"a"}`)
		for _, text := range []string{"one", "two"} {
			c.Call("chat.inject", `{"sessionKey":"a","message":"`+text+`"}`)
		}
		last, first := follow(t, l, "/sessions/a/history?limit=2"), follow(t, l, "/sessions/a/history?cursor=2")
		defer last.leave()
		defer first.leave()
		for _, want := range []struct{ last, first string }{{"1 2", "1"}, {"2 3", "1"}} {
			if got := seqs(t, last.event("history")); got != want.last {
				t.Errorf("with limit=2 the messages are %s, want %s", got, want.last)
			}
			if got := seqs(t, first.event("history")); got != want.first {
				t.Errorf("with cursor=2 the messages are %s, want %s", got, want.first)
			}
			if want.last == "1 2" {
				c.Call("chat.inject", `{"sessionKey":"a","message":"three"}`)
			}
		}
	})
}

// TestHistoryStreamEnds: a client that leaves holds nothing up, and the
// gateway's end is the stream's end.
func TestHistoryStreamEnds(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, stop func()) {
		c := gatewaytest.Connect(t, l, "")
		c.Call("sessions.create", `{"key":"a"}`)
		gone, stays := follow(t, l, "/sessions/a/history"), follow(t, l, "/sessions/a/history")
		defer stays.leave()
		gone.event("history")
		stays.event("history")
		gone.leave()
		c.Call("chat.inject", `{"sessionKey":"a","message":"one"}`)
		stays.event("message")
		synctest.Wait()
		began := time.Now()
		var stopped sync.WaitGroup
		stopped.Go(stop) // the stream's last bytes need a reader
		if got := stays.block(); got != "" {
			t.Errorf("after the shutdown the stream says %q, want its end", got)
		}
		stopped.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the shutdown took %v with a stream open, want at most 2s", took)
		}
	})
}

// TestHistoryStreamHeldUp: a client that stops reading is given up on.
func TestHistoryStreamHeldUp(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, stop func()) {
		c := gatewaytest.Connect(t, l, "")
		c.Call("sessions.create", `{"key":"a"}`)
		f := follow(t, l, "/sessions/a/history")
		defer f.leave()
		f.event("history")
		c.Call("chat.inject", `{"sessionKey":"a","message":"`+strings.Repeat("x", 64<<10)+`"}`)
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := io.ReadAll(f.lines); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the stream ended with %v, want it cut off", err)
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the shutdown took %v after a stream was held up, want at most 2s", took)
		}
	})
}

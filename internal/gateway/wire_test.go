package gateway_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

var update = flag.Bool("update", false, "rewrite the expected lines of the wire scripts")

// serve runs a gateway on l and returns what stops it.
func serve(t testing.TB, l *gatewaytest.Listener, configPath, stateDir string) func() {
	t.Helper()
	return serveWith(t, l, configPath, stateDir, 0)
}

func serveWith(t testing.TB, l *gatewaytest.Listener, configPath, stateDir string, maxBuffered int) func() {
	t.Helper()
	cfg, _, err := config.Load(config.Options{Path: configPath, StateDir: stateDir, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return serveOptions(t, l, gateway.Options{Config: cfg, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test", MaxBuffered: maxBuffered})
}

// serveOptions runs a gateway on l and returns what stops it.
func serveOptions(t testing.TB, l net.Listener, o gateway.Options) func() {
	t.Helper()
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// bubble runs f in fake time with a gateway on the built-in echo model.
func bubble(t *testing.T, f func(t *testing.T, l *gatewaytest.Listener, stop func())) {
	t.Helper()
	bubbleWith(t, 0, f)
}

// bubbleWith is bubble with another limit of what may wait for a connection.
func bubbleWith(t *testing.T, maxBuffered int, f func(t *testing.T, l *gatewaytest.Listener, stop func())) {
	t.Helper()
	state := t.TempDir()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, `{gateway: {auth: {mode: "token", token: "secret-token"}}}`)
	synctest.Test(t, func(t *testing.T) {
		l := gatewaytest.NewListener(t)
		stop := serveWith(t, l, path, state, maxBuffered)
		defer stop()
		f(t, l, stop)
	})
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWireScripts(t *testing.T) {
	gatewaytest.Scripts{Serve: serve, Update: *update}.Run(t, "testdata/*.txt")
}

// What doc/client-authors.md shows to those who write clients is what goes over
// the wire.
func TestDialoguesOfThePage(t *testing.T) {
	s := gatewaytest.Scripts{Serve: serve, Update: *update}
	if n := s.RunPage(t, "../../doc/client-authors.md"); n < 7 {
		t.Errorf("the page has %d dialogues", n)
	}
}

func TestLargeFrames(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		for _, c := range []struct {
			name    string
			options string
			bytes   int
			code    int
		}{
			{"before connect", `{"connect":false}`, protocol.MaxHandshake + 1, 1009},
			{"after connect", "", 30 << 20, 1009},
		} {
			a := gatewaytest.Connect(t, l, c.options)
			a.Send(strings.Repeat("x", c.bytes))
			if code, reason := a.Closed(); code != c.code || reason != "" {
				t.Errorf("%s: closed with %d %q, want %d and no reason", c.name, code, reason, c.code)
			}
		}
		// The gateway goes on, and a large frame within the limit is read.
		b := gatewaytest.Connect(t, l, "")
		err := b.Refused("sessions.patch", `{"key":"a","label":"`+strings.Repeat("é", 1<<20)+`"}`)
		if got := string(err); !strings.Contains(got, "must NOT have more than 512 characters") {
			t.Errorf("a 2 MiB request was answered %.200s", got)
		}
	})
}

// TestSlowConsumer: a client that stops reading must not hold up anybody, loses
// what may be lost, and is told why it is closed once it reads again.
func TestSlowConsumer(t *testing.T) {
	bubbleWith(t, 256<<10, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		slow, fast := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, "")
		slow.Call("sessions.subscribe", "")
		fast.Call("sessions.create", `{"key":"a"}`)
		synctest.Wait()
		slow.Stall()
		note := strings.Repeat("n", 32<<10)
		for i := range 16 { // twice the limit of chat finals, which may not be dropped
			fast.Call("chat.inject", fmt.Sprintf(`{"sessionKey":"a","message":"%d%s"}`, i, note))
		}
		synctest.Wait()
		slow.Resume()
		if code, reason := slow.Closed(); code != 1008 || reason != "slow consumer" {
			t.Errorf("closed with %d %q, want 1008 slow consumer", code, reason)
		}
		if got := string(fast.Call("sessions.resolve", `{"key":"a"}`)); got != `{"ok":true,"key":"agent:main:a"}` {
			t.Errorf("the fast client got %s", got)
		}
	})
}

// TestSubscribersSeeOneOrder: whoever follows sessions builds its picture from
// events alone, so two followers must see the same events in the same order.
func TestSubscribersSeeOneOrder(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		a, b := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		b.Call("sessions.subscribe", "")
		const writers, each = 4, 20
		var wg sync.WaitGroup
		for w := range writers {
			c := gatewaytest.Connect(t, l, "")
			wg.Go(func() {
				for i := range each {
					c.Call("sessions.patch", fmt.Sprintf(`{"key":"k%d","label":"%d-%d"}`, i%3, w, i))
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		seenA, seenB := changes(t, a), changes(t, b)
		if len(seenA) != writers*each {
			t.Errorf("a saw %d changes, want %d", len(seenA), writers*each)
		}
		if !slices.Equal(seenA, seenB) {
			t.Errorf("two subscribers saw different orders:\n%v\n%v", seenA, seenB)
		}
	})
}

// changes are the labels of the sessions.changed events that a client got.
func changes(t *testing.T, c *gatewaytest.Client) []string {
	var out []string
	for _, f := range c.Frames() {
		var e struct {
			Event   string `json:"event"`
			Payload struct {
				Label string `json:"label"`
			} `json:"payload"`
		}
		if err := rawjson.Unmarshal(f, &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == "sessions.changed" {
			out = append(out, e.Payload.Label)
		}
	}
	return out
}

// TestShutdownTellsAndCloses: clients show a restart differently from a crash,
// by the shutdown event and the close code.
func TestShutdownTellsAndCloses(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, stop func()) {
		a, b := gatewaytest.Connect(t, l, ""), gatewaytest.Connect(t, l, "")
		a.Call("chat.send", `{"sessionKey":"a","message":"[[drip 1000 100]]","idempotencyKey":"r"}`)
		stop()
		for name, c := range map[string]*gatewaytest.Client{"a": a, "b": b} {
			if got := string(c.Event("shutdown")); !strings.Contains(got, `{"reason":"gateway stopping","restartExpectedMs":null}`) {
				t.Errorf("%s: shutdown event %s", name, got)
			}
			if code, reason := c.Closed(); code != 1012 || reason != "service restart" {
				t.Errorf("%s: closed with %d %q, want 1012 service restart", name, code, reason)
			}
		}
	})
}

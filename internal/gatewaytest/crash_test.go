package gatewaytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// TestKillRightAfterAnAnswer kills a daemon with SIGKILL at the very moment
// when a client has read an answer, while others write too. Whatever was
// answered must be there when it starts again: entries, labels, injected
// messages, and the messages whose run was answered "started".
func TestKillRightAfterAnAnswer(t *testing.T) {
	path, err := built(t)()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l := gatewaytest.Launch{
		StateDir: filepath.Join(dir, "state"), ConfigPath: filepath.Join(dir, "parley.json"),
		Port: freePort(t), Home: dir, Log: t.Output(),
	}
	if err := os.WriteFile(l.ConfigPath, []byte(`{gateway: {auth: {token: "secret-token"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	done := &answered{}
	for round, after := range []int{1, 7, 20, 45, 80} {
		kill, err := gatewaytest.Process(path)(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		done.startRound(after, func() { kill(true) })
		var wg sync.WaitGroup
		for writer := range 3 {
			wg.Go(func() { done.write(t, l.Port, fmt.Sprintf("%d-%d", round, writer)) })
		}
		wg.Wait()
		kill(true)
		if !done.isOver() {
			t.Fatalf("round %d: the writers ended before the daemon was killed", round)
		}

		stop, err := gatewaytest.Process(path)(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		done.check(t, l.Port)
		stop(false)
	}
	if len(done.calls) < 150 {
		t.Errorf("only %d answers were checked", len(done.calls))
	}
}

// answered is what a daemon has answered so far.
type answered struct {
	mu    sync.Mutex // guards all below
	calls []answer
	left  int // answers until kill is called
	kill  func()
	over  bool
}

// answer is one acknowledged change and how it can be seen.
type answer struct{ method, key, text string }

func (a *answered) startRound(after int, kill func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left, a.kill, a.over = after, kill, false
}

// note remembers an answer; the one that is due kills the daemon on the spot.
func (a *answered) note(done answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, done)
	if a.left--; a.left == 0 {
		a.kill()
		a.over = true
	}
}

// write makes changes of all kinds until the daemon is gone.
func (a *answered) write(t *testing.T, port int, name string) {
	c, err := dial(t.Context(), port)
	if err != nil {
		if a.isOver() {
			return // killed before this writer had begun
		}
		t.Errorf("dial: %v", err)
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		key, text := fmt.Sprintf("s%s-%d", name, i%5), fmt.Sprintf("text-%s-%d", name, i)
		for _, change := range []answer{
			{"sessions.create", key, ""},
			{"sessions.patch", key, text},
			{"chat.inject", key, "note " + text},
			{"chat.send", key, "[[drip 3 2]] " + text},
		} {
			if _, err := c.Call(t.Context(), change.method, change.params()); err != nil {
				if !a.isOver() && !isCut(err) {
					t.Errorf("%s: %v", change.method, err)
				}
				return
			}
			a.note(change)
		}
	}
}

func (a *answered) isOver() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// isCut reports whether an error is that of a connection that ended, not of a
// call that was refused.
func isCut(err error) bool {
	_, refused := errors.AsType[*client.Error](err)
	return !refused
}

func (c answer) params() map[string]any {
	switch c.method {
	case "sessions.patch":
		return map[string]any{"key": c.key, "label": c.text}
	case "chat.inject":
		return map[string]any{"sessionKey": c.key, "message": c.text}
	case "chat.send":
		return map[string]any{"sessionKey": c.key, "message": c.text, "idempotencyKey": "run of " + c.text}
	}
	return map[string]any{"key": c.key}
}

// check looks for every answered change in a daemon that was started anew.
func (a *answered) check(t *testing.T, port int) {
	t.Helper()
	c, err := dial(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var list struct {
		Sessions []struct {
			Key    string `json:"key"`
			Label  string `json:"label"`
			Status string `json:"status"`
		} `json:"sessions"`
	}
	call(t, c, "sessions.list", map[string]any{}, &list)
	labels := map[string]string{}
	for _, s := range list.Sessions {
		labels[strings.TrimPrefix(s.Key, "agent:main:")] = s.Label
		if s.Status == "running" {
			t.Errorf("session %s is still running after a crash", s.Key)
		}
	}
	history := map[string]string{}
	last := map[string]string{}
	for _, done := range a.calls {
		if _, ok := labels[done.key]; !ok {
			t.Fatalf("session %s was answered and is gone", done.key)
		}
		switch done.method {
		case "sessions.patch":
			last[done.key] = done.text
		case "chat.inject", "chat.send":
			if _, ok := history[done.key]; !ok {
				var h json.RawMessage
				call(t, c, "chat.history", map[string]any{"sessionKey": done.key, "limit": 1000}, &h)
				history[done.key] = string(h)
			}
			if n := strings.Count(history[done.key], string(rawjson.MustMarshal(done.text))); n != 1 {
				t.Errorf("%s of %q in %s: found %d times, want once", done.method, done.text, done.key, n)
			}
		}
	}
	for key, label := range last {
		// A later patch may be on disk although the kill came before its answer.
		if number(labels[key]) < number(label) {
			t.Errorf("label of %s is %q, the last answered one was %q", key, labels[key], label)
		}
	}
}

// number is the number at the end of a text, -1 when there is none.
func number(text string) int {
	n, err := strconv.Atoi(text[strings.LastIndexByte(text, '-')+1:])
	if err != nil {
		return -1
	}
	return n
}

func call(t *testing.T, c *client.Conn, method string, params, result any) {
	t.Helper()
	payload, err := c.Call(t.Context(), method, params)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	if err := rawjson.Unmarshal(payload, result); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

func dial(ctx context.Context, port int) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return client.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d", port), client.Options{Token: "secret-token", Scopes: []string{"operator.admin"}})
}

package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/gatewaytest"
)

const token = "secret-token"

// daemon is a gateway under test, with the echo model.
type daemon struct {
	t      testing.TB
	launch gatewaytest.Launch
	stop   func(kill bool)
	log    *logBuffer
}

// startDaemon starts one on a state directory that files were put into; config
// is JSON that is laid over the gateway part.
func startDaemon(t testing.TB, gateway string, files map[string][]byte) *daemon {
	t.Helper()
	if browser == nil {
		t.Skip("there is no browser here: install chromium, or name one in PARLEY_BROWSER")
	}
	port, err := gatewaytest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	d := &daemon{t: t, log: &logBuffer{}}
	d.launch = gatewaytest.Launch{StateDir: filepath.Join(home, "state"), ConfigPath: filepath.Join(home, "parley.json"), Port: port, Home: home, Log: d.log}
	if gateway != "" {
		gateway = "," + gateway
	}
	put(t, d.launch.ConfigPath, fmt.Appendf(nil, `{"gateway":{"auth":{"token":%q}%s}}`, token, gateway))
	for name, content := range files {
		put(t, filepath.Join(d.launch.StateDir, name), content)
	}
	d.start()
	t.Cleanup(func() {
		d.stop(false)
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", d.log)
		}
	})
	return d
}

func put(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) start() {
	d.t.Helper()
	path, err := program()
	if err != nil {
		d.t.Fatal(err)
	}
	if d.stop, err = gatewaytest.Process(path)(context.Background(), d.launch); err != nil {
		d.t.Fatalf("start the gateway: %v\n%s", err, d.log)
	}
}

// freeze lets the gateway do nothing more, until it is killed.
func (d *daemon) freeze() {
	d.t.Helper()
	var owner struct{ PID int }
	lock, err := os.ReadFile(filepath.Join(d.launch.StateDir, "parley.lock"))
	if err == nil {
		err = json.Unmarshal(lock, &owner)
	}
	if err == nil {
		err = syscall.Kill(owner.PID, syscall.SIGSTOP)
	}
	if err != nil {
		d.t.Fatalf("freeze the gateway: %v", err)
	}
}

// url is an address of the page; the first visit has the token in it.
func (d *daemon) url(hash string) string {
	return fmt.Sprintf("http://127.0.0.1:%d/%s", d.launch.Port, hash)
}

// other is another client of the gateway.
type other struct {
	t    testing.TB
	conn *client.Conn
}

func (d *daemon) other() other {
	d.t.Helper()
	conn, err := client.Dial(d.t.Context(), fmt.Sprintf("ws://127.0.0.1:%d", d.launch.Port), client.Options{
		Token: token, Scopes: []string{"operator.admin"},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return other{d.t, conn}
}

// call calls a method and decodes the answer into out, if that is not nil.
func (o other) call(method string, params map[string]any, out any) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	payload, err := o.conn.Call(ctx, method, params)
	if err != nil {
		o.t.Fatalf("%s: %v", method, err)
	}
	if out != nil {
		if err := json.Unmarshal(payload, out); err != nil {
			o.t.Fatalf("%s answered %s: %v", method, payload, err)
		}
	}
}

// texts are the messages of a session, oldest first, each with its role.
func (o other) texts(key string) []string {
	o.t.Helper()
	var history struct {
		Messages []struct {
			Role    string
			Content []struct{ Text string }
		}
	}
	o.call("chat.history", map[string]any{"sessionKey": key, "limit": 1000}, &history)
	out := []string{}
	for _, m := range history.Messages {
		text := m.Role + ":"
		for _, c := range m.Content {
			text += " " + c.Text
		}
		out = append(out, text)
	}
	return out
}

// manySessions is a state directory with n sessions, each a minute older than the
// next.
func manySessions(n int) map[string][]byte {
	entries := map[string]any{}
	now := time.Now().UnixMilli()
	for i := range n {
		entries[fmt.Sprintf("agent:main:s%04d", i)] = map[string]any{
			"sessionId": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "updatedAt": now - int64(n-i)*60_000, "label": fmt.Sprintf("Session %04d", i),
		}
	}
	return map[string][]byte{"agents/main/sessions/sessions.json": []byte(jsonOf(entries))}
}

// logBuffer keeps what a process writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

package realclients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/gatewaytest"
)

const token = "secret-token"

// patience is how long something may take that must happen. It is long, for
// machines may be busy; nothing that works takes so long.
const patience = 120 * time.Second

// daemon is a gateway under test.
type daemon struct {
	t      testing.TB
	launch gatewaytest.Launch
	stop   func(kill bool)
	log    *output
}

// startDaemon starts one with the built-in model echo; gateway is JSON for its
// configuration, laid beside the token.
func startDaemon(t testing.TB, gateway string) *daemon {
	t.Helper()
	if gateway != "" {
		gateway = "," + gateway
	}
	return startConfigured(t, fmt.Sprintf(`{"gateway":{"auth":{"token":%q}%s}}`, token, gateway), t.TempDir())
}

// startScripted starts one with a model server that does what messages say, and
// two models, fake/m1 and fake/m2.
func startScripted(t testing.TB, gateway string) *daemon {
	t.Helper()
	return startConfigured(t, scripted(gatewaytest.StartModel(t), gateway), t.TempDir())
}

// scripted is a configuration with that model server; gateway is as for startDaemon.
func scripted(model *gatewaytest.Model, gateway string) string {
	if gateway != "" {
		gateway = "," + gateway
	}
	one := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"reasoning":false,"input":["text"],"contextWindow":32000,"maxTokens":4096,"cost":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0}}`, id, strings.ToUpper(id))
	}
	return fmt.Sprintf(`{"gateway":{"auth":{"token":%q}%s},
		"models":{"providers":{"fake":{"baseUrl":%q,"apiKey":"sk-fake","api":"openai-completions","models":[%s,%s]}}},
		"agents":{"defaults":{"model":{"primary":"fake/m1"}}}}`, token, gateway, model.BaseURL(), one("m1"), one("m2"))
}

// startConfigured starts a gateway with this configuration on a state directory.
func startConfigured(t testing.TB, config, state string) *daemon {
	t.Helper()
	port, err := gatewaytest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	d := &daemon{t: t, log: &output{}}
	d.launch = gatewaytest.Launch{StateDir: state, ConfigPath: filepath.Join(home, "parley.json"), Port: port, Home: home, Log: d.log}
	put(t, d.launch.ConfigPath, config)
	d.start()
	t.Cleanup(func() {
		d.stop(false)
		if t.Failed() {
			t.Logf("the end of the gateway's log:\n%s", d.log.end(40))
		}
	})
	return d
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

// url is where clients connect to.
func (d *daemon) url() string { return fmt.Sprintf("ws://127.0.0.1:%d", d.launch.Port) }

// store is the file with the sessions of the agent main.
func (d *daemon) store() string {
	return filepath.Join(d.launch.StateDir, "agents", "main", "sessions", "sessions.json")
}

// ours is a client of our own, to see what another one did.
type ours struct {
	t    testing.TB
	conn *client.Conn
}

func (d *daemon) ours() ours {
	d.t.Helper()
	conn, err := client.Dial(d.t.Context(), d.url(), client.Options{Token: token, Scopes: []string{"operator.admin"}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	return ours{d.t, conn}
}

// call calls a method and decodes the answer into out, if that is not nil.
func (o ours) call(method string, params map[string]any, out any) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
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

// say sends a message and waits for the end of its run.
func (o ours) say(key, message string) {
	o.t.Helper()
	id := fmt.Sprintf("say-%s-%d", key, time.Now().UnixNano())
	o.call("chat.send", map[string]any{"sessionKey": key, "message": message, "idempotencyKey": id}, nil)
	o.call("agent.wait", map[string]any{"runId": id, "timeoutMs": patience.Milliseconds()}, nil)
}

// texts are the messages of a session, oldest first, each with its role.
func (o ours) texts(key string) []string {
	o.t.Helper()
	var history struct {
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	o.call("chat.history", map[string]any{"sessionKey": key, "limit": 1000}, &history)
	out := []string{}
	for _, m := range history.Messages {
		out = append(out, m.Role+": "+textOf(m.Content))
	}
	return out
}

// textOf is the text of a message's content: a string, or parts.
func textOf(content json.RawMessage) (text string) {
	if json.Unmarshal(content, &text) == nil {
		return text
	}
	var parts []struct{ Text string }
	if err := json.Unmarshal(content, &parts); err != nil {
		return err.Error()
	}
	for _, p := range parts {
		text += p.Text
	}
	return text
}

// eventually waits for what no event tells.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// output keeps what a process writes, and lets others wait for it.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{} // closed and replaced by a write that somebody waits for
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.written != nil {
		close(o.written)
		o.written = nil
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// end is the last lines.
func (o *output) end(n int) string {
	lines := strings.SplitAfter(o.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// next is the text so far, and a channel that is closed when more comes.
func (o *output) next() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.written == nil {
		o.written = make(chan struct{})
	}
	return o.b.String(), o.written
}

// copyFrom takes what r has, until it ends.
func (o *output) copyFrom(r io.Reader) (int64, error) { return io.Copy(o, r) }

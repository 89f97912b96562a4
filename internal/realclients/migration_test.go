package realclients

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// openclawGateway runs OpenClaw's own gateway on a state directory, until stop.
func openclawGateway(t *testing.T, h home, port int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := h.openclaw(ctx, "gateway", "run", "--port", fmt.Sprint(port))
	// What it does beside sessions would look for things that are not here.
	for _, part := range []string{"CHANNELS", "CRON", "BROWSER_CONTROL_SERVER", "CANVAS_HOST", "GMAIL_WATCHER"} {
		cmd.Env = append(cmd.Env, "OPENCLAW_SKIP_"+part+"=1")
	}
	log := &output{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			t.Error("OpenClaw's gateway does not stop")
		}
		cancel()
		<-exited
		if t.Failed() {
			t.Logf("OpenClaw's gateway said: %s", log.end(40))
		}
	}
	t.Cleanup(stop)
	eventually(t, "OpenClaw's gateway listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return stop
}

// TestMigration has a conversation with OpenClaw's gateway, goes on with Parley
// on the same directory and with OpenClaw again, and finds all of it there each
// time.
func TestMigration(t *testing.T) {
	model := gatewaytest.StartModel(t)
	h := newHome(t)
	state := filepath.Join(h.dir, ".openclaw")
	port, err := gatewaytest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(scripted(model, fmt.Sprintf(`"mode":"local","port":%d,"bind":"loopback","reload":{"mode":"off"}`, port)),
		`"defaults":{`, fmt.Sprintf(`"defaults":{"workspace":%q,"skipBootstrap":true,`, filepath.Join(h.dir, "workspace")), 1)
	h.configure(config)
	// The same device throughout: it is paired once.
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	device := client.NewIdentity(key)
	connect := func() ours {
		t.Helper()
		conn, err := client.Dial(t.Context(), fmt.Sprintf("ws://127.0.0.1:%d", port), client.Options{Token: token, Device: device, Client: client.Info{ID: "cli", Mode: "cli"}, Scopes: []string{"operator.admin", "operator.read", "operator.write"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return ours{t, conn}
	}

	stop := openclawGateway(t, h, port)
	o := connect()
	o.say("agent:main:trip", "[[say from openclaw]]")
	o.say("agent:main:other", "[[say something else]]")
	o.call("sessions.patch", map[string]any{"key": "agent:main:trip", "label": "The trip", "thinkingLevel": "high"}, nil)
	theirs := entries(t, state)
	devices := deviceIDs(t, state)
	stop()

	// The same directory, configuration and port.
	p := &daemon{t: t, log: &output{}}
	p.launch = gatewaytest.Launch{StateDir: state, ConfigPath: filepath.Join(state, "openclaw.json"), Port: port, Home: h.dir, Log: p.log}
	p.start()
	t.Cleanup(func() {
		p.stop(false)
		if t.Failed() {
			t.Logf("Parley's log:\n%s", p.log.end(40))
		}
	})
	o = connect()
	if got := o.texts("agent:main:trip"); len(got) != 2 || got[1] != "assistant: from openclaw" {
		t.Errorf("Parley finds %q", got)
	}
	if got := label(o, "agent:main:trip"); got != "The trip" {
		t.Errorf("Parley finds the label %q", got)
	}
	o.say("agent:main:trip", "[[say from parley]]")
	o.say("agent:main:born-here", "[[say made by parley]]")
	o.call("sessions.patch", map[string]any{"key": "agent:main:other", "label": "Renamed"}, nil)
	p.stop(false)
	if diff := cmp.Diff(devices, deviceIDs(t, state)); diff != "" {
		t.Errorf("paired devices (-before +after):\n%s", diff)
	}
	ours := entries(t, state)
	for key, entry := range theirs {
		for name := range entry {
			if _, kept := ours[key][name]; !kept && !slices.Contains([]string{"abortedLastRun"}, name) {
				t.Errorf("%s lost its field %s", key, name)
			}
		}
	}

	stop = openclawGateway(t, h, port)
	o = connect()
	o.say("agent:main:born-here", "[[say and on it goes]]")
	for key, want := range map[string][]string{
		"agent:main:trip":      {"from openclaw", "from parley"},
		"agent:main:other":     {"something else"},
		"agent:main:born-here": {"made by parley", "and on it goes"},
	} {
		got := slices.DeleteFunc(o.texts(key), func(m string) bool { return !strings.HasPrefix(m, "assistant: ") })
		for i, text := range want {
			want[i] = "assistant: " + text
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("OpenClaw's answers in %s (-want +got):\n%s", key, diff)
		}
	}
	var list struct{ Sessions []struct{ Key, Label string } }
	o.call("sessions.list", map[string]any{}, &list)
	labels := map[string]string{}
	for _, row := range list.Sessions {
		labels[row.Key] = row.Label
	}
	if diff := cmp.Diff(map[string]string{"agent:main:trip": "The trip", "agent:main:other": "Renamed", "agent:main:born-here": ""}, labels); diff != "" {
		t.Errorf("OpenClaw lists (-want +got):\n%s", diff)
	}
	stop()
}

// entries are the stored sessions of the agent main.
func entries(t *testing.T, state string) (out map[string]map[string]json.RawMessage) {
	t.Helper()
	read(t, filepath.Join(state, "agents", "main", "sessions", "sessions.json"), &out)
	return out
}

// deviceIDs are the paired devices.
func deviceIDs(t *testing.T, state string) (ids []string) {
	t.Helper()
	var paired map[string]json.RawMessage
	read(t, filepath.Join(state, "devices", "paired.json"), &paired)
	for id := range paired {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func read(t *testing.T, path string, out any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		t.Fatal(err)
	}
}

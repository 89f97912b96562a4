package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/runs"
)

// A full disk makes the gateway say that it is not ready, to everybody, and why,
// to those who may know; with space again it is ready without a change of a
// session.
func TestReadyOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		files := disk.New(func(op disk.Op) (int, error) {
			if full.Load() && (op.Kind == disk.Write || op.Kind == disk.Sync) {
				return 0, syscall.ENOSPC
			}
			return 0, nil
		})
		g, err := New(optionsFor(t, dir, files))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}()
		is := func(when string, status int, want string, headers ...string) {
			t.Helper()
			w := ask(g, http.MethodGet, "/ready", headers...)
			if body := w.Body.String(); w.Code != status || !strings.HasPrefix(body, want) {
				t.Errorf("%s: %d %s, want %d %s", when, w.Code, body, status, want)
			}
		}
		const far = "X-Forwarded-For: 203.0.113.9"
		is("at first", 200, `{"ready":true,"failing":[],"uptimeMs":0}`)
		full.Store(true)
		is("within the time that a look holds", 200, `{"ready":true,`)
		time.Sleep(readyFor)
		is("on a full disk", 503, `{"ready":false,"failing":["store"],"uptimeMs":5000,"details":[{"check":"store","name":"`+dir+`","reason":`)
		is("on a full disk, to a stranger", 503, `{"ready":false}`, far)
		full.Store(false)
		time.Sleep(troubleFor)
		is("with space again", 200, `{"ready":true,"failing":[],`)
	})
}

// A store whose last change failed is looked at itself: its directory may lie on
// another disk.
func TestReadyAsksTheStoreThatFailed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		sessionsDir := filepath.Join(dir, "agents", "main", "sessions")
		files := disk.New(func(op disk.Op) (int, error) {
			if broken.Load() && op.Kind == disk.Sync && strings.HasPrefix(op.Path, sessionsDir) {
				return 0, syscall.EIO
			}
			return 0, nil
		})
		g, err := New(optionsFor(t, dir, files))
		if err != nil {
			t.Fatal(err)
		}
		admin := joined(t, g, "admin", cli(1))
		callAs(t, g, admin, "sessions.create", `{"key":"a"}`)
		broken.Store(true)
		if got := callAs(t, g, admin, "sessions.patch", `{"key":"a","label":"x"}`); !strings.HasPrefix(got, "error: ") {
			t.Errorf("a change on a broken disk: %s", got)
		}
		if w := ask(g, http.MethodGet, "/ready"); w.Code != 503 || !strings.Contains(w.Body.String(), filepath.Join(sessionsDir, "sessions.json")) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		broken.Store(false)
		time.Sleep(troubleFor)
		if w := ask(g, http.MethodGet, "/ready"); w.Code != 200 {
			t.Errorf("with a whole disk: %d %s", w.Code, w.Body)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A model that fails is told and does not make the gateway unready: reading, and
// other models, go on.
func TestReadyTellsOfFailingModels(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
	withEngine(t, g)
	for range failuresInARow {
		if w := ask(g, http.MethodGet, "/ready"); strings.Contains(w.Body.String(), "degraded") {
			t.Errorf("too early: %s", w.Body)
		}
		g.countRun(runs.End{Key: "agent:main:main", Status: runs.Failed, Error: "refused", Model: config.ModelRef{Provider: "echo", Model: "echo"}})
	}
	g.countRun(runs.End{Key: "agent:main:main", Status: runs.Killed, Model: config.ModelRef{Provider: "echo", Model: "echo"}})
	if w := ask(g, http.MethodGet, "/ready"); w.Code != 200 || !strings.HasSuffix(w.Body.String(), `"degraded":[{"check":"model","name":"echo/echo","reason":"the last 3 runs failed: refused"}]}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	g.countRun(runs.End{Key: "agent:main:main", Status: runs.Done, Model: config.ModelRef{Provider: "echo", Model: "echo"}})
	if w := ask(g, http.MethodGet, "/ready"); strings.Contains(w.Body.String(), "degraded") {
		t.Errorf("after a success: %s", w.Body)
	}
}

// The end waits for a run that goes on, at most parley.drain. Meanwhile probes say
// no, nobody new comes in, new messages are refused, and clients hear the rest.
func TestDrain(t *testing.T) {
	for name, tt := range map[string]struct {
		drain, message, state string
		took                  time.Duration
	}{
		"a run that ends in time": {"20s", "[[drip 10 1000]]", "final", 10 * time.Second},
		"one that does not":       {"3s", "[[drip 10 1000]]", "aborted", 3 * time.Second},
		"nothing to wait for":     {"20s", "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				cfg, _, err := config.Parse(`{gateway: {auth: {mode: "token", token: "secret-token"}}, parley: {drain: "`+tt.drain+`"}}`,
					config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
				if err != nil {
					t.Fatal(err)
				}
				g, err := New(Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test"})
				if err != nil {
					t.Fatal(err)
				}
				l := gatewaytest.NewListener(t)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Serve(ctx, l) }()
				c := gatewaytest.Connect(t, l, "")
				if tt.message != "" {
					c.Call("chat.send", `{"sessionKey":"a","message":"`+tt.message+`","idempotencyKey":"r"}`)
					synctest.Wait()
				}
				began := time.Now()
				cancel()
				synctest.Wait()
				if tt.message != "" {
					whileDraining(t, g, l, c)
					if final := awaitFinal(t, c, "r"); final != (tt.state == "final") {
						t.Errorf("the run has its answer: %v, want it %s", final, tt.state)
					}
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(began).Round(time.Second); took != tt.took {
					t.Errorf("the end took %v, want %v", took, tt.took)
				}
				if err := g.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func whileDraining(t *testing.T, g *Gateway, l *gatewaytest.Listener, c *gatewaytest.Client) {
	t.Helper()
	w := ask(g, http.MethodGet, "/ready")
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"failing":["draining"]`) {
		t.Errorf("/ready: %d %s", w.Code, w.Body)
	}
	if _, fault := c.Try("chat.send", `{"sessionKey":"b","message":"new","idempotencyKey":"n"}`); fault == nil || !strings.Contains(string(fault), "the gateway is stopping") {
		t.Errorf("a new message: %s", fault)
	}
	if _, fault := c.Try("sessions.list", `{}`); fault != nil {
		t.Errorf("a list: %s", fault)
	}
	web := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
	}}}
	_, res, err := websocket.Dial(t.Context(), "ws://127.0.0.1:18789/", &websocket.DialOptions{HTTPClient: web})
	if err == nil || res == nil || res.StatusCode != 503 {
		t.Errorf("a new client: %v, %v", res, err)
	}
	web.CloseIdleConnections()
}

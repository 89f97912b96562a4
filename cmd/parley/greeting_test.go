package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

// TestFirstDialogue sends what the greeting's wscat line sends, all at once,
// and expects the whole dialogue: a person who pastes it must see an answer.
func TestFirstDialogue(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	cfg, _, err := config.Parse(`{gateway: {auth: {token: "secret-token"}}}`, config.Options{
		Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := startGateway(t, cfg, l)
	defer stop()

	line := firstDialogue("ws://"+l.Addr().String(), "secret-token")
	url, _, _ := strings.Cut(strings.TrimPrefix(line, "wscat -c "), " ")
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	frames := regexp.MustCompile(` -x '([^']*)'`).FindAllStringSubmatch(line, -1)
	if len(frames) != 3 {
		t.Fatalf("the line sends %d frames, want 3: %s", len(frames), line)
	}
	for _, f := range frames {
		if err := ws.Write(ctx, websocket.MessageText, []byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	wants := []string{`"type":"hello-ok"`, `"key":"agent:main:hello"`, `"status":"started"`, `"state":"delta"`, `"state":"final","message":{"role":"assistant","content":[{"type":"text","text":"echo: Hello, Parley"}]`}
	for len(wants) > 0 {
		_, text, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("%v while waiting for %s", err, wants[0])
		}
		if strings.Contains(string(text), `"ok":false`) {
			t.Fatalf("refused: %s", text)
		}
		if strings.Contains(string(text), wants[0]) {
			wants = wants[1:]
		}
	}
}

// startGateway serves a configuration on l until the returned function is called.
func startGateway(t *testing.T, cfg *config.Config, l net.Listener) (stop func()) {
	t.Helper()
	g, err := gateway.New(gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := errors.Join(<-ended, g.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestGreetingNamesThePageThatIsServed(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		`{gateway: {auth: {token: "t"}}}`:                                                            "Page:\n  http://127.0.0.1:18789/#token=t\n",
		`{gateway: {auth: {token: "a b&c"}}}`:                                                        "Page:\n  http://127.0.0.1:18789/#token=a+b%26c\n",
		`{gateway: {auth: {token: "t"}, controlUi: {root: "ui", basePath: "/oc"}}}`:                  "Page:\n  http://127.0.0.1:18789/oc/#token=t\n",
		`{gateway: {auth: {token: "t"}, controlUi: {root: "ui", enabled: false}}}`:                   "",
		`{gateway: {auth: {mode: "password", password: "p"}, controlUi: {root: "ui"}, port: 18790}}`: "Page:\n  http://127.0.0.1:18790/\n",
	} {
		cfg, _, err := config.Parse(text, config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		greet(&out, cfg, nil)
		if got := out.String(); strings.Contains(got, "Page:") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s: greeting is\n%s\nwant %q in it", text, got, want)
		}
	}
}

package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// logged is a log that may be written and read at the same time.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// An operator who asks why clients go away finds for each connection who ended
// it, how and after how much, and how often what happened.
func TestTheEdgeIsCountedAndLogged(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg, _, err := config.Parse(`{gateway: {auth: {mode: "token", token: "secret-token"}}}`,
			config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var log logged
		g, err := New(Options{Config: cfg, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		l := gatewaytest.NewListener(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Serve(ctx, l) }()

		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.list", "")
		a.Close() // 1005: without a code
		bad := gatewaytest.Connect(t, l, `{"connect":false}`)
		bad.Send(`{"type":"req","id":"1","method":"connect","params":{"minProtocol":9,"maxProtocol":9,"client":{"id":"cli","version":"1","platform":"x","mode":"cli"}}}`)
		bad.Closed()
		web := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:5000"))
		}}}
		ws, _, err := websocket.Dial(ctx, "ws://127.0.0.1:18789/rpc", &websocket.DialOptions{HTTPClient: web, HTTPHeader: http.Header{"Authorization": {"Bearer secret-token"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := ws.Close(4001, "enough"); err != nil {
			t.Fatal(err)
		}
		for _, headers := range []http.Header{{"Authorization": {"Bearer wrong"}}, {"Upgrade": {"smoke"}}} {
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:18789/rpc", strings.NewReader("{}"))
			r.Header = headers
			if headers.Get("Upgrade") != "" {
				r.URL.Path = "/"
			}
			res, err := web.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		web.CloseIdleConnections()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}

		got := g.edge.all()
		for c, n := range map[edgeCount]int64{
			{edgeOpened, "frames"}: 2, {edgeOpened, "rpc"}: 1, {edgeConnected, "cli"}: 1, {edgeConnected, "rpc"}: 1,
			{edgeRefused, "INVALID_REQUEST"}: 1, {edgeRefused, "token_mismatch"}: 1, {edgeMalformed, ""}: 1,
			{edgeClosed, "1002"}: 1, {edgeClosed, "4xxx"}: 1,
		} {
			if got[c] != n {
				t.Errorf("%s %q: %d, want %d", c.what, c.how, got[c], n)
			}
		}
		if got[edgeCount{edgeReceived, ""}] == 0 || got[edgeCount{edgeSent, ""}] == 0 {
			t.Errorf("no bytes are counted: %v", slices.Collect(maps.Keys(got)))
		}
		for _, line := range []string{
			`msg="client connected" conn=\S+ client=cli mode=cli role=operator`,
			`msg="handshake refused" conn=\S+ peer=\S+ code=INVALID_REQUEST reason="protocol mismatch"`,
			`msg="connection closed" conn=\S+ client="" code=1002 reason="protocol mismatch" by=gateway received=\d+ sent=\d+ dropped=0`,
			`msg="connection closed" conn=\S+ client=rpc code=4001 reason=enough by=client received=0 sent=\d+ dropped=0`,
			`msg="connection closed" conn=\S+ client=cli code=\d+ reason="" by=client received=\d+ sent=\d+ dropped=0`,
			`msg="malformed upgrade" peer=`, `msg="request refused" reason=token_mismatch`,
		} {
			if !regexp.MustCompile(line).MatchString(log.String()) {
				t.Errorf("no line %s in\n%s", line, log.String())
			}
		}
		if strings.Contains(log.String(), "secret-token") || strings.Contains(log.String(), "Bearer") {
			t.Error("the log holds the secret")
		}
	})
}

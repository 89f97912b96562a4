package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the gateway's side of one connection in a test.
type peer struct {
	tb testing.TB
	ws *websocket.Conn
}

func (p *peer) send(format string, args ...any) {
	// A client that has gone away is no fault of the gateway.
	_ = p.ws.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, format, args...))
}

// receive is the next request; ok is false when the client has left.
func (p *peer) receive() (r protocol.Request, ok bool) {
	_, text, err := p.ws.Read(context.Background())
	if err != nil {
		return r, false
	}
	v, err := protocol.NewValidator()
	if err != nil {
		p.tb.Error(err)
		return r, false
	}
	r, problems := v.Frame(text)
	if problems == "" {
		problems = v.Params(r.Method, r.Params)
	}
	if problems != "" {
		p.tb.Errorf("the client sent %s: %s", text, problems)
	}
	return r, true
}

func (p *peer) hello(r protocol.Request) {
	p.send(`{"type":"res","id":%s,"ok":true,"payload":{"type":"hello-ok","protocol":4,"server":{"version":"9","connId":"c1"},"features":{"methods":["health"],"events":[]},"snapshot":{"presence":[],"health":{},"stateVersion":{"presence":1,"health":1},"uptimeMs":1},"policy":{"maxPayload":1,"maxBufferedBytes":1,"tickIntervalMs":1}}}`, r.ID)
}

// newGateway serves play on every connection, after the challenge, and returns
// its address.
func newGateway(tb testing.TB, play func(*peer)) string {
	tb.Helper()
	var open sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			tb.Error(err)
			return
		}
		defer ws.CloseNow()
		p := &peer{tb, ws}
		p.send(`{"type":"event","event":"connect.challenge","payload":{"nonce":"n-1","ts":1}}`)
		play(p)
	}))
	tb.Cleanup(func() {
		srv.Close()
		open.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// answering lets everybody in and answers each call by its method.
func answering(answer func(p *peer, r protocol.Request)) func(*peer) {
	return func(p *peer) {
		for {
			r, ok := p.receive()
			if !ok {
				return
			}
			if r.Method == "connect" {
				p.hello(r)
				continue
			}
			answer(p, r)
		}
	}
}

func dial(tb testing.TB, address string, o client.Options) *client.Conn {
	tb.Helper()
	c, err := client.Dial(tb.Context(), address, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func TestCallReturnsPayloadOrTheGatewaysError(t *testing.T) {
	c := dial(t, newGateway(t, answering(func(p *peer, r protocol.Request) {
		if r.Method == "sessions.list" {
			p.send(`{"type":"res","id":%s,"ok":true,"payload":{"got":%s}}`, r.ID, r.Params)
			return
		}
		p.send(`{"type":"res","id":%s,"ok":false,"error":{"code":"UNAVAILABLE","message":"not <now>","details":{"a":1},"retryable":true,"retryAfterMs":5}}`, r.ID)
	})), client.Options{Token: "t"})
	if got := c.Hello(); got.Server.ConnID != "c1" || got.Protocol != 4 {
		t.Errorf("hello = %+v", got)
	}
	payload, err := c.Call(t.Context(), "sessions.list", map[string]any{"limit": 1})
	if err != nil || string(payload) != `{"got":{"limit":1}}` {
		t.Errorf("sessions.list = %s, %v", payload, err)
	}
	_, err = c.Call(t.Context(), "health", nil)
	want := &client.Error{Code: "UNAVAILABLE", Message: "not <now>", Details: json.RawMessage(`{"a":1}`), Retryable: true, RetryAfterMs: 5}
	if got, ok := errors.AsType[*client.Error](err); !ok || cmp.Diff(want, got) != "" {
		t.Errorf("health: %v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
}

func TestAnswersFindTheirCalls(t *testing.T) {
	var mu sync.Mutex
	var held []protocol.Request
	c := dial(t, newGateway(t, answering(func(p *peer, r protocol.Request) {
		mu.Lock()
		defer mu.Unlock()
		if held = append(held, r); len(held) < 3 {
			return
		}
		for i := range held { // the last asked is the first answered
			r := held[len(held)-1-i]
			p.send(`{"type":"res","id":%s,"ok":true,"payload":%s}`, r.ID, r.Params)
		}
	})), client.Options{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			want := fmt.Sprintf(`{"n":%d}`, i)
			if got, err := c.Call(t.Context(), "status", json.RawMessage(want)); err != nil || string(got) != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	wg.Wait()
}

func TestAgentWaitsForTheFinalAnswer(t *testing.T) {
	c := dial(t, newGateway(t, answering(func(p *peer, r protocol.Request) {
		p.send(`{"type":"res","id":%s,"ok":true,"payload":{"runId":"r","status":"accepted"}}`, r.ID)
		p.send(`{"type":"res","id":%s,"ok":true,"payload":{"runId":"r","status":"ok"}}`, r.ID)
	})), client.Options{})
	got, err := c.Call(t.Context(), "agent", map[string]string{"message": "hi", "idempotencyKey": "r"})
	if err != nil || string(got) != `{"runId":"r","status":"ok"}` {
		t.Errorf("agent = %s, %v", got, err)
	}
}

func TestEventsComeInOrderAndToEveryIterator(t *testing.T) {
	c := dial(t, newGateway(t, answering(func(p *peer, r protocol.Request) {
		p.send(`{"type":"res","id":%s,"ok":true}`, r.ID)
		for i := range 3 {
			p.send(`{"type":"event","event":"chat","payload":{"n":%d},"seq":%d}`, i, i+7)
		}
	})), client.Options{})
	one, two := c.Events(t.Context()), c.Events(t.Context())
	if payload, err := c.Call(t.Context(), "sessions.subscribe", nil); err != nil || payload != nil {
		t.Errorf("subscribe = %s, %v", payload, err)
	}
	var want []client.Event
	for i := range 3 {
		want = append(want, client.Event{Name: "chat", Payload: fmt.Appendf(nil, `{"n":%d}`, i), Seq: int64(7 + i)})
	}
	for _, events := range []func(func(client.Event, error) bool){one, two} {
		var got []client.Event
		for e, err := range events {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e); len(got) == 3 {
				break
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestEventsEnd(t *testing.T) {
	leave := make(chan struct{})
	address := newGateway(t, func(p *peer) {
		r, _ := p.receive()
		p.hello(r)
		<-leave
		p.send(`{"type":"event","event":"shutdown","payload":{}}`)
		_ = p.ws.Close(websocket.StatusServiceRestart, "service restart")
	})
	c := dial(t, address, client.Options{})
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	for _, err := range c.Events(cancelled) {
		if err == nil || err.Error() != "enough" {
			t.Errorf("a cancelled loop ended with %v", err)
		}
	}
	events := c.Events(t.Context())
	close(leave)
	var names []string
	var last error
	for e, err := range events {
		if names, last = append(names, e.Name), err; err != nil {
			break
		}
	}
	if d := cmp.Diff([]string{"shutdown", ""}, names); d != "" || last == nil || last.Error() != "the gateway closed the connection: service restart (code 1012)" {
		t.Errorf("events %v, then %v", names, last)
	}
	if _, err := c.Call(t.Context(), "health", nil); err == nil || !strings.Contains(err.Error(), "service restart") {
		t.Errorf("a call on the ended connection: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsCallsAndEvents(t *testing.T) {
	asked := make(chan struct{})
	c := dial(t, newGateway(t, answering(func(*peer, protocol.Request) { close(asked) })), client.Options{})
	events := c.Events(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range events {
			t.Errorf("the loop got %v, %v", e, err)
		}
	})
	wg.Go(func() {
		if _, err := c.Call(t.Context(), "health", nil); !errors.Is(err, client.ErrClosed) {
			t.Errorf("the waiting call got %v", err)
		}
	})
	<-asked
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for e, err := range c.Events(t.Context()) {
		t.Errorf("a loop after Close got %v, %v", e, err)
	}
	if _, err := c.Call(t.Context(), "health", nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a call after Close got %v", err)
	}
}

func TestDialTellsWhyItFailed(t *testing.T) {
	refusing := newGateway(t, func(p *peer) {
		r, _ := p.receive()
		p.send(`{"type":"res","id":%s,"ok":false,"error":{"code":"NOT_PAIRED","message":"device identity required","details":{"code":"DEVICE_IDENTITY_REQUIRED"}}}`, r.ID)
		_ = p.ws.Close(websocket.StatusPolicyViolation, "device identity required")
	})
	_, err := client.Dial(t.Context(), refusing, client.Options{})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "NOT_PAIRED" {
		t.Errorf("refused: %v", err)
	}
	closing := newGateway(t, func(p *peer) { _ = p.ws.Close(websocket.StatusTryAgainLater, "full") })
	if _, err := client.Dial(t.Context(), closing, client.Options{}); err == nil || !strings.Contains(err.Error(), "full (code 1013)") {
		t.Errorf("closed: %v", err)
	}
	for address, want := range map[string]string{
		"127.0.0.1:1":                          "looks like ws://",
		"ws://user:sesame@127.0.0.1:1/?q#hash": "reach the gateway at ws://127.0.0.1:1/",
	} {
		_, err := client.Dial(t.Context(), address, client.Options{Token: "sesame"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("Dial(%q): %v, want %q and no secret", address, err, want)
		}
	}
}

func TestConnectIsSignedByTheDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity", "device.json")
	device, err := client.LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	var sent protocol.ConnectParams
	c := dial(t, newGateway(t, func(p *peer) {
		r, _ := p.receive()
		if err := rawjson.Unmarshal(r.Params, &sent); err != nil {
			t.Error(err)
		}
		p.hello(r)
		p.receive()
	}), client.Options{Token: " t ", Device: device, Scopes: []string{"operator.write", "operator.admin"}, Client: client.Info{Platform: " LinUX ", DeviceFamily: "ÄBC"}})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	key, _ := base64.RawURLEncoding.DecodeString(sent.Device.PublicKey)
	signature, _ := base64.RawURLEncoding.DecodeString(sent.Device.Signature)
	sum := sha256.Sum256(key)
	id := hex.EncodeToString(sum[:])
	signed := fmt.Sprintf("v3|%s|gateway-client|backend|operator|operator.write,operator.admin|%d| t |n-1|linux|Äbc", id, sent.Device.SignedAt)
	if sent.Device.ID != id || !ed25519.Verify(key, []byte(signed), signature) {
		t.Errorf("device %+v does not prove %q", sent.Device, signed)
	}
	if sent.MinProtocol != 3 || sent.MaxProtocol != 4 || sent.Device.Nonce != "n-1" {
		t.Errorf("connect = %+v", sent)
	}
}

func TestIdentityIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "device.json")
	one, err := client.LoadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := client.LoadIdentity(path)
	if err != nil || one.DeviceID() != two.DeviceID() || len(one.DeviceID()) != 64 {
		t.Errorf("%q, then %q, %v", one.DeviceID(), two.DeviceID(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, text := range []string{``, `{}`, `{"privateKeyPem":"x"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := client.LoadIdentity(path); err == nil || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("file %q: %v", text, err)
		}
	}
}

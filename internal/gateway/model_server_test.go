package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// dialect is what a scripted model server says in one of the protocols.
type dialect struct {
	api   string
	begin string // before the first word
	end   string // after the last one
	word  func(text string) string
}

var dialects = []dialect{
	{
		api: "openai-completions",
		end: "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
		word: func(text string) string {
			return fmt.Sprintf("data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", text)
		},
	},
	{
		api:   "anthropic-messages",
		begin: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
		end: "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n" +
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		word: func(text string) string {
			return fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\n", text)
		},
	},
}

// says is a handler that answers with words and then does end; nil ends the
// answer as it should.
func (d dialect) says(end http.HandlerFunc, words ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, d.begin)
		for _, word := range words {
			io.WriteString(w, d.word(word))
		}
		w.(http.Flusher).Flush()
		if end != nil {
			end(w, r)
			return
		}
		io.WriteString(w, d.end)
	}
}

// refuses is a handler that answers with a status and an error of this text.
func refuses(status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"error","error":{"type":"some_error","message":%q}}`, text)
	}
}

func cutOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func writes(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// modelServer answers each request with the next handler; the last one stays.
type modelServer struct {
	mu       sync.Mutex // guards all below
	handlers []http.HandlerFunc
	requests int
}

func (s *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.requests++
	h := s.handlers[0]
	if len(s.handlers) > 1 {
		s.handlers = s.handlers[1:]
	}
	s.mu.Unlock()
	h(w, r)
}

func (s *modelServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// modelBubble runs f in fake time with a gateway whose model is a server that
// answers with these handlers, in memory. A network of "refused" has nobody who
// listens, one of "tls" a certificate that nobody vouches for.
func modelBubble(t *testing.T, d dialect, network string, handlers []http.HandlerFunc, f func(t *testing.T, l *gatewaytest.Listener, s *modelServer)) {
	t.Helper()
	state := t.TempDir()
	scheme := "http"
	if network == "tls" {
		scheme = "https"
	}
	settings := fmt.Sprintf(`{"gateway":{"auth":{"mode":"token","token":"secret-token"}},"agents":{"defaults":{"model":{"primary":"p/m"}}},
		"parley":{"runs":{"maxAnswerBytes":1024}},
		"models":{"providers":{"p":{"baseUrl":"%s://models.test","apiKey":"sk-test","api":%q,"models":[{"id":"m","name":"M"}]}}}}`, scheme, d.api)
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, settings)
	synctest.Test(t, func(t *testing.T) {
		s := &modelServer{handlers: handlers}
		models := gatewaytest.NewListener(t)
		web := httptest.NewUnstartedServer(s)
		_ = web.Listener.Close()
		web.Listener = models
		web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		if network == "tls" {
			web.StartTLS()
		} else {
			web.Start()
		}
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if network == "refused" {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return models.Dial(ctx, netip.MustParseAddrPort("127.0.0.1:40000"))
		}}
		l := gatewaytest.NewListener(t)
		stop := serveModels(t, l, path, state, &http.Client{Transport: transport})
		defer func() {
			stop()
			transport.CloseIdleConnections()
			web.CloseClientConnections()
			web.Close()
		}()
		f(t, l, s)
	})
}

// serveModels is serve with a client for the requests to models.
func serveModels(t testing.TB, l net.Listener, configPath, stateDir string, models *http.Client) func() {
	t.Helper()
	cfg, _, err := config.Load(config.Options{Path: configPath, StateDir: stateDir, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return serveOptions(t, l, gateway.Options{Config: cfg, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test", Models: models})
}

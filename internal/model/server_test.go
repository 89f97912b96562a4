package model

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// modelServer is an HTTP server in memory, so that a test in a bubble of fake
// time can talk to it. Each request is answered by the next handler; the last
// one stays.
type modelServer struct {
	mu       sync.Mutex // guards all below
	handlers []http.HandlerFunc
	bodies   []string
	headers  []http.Header
}

// serve starts a server and gives a client that reaches it under any address.
func serve(t *testing.T, handlers ...http.HandlerFunc) (*modelServer, *http.Client) {
	t.Helper()
	s := &modelServer{handlers: handlers}
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: s}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.dial(ctx) }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = srv.Close()
		wg.Wait()
	})
	return s, &http.Client{Transport: transport}
}

func (s *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	h := s.handlers[0]
	if len(s.handlers) > 1 {
		s.handlers = s.handlers[1:]
	}
	s.bodies = append(s.bodies, string(body))
	s.headers = append(s.headers, r.Header.Clone())
	s.mu.Unlock()
	h(w, r)
}

func (s *modelServer) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.once.Do(func() { close(l.done) }); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

// refuse answers with a status and a body.
func refuse(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stream answers with chunks, each given as the JSON of its choices member and
// more, and then runs end.
func stream(end http.HandlerFunc, chunks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, c := range chunks {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", c)
			w.(http.Flusher).Flush()
		}
		if end != nil {
			end(w, r)
		}
	}
}

func done(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data: [DONE]\n\n") }

// cut ends the connection in the middle of the answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func content(text string) string {
	return fmt.Sprintf(`{"id":"c1","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, text)
}

const finished = `{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`

// heard is what a turn came to.
type heard struct {
	Text, Thinking, Signature, ResponseID string
	Stop                                  StopReason
	Usage                                 *Usage
}

func listen(ctx context.Context, m Model, turn Turn) (heard, error) {
	var h heard
	var text, thinking strings.Builder
	for d, err := range m.Stream(ctx, turn) {
		if err != nil {
			h.Text, h.Thinking = text.String(), thinking.String()
			return h, err
		}
		text.WriteString(d.Text)
		thinking.WriteString(d.Thinking)
		if d.Signature != "" {
			h.Signature = d.Signature
		}
		if d.ResponseID != "" {
			h.ResponseID = d.ResponseID
		}
		if d.Stop != "" {
			h.Stop = d.Stop
		}
		if d.Usage != nil {
			h.Usage = d.Usage
		}
	}
	h.Text, h.Thinking = text.String(), thinking.String()
	return h, nil
}

func say(text string) Turn { return Turn{Messages: []Message{{Role: User, Text: text}}} }

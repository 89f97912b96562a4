package gatewaytest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/jstext"
)

// Model is a scripted OpenAI-compatible model server. The last user message
// picks what it does; a directive may stand anywhere in it:
//
//	[[say TEXT]]   reply TEXT in word-sized deltas (default: "echo: " + message)
//	[[drip N MS]]  reply N deltas "w1 w2 ..." MS apart
//	[[fail CODE]]  answer HTTP CODE with an error body
//	[[hang]]       take the request and never answer
//	[[cut]]        send two deltas, then drop the connection
//
// GET /log answers every request received, as JSON. It does exactly what the
// server of the Node player does.
type Model struct {
	server *httptest.Server
	closed chan struct{}

	mu  sync.Mutex // guards log
	log []any
}

// StartModel starts a model server on the loopback address and stops it when
// the test ends.
func StartModel(t testing.TB) *Model {
	t.Helper()
	m := &Model{closed: make(chan struct{})}
	m.server = httptest.NewServer(m)
	t.Cleanup(func() {
		close(m.closed)
		m.server.CloseClientConnections()
		m.server.Close()
	})
	return m
}

// BaseURL is what a provider's baseUrl is to be: it ends in /v1.
func (m *Model) BaseURL() string { return m.server.URL + "/v1" }

// Port is the port that the server listens on.
func (m *Model) Port() int { return portOf(m.server.Listener.Addr()) }

// Requests is the number of requests received so far.
func (m *Model) Requests() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.log)
}

// ServeHTTP answers one request of a model client.
func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.RequestURI == "/log":
		m.mu.Lock()
		defer m.mu.Unlock()
		io.WriteString(w, compact(append([]any{}, m.log...)))
	case r.Method == http.MethodGet && strings.HasSuffix(r.RequestURI, "/models"):
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"object":"list","data":[{"id":"m1","object":"model"},{"id":"m2","object":"model"}]}`)
	default:
		m.complete(w, r)
	}
}

// complete answers a chat completion.
func (m *Model) complete(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	body, err := parseJSON(raw)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "{}")
		return
	}
	m.record(r, body)
	s := readScript(lastUserText(body))
	switch {
	case s.fail != 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.fail)
		fmt.Fprintf(w, `{"error":{"message":"scripted failure %d","type":"server_error"}}`, s.fail)
	case s.hang:
		select {
		case <-r.Context().Done():
		case <-m.closed:
		}
		panic(http.ErrAbortHandler)
	case truthy(member(body, "stream")):
		s.stream(w, r, member(body, "model"))
	default:
		s.whole(w, member(body, "model"))
	}
}

func (m *Model) record(r *http.Request, body any) {
	entry := newObject()
	entry.set("url", r.RequestURI)
	if auth, ok := r.Header["Authorization"]; ok {
		entry.set("auth", strings.Join(auth, ", "))
	}
	entry.set("body", body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, entry)
}

// lastUserText is the text of the last user message, "" without one.
func lastUserText(body any) string {
	messages, _ := member(body, "messages").([]any)
	for i := len(messages) - 1; i >= 0; i-- {
		if member(messages[i], "role") == any("user") {
			return contentText(member(messages[i], "content"))
		}
	}
	return ""
}

func contentText(c any) string {
	if s, ok := c.(string); ok {
		return s
	}
	parts, _ := c.([]any)
	var out strings.Builder
	for _, p := range parts {
		if t := member(p, "text"); !nullish(t) {
			out.WriteString(text(t))
		}
	}
	return out.String()
}

// modelScript is what a message asks the model server to do.
type modelScript struct {
	fail  int
	hang  bool
	words []string
	gap   time.Duration
	cut   bool
}

func readScript(message string) modelScript {
	if m := regexp.MustCompile(`\[\[fail ([0-9]+)\]\]`).FindStringSubmatch(message); m != nil {
		code, _ := strconv.Atoi(m[1])
		return modelScript{fail: code}
	}
	if strings.Contains(message, "[[hang]]") {
		return modelScript{hang: true}
	}
	s := modelScript{words: strings.SplitAfter("echo: "+jstext.Trim(message), " ")}
	if m := regexp.MustCompile(`\[\[say ([^\]]*)\]\]`).FindStringSubmatch(message); m != nil {
		s.words = strings.SplitAfter(m[1], " ")
	}
	// JavaScript splits at a place, so a text that ends in a space has no
	// empty last word.
	if n := len(s.words); n > 1 && s.words[n-1] == "" {
		s.words = s.words[:n-1]
	}
	if m := regexp.MustCompile(`\[\[drip ([0-9]+) ([0-9]+)\]\]`).FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1])
		ms, _ := strconv.Atoi(m[2])
		s.words, s.gap = nil, time.Duration(ms)*time.Millisecond
		for i := range n {
			s.words = append(s.words, fmt.Sprintf("w%d ", i+1))
		}
	}
	if strings.Contains(message, "[[cut]]") {
		s.words, s.cut = []string{"cut ", "short"}, true
	}
	return s
}

// head is the part that every answer begins with, and usage the token counts.
func (s modelScript) head(kind string, model any) string {
	named := ""
	if t, ok := stringify(model); ok {
		named = `"model":` + t + `,`
	}
	return fmt.Sprintf(`{"id":"chatcmpl-1","created":%d,%s"object":%q`, time.Now().Unix(), named, kind)
}

func (s modelScript) usage() string {
	n := len(s.words)
	return fmt.Sprintf(`"usage":{"prompt_tokens":100,"completion_tokens":%d,"total_tokens":%d}}`, n, 100+n)
}

// whole answers without streaming.
func (s modelScript) whole(w http.ResponseWriter, model any) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `%s,"choices":[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"stop"}],%s`,
		s.head("chat.completion", model), compact(strings.Join(s.words, "")), s.usage())
}

// stream answers as server-sent events.
func (s modelScript) stream(w http.ResponseWriter, r *http.Request, model any) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	put := func(rest string) {
		fmt.Fprintf(w, "data: %s,%s\n\n", s.head("chat.completion.chunk", model), rest)
		_ = out.Flush() // a client that has left is noticed by its context
	}
	put(`"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`)
	for _, word := range s.words {
		if r.Context().Err() != nil {
			return
		}
		put(`"choices":[{"index":0,"delta":{"content":` + compact(word) + `},"finish_reason":null}]}`)
		pause(r.Context(), s.gap)
	}
	if s.cut {
		panic(http.ErrAbortHandler)
	}
	put(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	put(`"choices":[],` + s.usage())
	io.WriteString(w, "data: [DONE]\n\n")
}

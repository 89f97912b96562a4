package loadtest

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// model is a model server of the OpenAI kind that says what its request asks for:
// "pieces N MS" anywhere in the last message gives N pieces MS apart.
type model struct {
	listener net.Listener
	server   *http.Server

	mu    sync.Mutex           // guards ended
	ended map[string]time.Time // when the answer to a text had been sent
}

func newModel() (*model, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &model{listener: l, ended: map[string]time.Time{}}
	m.server = &http.Server{Handler: m}
	go func() { _ = m.server.Serve(l) }() // ends with close
	return m, nil
}

func (m *model) url() string { return "http://" + m.listener.Addr().String() + "/v1" }

func (m *model) close() { _ = m.server.Close() }

// config makes the model the one of all sessions.
func (m *model) config(more string) string {
	return `{models: {providers: {load: {baseUrl: "` + m.url() + `", apiKey: "k", api: "openai-completions", models: [{id: "m", name: "M", contextWindow: 1000000, maxTokens: 4096}]}}},
		agents: {defaults: {model: {primary: "load/m"}, maxConcurrent: 256}}` + more + `}`
}

// ServeHTTP streams an answer.
func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	order := text.String()
	if i := strings.LastIndex(order, "pieces "); i >= 0 {
		order = order[i:]
	}
	var n, pause int
	fmt.Sscanf(order, "pieces %d %d", &n, &pause)
	name := strings.Fields(order + " x x x x")[3]
	name, _, _ = strings.Cut(name, `"`)
	w.Header().Set("Content-Type", "text/event-stream")
	f, _ := w.(http.Flusher)
	for i := range n {
		if pause > 0 {
			time.Sleep(time.Duration(pause) * time.Millisecond)
		}
		_, _ = fmt.Fprintf(w, `data: {"id":"c","choices":[{"index":0,"delta":{"content":"w%s "}}]}`+"\n\n", strconv.Itoa(i)) // who asked may be gone
		if pause > 0 && f != nil {
			f.Flush()
		}
	}
	_, _ = fmt.Fprint(w, `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`+"\n\ndata: [DONE]\n\n")
	if f != nil {
		f.Flush()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended[name] = time.Now()
}

// endOf is when the answer to a message of this name had been sent.
func (m *model) endOf(name string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended[name]
}

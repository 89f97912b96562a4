package gatewaytest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// The benchmarks measure the gateway as a client sees it, over TCP. Each has a
// floor beside it: a bare WebSocket server that answers with as many bytes, or
// a bare append with a sync, on the same machine in the same run. Figures mean
// something only beside their floor. See doc/performance.md.

// BenchmarkPatch is a durable change of one session in a store of that many.
func BenchmarkPatch(b *testing.B) {
	for _, entries := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			c := dialBench(b, startBench(b, entries))
			n := 0
			rate(b, func() {
				n++
				c.ask(b, patch(n%entries, n))
			})
		})
	}
	request, answer := patch(1, 1), strings.Repeat("x", 700)
	b.Run("floor=echo", func(b *testing.B) { benchEcho(b, request, answer) })
	b.Run("floor=append+sync", func(b *testing.B) { benchAppend(b, 400) })
}

// BenchmarkList is sessions.list of the newest 50 in a store of that many, right
// after a change, which is not measured: the plain list, the list with titles
// and last messages, a page from the middle, and a search that finds one session
// by the end of its label.
func BenchmarkList(b *testing.B) {
	const request = `{"type":"req","id":"1","method":"sessions.list","params":{"limit":50%s}}`
	size := 0
	for _, show := range []string{"plain", "titles", "page", "search"} {
		for _, entries := range []int{100, 1000, 10000, 100000} {
			more := map[string]string{
				"titles": `,"includeDerivedTitles":true,"includeLastMessage":true`,
				"page":   fmt.Sprintf(`,"offset":%d`, entries/2),
				"search": fmt.Sprintf(`,"search":"SION %d"`, entries-1),
			}[show]
			b.Run(fmt.Sprintf("%s/entries=%d", show, entries), func(b *testing.B) {
				c := dialBench(b, startBench(b, entries))
				afterPatch(b, c, func(int) { size = len(c.ask(b, fmt.Sprintf(request, more))) })
				b.ReportMetric(float64(size), "answer-bytes")
			})
		}
		if show == "titles" {
			b.Run("floor=echo", func(b *testing.B) { benchEcho(b, request, strings.Repeat("x", max(size, 1))) })
		}
	}
}

// BenchmarkResolve is sessions.resolve in a store of that many, right after a
// change, which is not measured.
func BenchmarkResolve(b *testing.B) {
	const request = `{"type":"req","id":"1","method":"sessions.resolve","params":{%s}}`
	for _, by := range []string{`"key":"agent:main:s%d"`, `"label":"session %d"`, `"sessionId":"agent:main:s%d"`} {
		for _, entries := range []int{100, 1000, 10000, 100000} {
			name, _, _ := strings.Cut(by[1:], `"`)
			b.Run(fmt.Sprintf("by=%s/entries=%d", name, entries), func(b *testing.B) {
				c := dialBench(b, startBench(b, entries))
				afterPatch(b, c, func(n int) {
					c.ask(b, fmt.Sprintf(request, fmt.Sprintf(by, (n*101+1)%(entries-1)+1)))
				})
			})
		}
	}
	b.Run("floor=echo", func(b *testing.B) { benchEcho(b, fmt.Sprintf(request, `"key":"x"`), strings.Repeat("x", 80)) })
}

// afterPatch measures f, each time after a change of the first session.
func afterPatch(b *testing.B, c benchConn, f func(n int)) {
	b.Helper()
	n := 0
	rate(b, func() {
		b.StopTimer()
		n++
		c.ask(b, patch(0, n))
		b.StartTimer()
		f(n)
	})
}

// BenchmarkFanOut is a change of one session until all subscribers have heard
// of it.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int{1, 100} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			url := startBench(b, 100)
			heard := new(sync.WaitGroup)
			for range subscribers {
				c := dialBench(b, url)
				c.ask(b, `{"type":"req","id":"1","method":"sessions.subscribe"}`)
				c.listen(b, `"event":"sessions.changed"`, heard)
			}
			c := dialBench(b, url)
			n := 0
			rate(b, func() {
				n++
				heard.Add(subscribers)
				c.ask(b, patch(n%100, n))
				heard.Wait()
			})
		})
		b.Run(fmt.Sprintf("subscribers=%d/floor=echo", subscribers), func(b *testing.B) { benchFanOutFloor(b, subscribers) })
	}
}

func patch(session, n int) string {
	return fmt.Sprintf(`{"type":"req","id":"1","method":"sessions.patch","params":{"key":"agent:main:s%d","label":"label %d"}}`, session, n)
}

// rate measures f and reports how often it ran in a second.
func rate(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// startBench starts the gateway on a store of that many entries and returns
// its URL.
func startBench(b *testing.B, entries int) string {
	b.Helper()
	state := b.TempDir()
	write(b, filepath.Join(state, "openclaw.json"), `{"gateway":{"auth":{"mode":"token","token":"secret-token"}},"parley":{"deviceless":"loopback"},"session":{"maintenance":{"mode":"warn"}}}`)
	dir := filepath.Join(state, "agents", "main", "sessions")
	var store strings.Builder
	for i := range entries {
		id := uuid.NewString()
		fmt.Fprintf(&store, `%s"agent:main:s%d":{"sessionId":%q,"updatedAt":%d,"label":"session %d","thinkingLevel":"high","model":"m1","modelProvider":"fake"}`,
			"{,"[min(i, 1):][:1], i, id, 1767225600000+i, i)
		if i == 0 || i >= entries-withTranscript {
			write(b, filepath.Join(dir, id+".jsonl"), talk(id))
		}
	}
	write(b, filepath.Join(dir, "sessions.json"), store.String()+"}")
	port := freePort(b)
	stop, err := inProcess(b.Context(), gatewaytest.Launch{
		StateDir: state, ConfigPath: filepath.Join(state, "openclaw.json"), Port: port, Home: state, Log: io.Discard,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(false) })
	return "ws://127.0.0.1:" + strconv.Itoa(port)
}

// withTranscript is how many of the newest sessions have a transcript: more than
// a list shows.
const withTranscript = 200

// talk is a transcript of ten messages.
func talk(id string) string {
	var t strings.Builder
	fmt.Fprintf(&t, `{"type":"session","version":3,"id":%q,"timestamp":"2026-01-05T10:00:00.000Z","cwd":"/"}`+"\n", id)
	for i := range 5 {
		fmt.Fprintf(&t, `{"type":"message","id":"u%d","timestamp":"2026-01-05T10:00:00.000Z","message":{"role":"user","content":[{"type":"text","text":"What about the plants on the balcony, day %d?"}],"timestamp":1767607200000}}`+"\n", i, i)
		fmt.Fprintf(&t, `{"type":"message","id":"a%d","timestamp":"2026-01-05T10:00:01.000Z","message":{"role":"assistant","content":[{"type":"text","text":%q}],"provider":"fake","model":"m1","usage":{"input":100,"output":20,"totalTokens":120},"timestamp":1767607201000}}`+"\n", i, strings.Repeat("They want water. ", 20))
	}
	return t.String()
}

func freePort(t testing.TB) int {
	t.Helper()
	s := httptest.NewServer(nil)
	defer s.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// benchConn is a client of a benchmark.
type benchConn struct{ ws *websocket.Conn }

// dialBench connects to a gateway as an operator with all scopes.
func dialBench(b *testing.B, url string) benchConn {
	b.Helper()
	c := dialBare(b, url)
	if _, _, err := c.ws.Read(b.Context()); err != nil { // the challenge
		b.Fatal(err)
	}
	c.ask(b, `{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":3,"client":{"id":"cli","version":"0","platform":"linux","mode":"cli"},"role":"operator","scopes":["operator.admin"],"auth":{"token":"secret-token"}}}`)
	return c
}

func dialBare(b *testing.B, url string) benchConn {
	b.Helper()
	ws, _, err := websocket.Dial(b.Context(), url, nil)
	if err != nil {
		b.Fatal(err)
	}
	ws.SetReadLimit(64 << 20)
	b.Cleanup(func() { ws.CloseNow() })
	return benchConn{ws}
}

// ask sends a request and returns its answer, which must be a success. Events
// that come in between are left out.
func (c benchConn) ask(b *testing.B, request string) []byte {
	b.Helper()
	if err := c.ws.Write(b.Context(), websocket.MessageText, []byte(request)); err != nil {
		b.Fatal(err)
	}
	for {
		_, text, err := c.ws.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if bytes.HasPrefix(text, []byte(`{"type":"event"`)) {
			continue
		}
		if !bytes.Contains(text[:min(len(text), 100)], []byte(`"ok":true`)) {
			b.Fatalf("%s\nwas answered %s", request, text)
		}
		return text
	}
}

// listen counts down heard for every frame that contains the text.
func (c benchConn) listen(b *testing.B, text string, heard *sync.WaitGroup) {
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			_, frame, err := c.ws.Read(context.Background())
			if err != nil {
				return
			}
			if bytes.Contains(frame, []byte(text)) {
				heard.Done()
			}
		}
	})
	b.Cleanup(func() {
		c.ws.CloseNow()
		reading.Wait()
	})
}

// bare serves WebSockets: each message is handed to answer.
func bare(b *testing.B, answer func(ctx context.Context, ws *websocket.Conn) error) string {
	b.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			if _, _, err := ws.Read(r.Context()); err != nil {
				return
			}
			if err := answer(r.Context(), ws); err != nil {
				return
			}
		}
	}))
	b.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// benchEcho is a request and an answer of that size, and nothing else.
func benchEcho(b *testing.B, request, answer string) {
	reply := []byte(`{"ok":true}` + answer)
	url := bare(b, func(ctx context.Context, ws *websocket.Conn) error {
		return ws.Write(ctx, websocket.MessageText, reply)
	})
	c := dialBare(b, url)
	rate(b, func() { c.ask(b, request) })
}

// benchFanOutFloor is a request after which the server writes 700 bytes to
// every subscriber.
func benchFanOutFloor(b *testing.B, subscribers int) {
	var mu sync.Mutex // guards listeners
	var listeners []*websocket.Conn
	event, reply := []byte(`{"event":"x"}`+strings.Repeat("x", 700)), []byte(`{"ok":true}`+strings.Repeat("x", 700))
	url := bare(b, func(ctx context.Context, ws *websocket.Conn) error {
		mu.Lock()
		defer mu.Unlock()
		if len(listeners) < subscribers {
			listeners = append(listeners, ws)
			return ws.Write(ctx, websocket.MessageText, reply)
		}
		for _, l := range listeners {
			if err := l.Write(ctx, websocket.MessageText, event); err != nil {
				return err
			}
		}
		return ws.Write(ctx, websocket.MessageText, reply)
	})
	heard := new(sync.WaitGroup)
	for range subscribers {
		c := dialBare(b, url)
		c.ask(b, "subscribe")
		c.listen(b, `"event":"x"`, heard)
	}
	c := dialBare(b, url)
	rate(b, func() {
		heard.Add(subscribers)
		c.ask(b, patch(1, 1))
		heard.Wait()
	})
}

// benchAppend is an append of that many bytes with a sync of the data.
func benchAppend(b *testing.B, size int) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	line := bytes.Repeat([]byte("x"), size)
	rate(b, func() {
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := syncData(f); err != nil {
			b.Fatal(err)
		}
	})
}

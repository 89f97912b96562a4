package gatewaytest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	benchWords = 40 // of an answer
	benchTurns = 10 // messages to a session before the next one is begun
)

// BenchmarkRuns is a message to each of N sessions at once until all answers are
// there, through the gateway and, by turns in the same run, by a bare client that
// asks the model server itself and keeps nothing. The model answers 40 words as
// fast as it can, each in a chunk of its own.
func BenchmarkRuns(b *testing.B) {
	for _, sessions := range []int{1, 50, 200} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) { benchRuns(b, sessions) })
	}
}

func benchRuns(b *testing.B, sessions int) {
	server := httptest.NewServer(http.HandlerFunc(benchAnswer))
	b.Cleanup(server.Close)
	g := dialBench(b, startBenchRuns(b, server.URL))
	transport := &http.Transport{MaxIdleConnsPerHost: sessions}
	defer transport.CloseIdleConnections()
	bare := &http.Client{Transport: transport}
	var through, direct cost
	n := 0
	for b.Loop() {
		through.count(func() { benchRound(b, g, n, sessions) })
		direct.count(func() { bareRound(b, bare, server.URL, n, sessions) })
		n++
	}
	runs := n * sessions
	b.ReportMetric(0, "ns/op") // of both together
	through.report(b, runs, "")
	direct.report(b, runs, "bare-")
	b.ReportMetric(float64(through.time-direct.time)/float64(runs)/1e3, "more-µs/run")
}

// cost is what something has taken so far.
type cost struct {
	time          time.Duration
	allocs, bytes uint64
}

func (c *cost) count(f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	c.time += time.Since(start)
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

func (c *cost) report(b *testing.B, runs int, name string) {
	b.ReportMetric(float64(runs)/c.time.Seconds(), name+"runs/s")
	b.ReportMetric(float64(c.allocs)/float64(runs), name+"allocs/run")
	b.ReportMetric(float64(c.bytes)/float64(runs)/1024, name+"KB/run")
}

func startBenchRuns(b *testing.B, model string) (url string) {
	state := b.TempDir()
	config := filepath.Join(state, "openclaw.json")
	write(b, config, fmt.Sprintf(`{"gateway":{"auth":{"mode":"token","token":"secret-token"}},"parley":{"deviceless":"loopback"},
		"session":{"maintenance":{"mode":"warn"}},"agents":{"defaults":{"model":{"primary":"p/m"}}},
		"models":{"providers":{"p":{"baseUrl":%q,"apiKey":"k","api":"openai-completions","models":[{"id":"m","name":"M"}]}}}}`, model))
	port := freePort(b)
	stop, err := inProcess(b.Context(), gatewaytest.Launch{StateDir: state, ConfigPath: config, Port: port, Home: state, Log: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(false) })
	return "ws://127.0.0.1:" + strconv.Itoa(port)
}

// benchAnswer is the model.
func benchAnswer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range benchWords {
		fmt.Fprintf(w, `data: {"id":"c","choices":[{"index":0,"delta":{"content":"word%d "}}]}`+"\n\n", i)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140}}`+"\n\ndata: [DONE]\n\n")
}

// benchRound sends a message to each session and waits for all finals.
func benchRound(b *testing.B, c benchConn, round, sessions int) {
	for i := range sessions {
		request := fmt.Sprintf(`{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":"s%d-%d","message":"Hello, how are you?","idempotencyKey":"r%d-%[2]d"}}`,
			round/benchTurns, i, round)
		if err := c.ws.Write(b.Context(), websocket.MessageText, []byte(request)); err != nil {
			b.Fatal(err)
		}
	}
	for finals := 0; finals < sessions; {
		_, text, err := c.ws.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		switch {
		case bytes.Contains(text, []byte(`"state":"final"`)):
			finals++
		case bytes.Contains(text, []byte(`"ok":false`)), bytes.Contains(text, []byte(`"state":"error"`)):
			b.Fatalf("a run failed: %s", text)
		}
	}
}

// bareRound asks the model itself as often.
func bareRound(b *testing.B, c *http.Client, url string, round, sessions int) {
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			if err := askBare(b, c, url, round%benchTurns); err != nil {
				b.Errorf("bare request %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// askBare asks for an answer in a conversation of as many turns and puts it
// together.
func askBare(b *testing.B, c *http.Client, url string, turns int) error {
	var body strings.Builder
	body.WriteString(`{"model":"m","stream":true,"messages":[`)
	for range turns {
		fmt.Fprintf(&body, `{"role":"user","content":"Hello, how are you?"},{"role":"assistant","content":%q},`, strings.Repeat("word12 ", benchWords))
	}
	body.WriteString(`{"role":"user","content":"Hello, how are you?"}]}`)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/chat/completions", strings.NewReader(body.String()))
	if err != nil {
		return err
	}
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer strings.Builder
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: {")
		if ok && rawjson.Unmarshal([]byte("{"+data), &chunk) == nil && len(chunk.Choices) > 0 {
			answer.WriteString(chunk.Choices[0].Delta.Content)
		}
	}
	if !strings.HasSuffix(answer.String(), fmt.Sprintf("word%d ", benchWords-1)) {
		return fmt.Errorf("the answer is %.100q", answer.String())
	}
	return nil
}

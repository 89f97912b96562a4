package acp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/acp/acptest"
	"github.com/parleyd/parley/internal/model"
)

// bench is an agent, which is the scripted one of acptest, and the conversations
// with it.
type bench struct {
	*Agent
	t       *testing.T
	journal string
	store   string
	logged  *synced

	mu    sync.Mutex // guards talks
	talks map[string][]model.Message
	clock int64
}

// newBench makes an agent with these arguments; change changes its options.
func newBench(t *testing.T, change func(*Options), args ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	return newBenchIn(t, dir, change, args...)
}

func newBenchIn(t *testing.T, dir string, change func(*Options), args ...string) *bench {
	t.Helper()
	b := &bench{t: t, journal: filepath.Join(dir, "journal"), store: filepath.Join(dir, "store"), logged: &synced{}, talks: map[string][]model.Message{}}
	name, value := acptest.Env()
	o := Options{
		Name: "coder", Command: acptest.Command(), Args: append([]string{"-journal", b.journal}, args...),
		Env: []string{name + "=" + value, "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Dir: filepath.Join(dir, "work"), Shared: true,
		Policy: PolicyDeny, Version: "test", Log: slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	b.Agent = New(o)
	b.limits.backoff = time.Millisecond
	t.Cleanup(b.stop)
	return b
}

func (b *bench) stop() { b.Close(context.Background()) }

// synced is a buffer for a log.
type synced struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// answer is what came of a turn.
type answer struct {
	text, thinking string
	tools          []model.ToolStep
	usage          *model.Usage
	stop           model.StopReason
	err            error
}

// message is a message of the user to a session, at a time of its own.
func (b *bench) message(key, text string) model.Turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock++
	b.talks[key] = append(b.talks[key], model.Message{Role: model.User, Text: text, At: b.clock})
	return model.Turn{Session: model.Session{Key: key, ID: "id of " + key, Agent: "main", RunID: "run", Dir: "/"}, Messages: b.talks[key]}
}

// asked asks a turn, and calls each with every piece as it comes.
func (b *bench) asked(ctx context.Context, t model.Turn, id string, each func(model.Delta)) answer {
	var a answer
	for d, err := range b.Model(id).Stream(ctx, t) {
		if err != nil {
			a.err = err
			break
		}
		a.text += d.Text
		a.thinking += d.Thinking
		if d.Tool != nil {
			a.tools = append(a.tools, *d.Tool)
		}
		if d.Usage != nil {
			a.usage = d.Usage
		}
		if d.Stop != "" {
			a.stop = d.Stop
		}
		if each != nil {
			each(d)
		}
	}
	if a.err == nil && t.Session.Key != "" {
		b.mu.Lock()
		b.talks[t.Session.Key] = append(b.talks[t.Session.Key], model.Message{Role: model.Assistant, Text: a.text})
		b.mu.Unlock()
	}
	return a
}

// ask says text in a session and returns the answer.
func (b *bench) ask(key, text string) answer {
	b.t.Helper()
	return b.asked(b.t.Context(), b.message(key, text), "m", nil)
}

// says asks, and wants an answer with this text.
func (b *bench) says(key, text, want string) {
	b.t.Helper()
	if a := b.ask(key, text); a.err != nil || a.text != want {
		b.t.Errorf("%s to %q: %q, %v; want %q", key, text, a.text, a.err, want)
	}
}

// fails asks, and wants a fault for people whose text holds all of these.
func (b *bench) fails(key, text string, want ...string) string {
	b.t.Helper()
	a := b.ask(key, text)
	f, ok := errors.AsType[*model.Fault](a.err)
	if !ok {
		b.t.Fatalf("%s to %q: %q, %v; want a fault", key, text, a.text, a.err)
	}
	for _, w := range append(want, `The agent "coder" `) {
		if !strings.Contains(f.Shown, w) {
			b.t.Errorf("%s to %q: fault %q, want %q in it", key, text, f.Shown, w)
		}
	}
	return f.Shown
}

// calls is what the processes were told, each line without the process.
func (b *bench) calls() []string {
	b.t.Helper()
	data, err := os.ReadFile(b.journal)
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, rest)
	}
	return out
}

// count is how often the processes were told something.
func (b *bench) count(call string) int {
	n := 0
	for _, c := range b.calls() {
		if c == call {
			n++
		}
	}
	return n
}

// pid is the process of the only slot that there is.
func (b *bench) pid() int {
	b.t.Helper()
	b.Agent.mu.Lock()
	defer b.Agent.mu.Unlock()
	for _, p := range b.current {
		return p.pid
	}
	b.t.Fatal("no process runs")
	return 0
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 10 s still not: %s", what)
}

// alive reports whether a process exists, other than as a zombie.
func alive(pid int) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // where there is such a file
	_, state, _ := strings.Cut(string(data), ") ")
	return syscall.Kill(pid, 0) == nil && !strings.HasPrefix(state, "Z")
}

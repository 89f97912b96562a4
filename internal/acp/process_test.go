package acp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/model"
)

// during asks a turn and calls f once it has said something.
func (b *bench) during(key, text string, f func()) answer {
	b.t.Helper()
	once := sync.OnceFunc(f)
	return b.asked(b.t.Context(), b.message(key, text), "m", func(d model.Delta) {
		if d.Text != "" {
			once()
		}
	})
}

func TestProcessThatDies(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Secrets = []string{"sesame-open"} })
	shown := b.fails("k", "[[stderr key is sesame-open]][[stderr out of luck]][[exit 3]]", "ended by itself (exit status 3)", "It said last: key is ***\nout of luck")
	if strings.Contains(shown, "sesame") {
		t.Errorf("a secret is told: %q", shown)
	}
	b.says("k", "again", "heard 1: again") // by a new process, which is told what there was

	a := b.during("k", "[[say x]][[wait]]", func() { _ = syscall.Kill(b.pid(), syscall.SIGKILL) })
	if f, ok := errors.AsType[*model.Fault](a.err); !ok || !strings.Contains(f.Shown, "ended by itself (signal: killed)") {
		t.Errorf("killed in a turn: %q, %v", a.text, a.err)
	}
	b.says("k", "and again", "heard 1: and again")

	pid := b.pid()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	until(t, "its end is known", func() bool { b.Agent.mu.Lock(); defer b.Agent.mu.Unlock(); return len(b.all) == 0 })
	b.says("k", "killed between turns", "heard 1: killed between turns")
	if got := b.count("start"); got != 4 {
		t.Errorf("%d processes were started, want 4", got)
	}
}

// Each death makes the next start wait longer, an answer makes that good.
func TestRestartsWaitLonger(t *testing.T) {
	b := newBench(t, nil, "-bad", "exit")
	for range 4 {
		b.fails("k", "x", "ended by itself (exit status 3)", "no configuration found")
	}
	log := b.logged.String()
	for _, want := range []string{"deaths=1 restartAfter=1ms", "deaths=2 restartAfter=2ms", "deaths=3 restartAfter=4ms", "deaths=4 restartAfter=8ms"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	b.Agent.mu.Lock()
	b.failures = 60
	b.Agent.mu.Unlock()
	b.fails("k", "x", "ended by itself")
	if log := b.logged.String(); !strings.Contains(log, "deaths=61 restartAfter=30s") {
		t.Errorf("the wait is not bounded:\n%s", log)
	}
	// Who waits for it can leave.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := b.asked(ctx, b.message("k", "x"), "m", nil); !errors.Is(a.err, context.Canceled) {
		t.Errorf("while it waits: %v", a.err)
	}
	b.answered()
	b.fails("k", "x", "ended by itself")
}

func TestProgramsThatAreNone(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Command = "/no/such/program" })
	b.fails("k", "x", "could not be started", "/no/such/program", "check models.providers.coder.command")
	b.fails("k", "x", "could not be started") // and nothing hangs

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b = newBench(t, func(o *Options) { o.Dir = filepath.Join(file, "dir") })
	b.fails("k", "x", "cannot work: its directory could not be made")
}

// Nothing that a process has started outlives it, however it ends.
func TestChildrenEndWithTheProcess(t *testing.T) {
	for _, way := range []string{"exit", "kill", "stop"} {
		t.Run(way, func(t *testing.T) {
			b := newBench(t, nil)
			a := b.ask("k", "[[child]]")
			child, err := strconv.Atoi(a.text)
			if err != nil || !alive(child) {
				t.Fatalf("child %q, %v", a.text, a.err)
			}
			switch way {
			case "exit":
				b.fails("k", "[[exit 0]]", "ended by itself (exit status 0)")
			case "kill":
				_ = syscall.Kill(b.pid(), syscall.SIGKILL)
			case "stop":
				b.stop()
			}
			until(t, "the child has ended", func() bool { return !alive(child) })
		})
	}
}

func TestCloseEndsProcesses(t *testing.T) {
	b := newBench(t, nil)
	b.says("k", "x", "heard 1: x")
	pid := b.pid()
	b.stop()
	if alive(pid) {
		t.Error("the process still runs")
	}
	if got := b.calls(); got[len(got)-1] != "end EOF" {
		t.Errorf("it was not let end by itself: %q", got)
	}
	if a := b.ask("k", "y"); !errors.Is(a.err, errClosing) {
		t.Errorf("after the end: %v", a.err)
	}

	b = newBench(t, nil, "-bad", "stubborn")
	b.limits.stdin, b.limits.term = 50*time.Millisecond, 50*time.Millisecond
	b.says("k", "x", "heard 1: x")
	pid = b.pid()
	b.stop()
	if alive(pid) {
		t.Error("a process that ignores its end still runs")
	}

	// When there is no time left, there is no waiting.
	b = newBench(t, nil, "-bad", "stubborn")
	b.limits.stdin, b.limits.term = time.Hour, time.Hour
	b.says("k", "x", "heard 1: x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Close(ctx)
}

func TestProcessOfEachSession(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Shared, o.MaxProcesses = false, 2 })
	b.says("a", "x", "heard 1: x")
	b.says("b", "x", "heard 1: x")
	b.says("a", "y", "heard 2: y")
	b.says("c", "x", "heard 1: x") // b's process, idle for the longest, makes room
	b.says("a", "z", "heard 3: z")
	if got := b.count("start"); got != 3 {
		t.Errorf("%d processes were started, want 3", got)
	}

	// With all of them busy a turn waits for the first that is not.
	var late answer
	var wg sync.WaitGroup
	first := b.during("a", "[[say x]][[permit c ls]]", func() {
		b.during("c", "[[say x]][[permit c ls]]", func() {
			wg.Go(func() { late = b.ask("d", "late") })
		})
	})
	wg.Wait()
	if first.err != nil || late.err != nil || late.text != "heard 1: late" {
		t.Errorf("first %v; late %q, %v", first.err, late.text, late.err)
	}
}

// A death hurts the sessions of that process and no others.
func TestDeathHurtsItsOwnSessions(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Shared = false })
	a := b.during("a", "[[say x]][[permit c ls]][[say y]]", func() { b.fails("b", "[[exit 1]]", "exit status 1") })
	if a.err != nil || a.text != "xselected o3. y" {
		t.Errorf("%q, %v", a.text, a.err)
	}
}

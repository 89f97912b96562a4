package acp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/model"
)

func TestAgentsThatDoNotBegin(t *testing.T) {
	for bad, want := range map[string]string{
		"silent":  "did not introduce itself within 300ms and was ended",
		"version": "speaks version 99 of the protocol, and not version 1 and was ended",
		"refuse":  "refused to initialize: out of order and was ended",
		"login":   "wants a login first. Log in with its own program, or give it a key in models.providers.coder.env. It offers: Log in with a key.",
	} {
		t.Run(bad, func(t *testing.T) {
			b := newBench(t, nil, "-bad", bad)
			if bad == "silent" {
				b.limits.initialize = 300 * time.Millisecond
			}
			b.fails("k", "x", want)
		})
	}
	b := newBench(t, nil, "-bad", "banner")
	b.says("k", "x", "heard 1: x") // what is no message is passed over
	if !strings.Contains(b.logged.String(), "Welcome to the agent!") {
		t.Error("what it greeted with is not in the log")
	}
}

// What a process writes cannot hurt more than its own turns.
func TestHostileProcesses(t *testing.T) {
	for text, want := range map[string]string{
		"[[say x]][[garbage 5000]]":   "wrote 1001 lines in a row that are no messages of the protocol and was ended",
		"[[say x]][[long]]":           "wrote a line longer than 8 MiB and was ended",
		"[[tools 3000]][[wait]]":      "used tools more often than 2000 times in one turn and was stopped",
		"[[requests 100000]][[wait]]": "requests without waiting for an answer and was ended",
	} {
		t.Run(text, func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				o.Policy = PolicyAsk
				o.Ask = func(ctx context.Context, _ Question) Decision { <-ctx.Done(); return Deny }
			})
			b.fails("k", text, want)
			if a := b.ask("k", "good"); a.err != nil || !strings.HasSuffix(a.text, ": good") {
				t.Errorf("afterwards: %q, %v", a.text, a.err)
			}
		})
	}
}

// Some noise between messages is not hostile.
func TestNoiseIsPassedOver(t *testing.T) {
	b := newBench(t, nil)
	b.says("k", "[[garbage 900]][[say a]][[garbage 900]][[say b]]", "ab")
}

// An agent that is faster than who listens waits; nothing is lost.
func TestFloodIsHeldUp(t *testing.T) {
	b := newBench(t, nil)
	const n = 50_000
	turn := b.message("k", fmt.Sprintf("[[flood %d]][[say end]]", n))
	pieces, most := 0, 0
	a := b.asked(t.Context(), turn, "m", func(d model.Delta) {
		if pieces++; pieces < 20 {
			time.Sleep(5 * time.Millisecond) // slow at first
		}
		most = max(most, len(d.Text))
	})
	if a.err != nil || a.text != strings.Repeat("flood ", n)+"end" {
		t.Errorf("%d bytes, %v", len(a.text), a.err)
	}
	if most > 2*queuePiece {
		t.Errorf("a piece has %d bytes", most)
	}
	t.Logf("%d messages came in %d pieces", n, pieces)
}

func TestTooMuchIsStopped(t *testing.T) {
	b := newBench(t, nil)
	b.limits.answer = 1 << 20
	b.fails("k", "[[flood 20000]]", "said more than 1 MiB in one turn and was stopped")
}

// A turn that is cancelled and goes on costs the process, unless others are
// answered by it; those end first.
func TestAgentsThatIgnoreCancel(t *testing.T) {
	t.Run("alone", func(t *testing.T) {
		b := newBench(t, nil)
		b.limits.cancel = 50 * time.Millisecond
		b.deafTurn("k", "deaf")
		b.says("k", "x", "heard 1: x")
		until(t, "its end is in the log", func() bool {
			return strings.Contains(b.logged.String(), "did not stop when its turn was cancelled and was ended")
		})
	})
	t.Run("beside another turn", func(t *testing.T) {
		b := newBench(t, nil)
		b.limits.cancel = 50 * time.Millisecond
		var pid int
		a := b.during("other", "[[say x]][[permit c ls]][[say y]]", func() {
			pid = b.pid()
			b.deafTurn("k", "deaf")
			b.says("k", "x", "heard 1: x") // by another process
			if p := b.pid(); p == pid {
				t.Error("the process that does not obey gets new turns")
			}
		})
		if a.err != nil || a.text != "xselected o3. y" {
			t.Errorf("the other turn: %q, %v", a.text, a.err)
		}
		until(t, "the old process has ended", func() bool { return !alive(pid) })
	})
	t.Run("frozen beside another turn", func(t *testing.T) {
		b := newBench(t, nil)
		b.limits.cancel, b.limits.probe = 50*time.Millisecond, 50*time.Millisecond
		a := b.during("other", "[[say x]][[wait]]", func() { b.deafTurn("k", "frozen") })
		if f, ok := errors.AsType[*model.Fault](a.err); !ok || !strings.Contains(f.Shown, "did not react any more and was ended") {
			t.Errorf("the other turn: %v", a.err)
		}
	})
}

// deafTurn cancels a turn that goes on regardless.
func (b *bench) deafTurn(key, how string) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	a := b.asked(ctx, b.message(key, "[["+how+"]]"), "m", func(model.Delta) { cancel() })
	if !errors.Is(a.err, context.Canceled) {
		b.t.Errorf("%s: %v", how, a.err)
	}
}

// A process that is stopped is noticed by whoever needs it.
func TestProcessesThatAreStopped(t *testing.T) {
	for _, c := range []struct{ key, text, want string }{
		{"new", "short", "did not answer session/new within 1s"},
		{"k", strings.Repeat("long ", 1<<18), "did not read for 1s and was ended"},
	} {
		b := newBench(t, nil)
		b.limits.session, b.limits.write = time.Second, time.Second
		b.says("k", "x", "heard 1: x")
		_ = syscall.Kill(b.pid(), syscall.SIGSTOP)
		b.fails(c.key, c.text, c.want)
		b.says("other", "x", "heard 1: x")
	}
}

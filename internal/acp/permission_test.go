package acp

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/model"
)

func TestPermissions(t *testing.T) {
	var asked []Question
	reply := make(chan Decision, 1)
	ask := func(_ context.Context, q Question) Decision { asked = append(asked, q); return <-reply }
	for _, c := range []struct {
		policy Policy
		reply  Decision
		want   string
	}{
		{PolicyDeny, "", "selected o3. "}, {PolicyAllow, "", "selected o2. "},
		{PolicyAsk, AllowOnce, "selected o2. "}, {PolicyAsk, AllowAlways, "selected o1. "}, {PolicyAsk, Deny, "selected o3. "},
	} {
		b := newBench(t, func(o *Options) { o.Policy, o.Ask = c.policy, ask })
		if c.policy == PolicyAsk {
			reply <- c.reply
		}
		a := b.ask("k", "[[permit c1 rm -r \u202e/]]")
		if a.err != nil || a.text != c.want {
			t.Errorf("%s %s: %q, %v; want %q", c.policy, c.reply, a.text, a.err, c.want)
		}
		if len(a.tools) != 1 || a.tools[0].Phase != model.ToolStart || a.tools[0].Name != "execute" || string(a.tools[0].Args) != `{"command":"rm -r `+"\u202e"+`/"}` {
			t.Errorf("tools %+v", a.tools)
		}
		if log := b.logged.String(); !strings.Contains(log, "agent asked for permission") || !strings.Contains(log, "policy="+string(c.policy)) {
			t.Errorf("the decision is not in the log:\n%s", log)
		}
	}
	want := Question{Provider: "coder", Key: "k", Agent: "main", RunID: "run", CallID: "c1", Kind: "execute", Command: `rm -r \u{202e}/`}
	if len(asked) != 3 {
		t.Fatalf("asked %d times", len(asked))
	}
	asked[0].Dir = ""
	if asked[0] != want {
		t.Errorf("asked %+v, want %+v", asked[0], want)
	}
	b := newBench(t, func(o *Options) { o.Policy, o.Ask = PolicyAsk, ask })
	b.says("k", "[[permit c1 "+strings.Repeat("x", maxCommand+1)+"]]", "selected o3. ") // nobody could read it
}

// A question ends with its turn, and with its process.
func TestQuestionsEnd(t *testing.T) {
	asking := make(chan struct{}, 1)
	b := newBench(t, func(o *Options) {
		o.Policy = PolicyAsk
		o.Ask = func(ctx context.Context, _ Question) Decision { asking <- struct{}{}; <-ctx.Done(); return Deny }
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asking; cancel() }()
	turn := b.message("k", "[[permit c1 ls]][[wait]]")
	if a := b.asked(ctx, turn, "m", nil); !errors.Is(a.err, context.Canceled) {
		t.Errorf("%v", a.err)
	}
	if b.count("permission cancelled") != 1 {
		t.Errorf("calls %q", b.calls())
	}
	go func() { <-asking; _ = syscall.Kill(b.pid(), syscall.SIGKILL) }()
	b.fails("k", "[[permit c1 ls]]", "signal: killed")
}

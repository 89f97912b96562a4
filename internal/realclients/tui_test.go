package realclients

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTerminal talks in OpenClaw's terminal chat: each step is what a person
// does and then sees. The steps of one terminal build on each other.
func TestTerminal(t *testing.T) {
	d := startScripted(t, "")
	o := d.ours()
	o.say("agent:main:earlier", "[[say told before]]")
	x := inTerminal(t, 200, func(ctx context.Context) *exec.Cmd {
		return newHome(t).openclaw(ctx, "tui", "--url", d.url(), "--token", token, "--session", "main")
	})
	var fresh string
	steps := []struct {
		name string
		try  func()
	}{
		{"hello", func() {
			x.await(`session agent:main:main`)
			x.await(`gateway connected \| idle`)
			x.await(`agent main .*\| session main .*\| unknown \| tokens \?/32k`) // there is no such session yet
		}},
		{"an answer", func() {
			x.line("[[say good morning]]")
			x.await(`(?m)^ *good morning`)
			x.await(`fake/m1 \| tokens 100/32k \(0%\)`)
		}},
		{"a streamed answer, stopped by Esc", func() {
			x.line("[[drip 2000 50]]")
			x.await(`w1 w2 w3`)
			x.await(`streaming`)
			x.keys("\x1b")
			x.await(`run aborted`)
			x.await(`\| aborted`)
			last := o.texts("agent:main:main")
			if n := len(last); n != 4 || !strings.HasPrefix(last[n-1], "assistant: w1 w2 w3") {
				t.Errorf("the session has %q", last)
			}
		}},
		{"a failure", func() {
			x.line("[[fail 400]]")
			x.await(`(?i)error.*400|400.*scripted failure`)
		}},
		{"/status", func() {
			x.line("/status")
			x.await(`Gateway status`)
			x.await(`Version: \S+`)
			x.await(`Session store: ` + regexp.QuoteMeta(d.store()))
			x.await(`Default model: m1 \(32k ctx\)`)
			x.await(`Active sessions: 2`)
			x.await(`- agent:main:main \[direct\] \| .*\| model m1 \| tokens`)
		}},
		{"/model", func() {
			x.line("/model fake/m2")
			x.await(`model set to fake/m2`)
			x.await(`\| fake/m2 \|`)
			x.line("[[say from the other]]")
			x.await(`(?m)^ *from the other`)
		}},
		{"/think, /verbose, /fast", func() {
			x.line("/think high")
			x.keys("\r") // the first took what was offered to complete the line
			x.await(`thinking set to high`)
			x.line("/verbose on")
			x.keys("\r")
			x.await(`verbose set to on`)
			x.line("/fast on")
			x.keys("\r")
			x.await(`fast mode enabled`)
			var row struct {
				Session struct {
					ThinkingLevel, VerboseLevel, Model string
					FastMode                           bool
				}
			}
			o.call("sessions.describe", map[string]any{"key": "main"}, &row)
			want := row
			want.Session.ThinkingLevel, want.Session.VerboseLevel, want.Session.Model, want.Session.FastMode = "high", "on", "m2", true
			if diff := cmp.Diff(want, row); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{"/sessions", func() {
			x.line("/sessions")
			x.await(`(?s)Filter:.*earlier.*told before`)
			x.keys("earlier")
			x.await(`Filter: > earlier`)
			x.keys("\r")
			x.await(`session agent:main:earlier`)
			x.await(`(?m)^ *told before`)
		}},
		{"/new", func() {
			x.line("/new")
			fresh = x.await(`new session: (tui-[0-9a-f-]{36})`)[1]
			x.await(`session ` + fresh)
			x.line("[[say a new page]]")
			x.await(`(?m)^ *a new page`)
			if got := o.texts("agent:main:" + fresh); len(got) != 2 {
				t.Errorf("the new session has %q", got)
			}
		}},
		{"/reset", func() {
			x.line("/reset")
			// It says so, but at once shows the empty history in place of that.
			eventually(t, "the session is empty", func() bool { return len(o.texts("agent:main:"+fresh)) == 0 })
		}},
		{"the gateway goes and comes back", func() {
			d.stop(true)
			x.await(`gateway disconnected: \S+`)
			d.start()
			x.await(`gateway reconnected`)
			x.line("[[say after the break]]")
			x.await(`(?m)^ *after the break`)
		}},
	}
	for _, s := range steps {
		if !t.Run(s.name, func(t *testing.T) {
			x.t = t
			s.try()
		}) {
			break
		}
	}
	x.t = t
}

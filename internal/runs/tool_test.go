package runs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/acp"
	"github.com/parleyd/parley/internal/config"
)

// Who reads along has the whole text before a tool begins, and the numbers go on.
func TestToolsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[tool]]")
		b.ended("r1")
		equal(t, "told", b.heard.of("r1"), []string{
			`started r1 #1`,
			`said r1 #2 "I will"+"I will" chat`,
			`said r1 #3 "I will look."+" look."`,
			`used r1 #4 start c chat "I will look."+" look."`,
			`used r1 #5 result c`,
			`said r1 #6 "I will look. Done."+" Done." chat`,
			`finished r1 #7 done "I will look. Done." ""`,
		})
		equal(t, "messages", b.messages(testKey), []string{"user  [[tool]]", "assistant stop I will look. Done."})
	})
}

func TestToolsOfAnAbortedRunAreNotTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[tool]]")
		time.Sleep(50 * time.Millisecond)
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
		b.ended("r1")
		time.Sleep(time.Second)
		equal(t, "told", b.heard.of("r1")[3:], []string{
			`used r1 #4 start c chat "I will look."+" look."`,
			`aborted r1 #5 rpc "I will look."`,
			`finished r1 #5 killed "" ""`,
		})
	})
}

// A program gets what it needs to run, and of the rest what the configuration
// gives it.
func TestOptionsOfAgents(t *testing.T) {
	cfg, _, err := config.Parse(`{models: {providers: {
		a: {api: "acp", command: "coder", args: ["-x"], env: {KEY: "sesame", LANG: "C"}, cwd: "~/code", permissions: "ask"},
		b: {api: "acp", command: "~/bin/coder", processes: "session", maxProcesses: 3},
		c: {api: "echo"},
	}}}`, config.Options{StateDir: t.TempDir(), HomeDir: "/home/ann", WorkDir: "/work", Env: func(name string) string {
		return map[string]string{"PATH": "/bin", "LANG": "de_DE", "OPENCLAW_GATEWAY_TOKEN": "secret", "OPENAI_API_KEY": "secret"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []acp.Options
	for _, p := range cfg.Models.Providers[:2] {
		got = append(got, agents{}.options(Options{Config: cfg, Version: "v"}, p))
	}
	want := []acp.Options{
		{Name: "a", Command: "coder", Args: []string{"-x"}, Env: []string{"PATH=/bin", "HOME=/home/ann", "KEY=sesame", "LANG=C"}, Secrets: []string{"sesame", "C"}, Dir: "/home/ann/code", Shared: true, MaxProcesses: 8, Policy: acp.PolicyAsk, Version: "v"},
		{Name: "b", Command: "/home/ann/bin/coder", Env: []string{"PATH=/bin", "HOME=/home/ann", "LANG=de_DE"}, MaxProcesses: 3, Policy: acp.PolicyDeny, Version: "v"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := newAgents(Options{Config: cfg}); len(a.byName) != 2 || a.book == nil {
		t.Errorf("%d agents, want 2", len(a.byName))
	}
}

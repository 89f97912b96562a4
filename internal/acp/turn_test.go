package acp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestTurnStreams(t *testing.T) {
	b := newBench(t, nil)
	a := b.ask("k", "[[think hm]][[say one ]][[say two]][[tool c1 read a.txt]][[more c1 half]][[done c1 whole]][[tool c2 other Look around]][[failed c2 no]][[usage]]")
	if a.err != nil {
		t.Fatal(a.err)
	}
	content := func(text string) rawjson.Value {
		return rawjson.Value(`{"content":[{"type":"text","text":"` + text + `"}]}`)
	}
	want := answer{
		text: "one two", thinking: "hm", stop: model.Stop, usage: &model.Usage{Input: 7, Output: 5, CacheRead: 5},
		tools: []model.ToolStep{
			{Phase: model.ToolStart, CallID: "c1", Name: "read", Title: "a.txt", Args: rawjson.Value(`{"path":"a.txt"}`)},
			{Phase: model.ToolUpdate, CallID: "c1", Name: "read", Title: "a.txt", Result: content("half")},
			{Phase: model.ToolResult, CallID: "c1", Name: "read", Title: "a.txt", Result: content("whole")},
			{Phase: model.ToolStart, CallID: "c2", Name: "Look around", Args: rawjson.Value(`{"path":"Look around"}`)},
			{Phase: model.ToolResult, CallID: "c2", Name: "Look around", Result: content("no"), Failed: true},
		},
	}
	if diff := cmp.Diff(want, a, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStopReasons(t *testing.T) {
	b := newBench(t, nil)
	for reason, want := range map[string]model.StopReason{"end_turn": model.Stop, "max_tokens": model.Length, "max_turn_requests": model.Length} {
		if a := b.ask("k", "[[stop "+reason+"]]"); a.err != nil || a.stop != want {
			t.Errorf("%s: %q, %v; want %q", reason, a.stop, a.err, want)
		}
	}
	b.fails("k", "[[stop refusal]]", "refused to answer")
	b.fails("k", "[[stop cancelled]]", "cancelled its answer itself")
	b.fails("k", "[[stop because]]", "not known: because")
	b.fails("k", "[[refuse the cat sat on it]]", "answered session/prompt with an error: the cat sat on it")
	b.says("k", "[[say fine]]", "fine") // none of them hurt the process
	if got := b.count("start"); got != 1 {
		t.Errorf("%d processes were started, want 1", got)
	}
}

// An agent is told each message once: what was said without it comes with the
// next one, and what it has heard does not come again.
func TestAgentHearsEachMessageOnce(t *testing.T) {
	b := newBench(t, nil)
	b.says("k", "first", "heard 1: first")
	b.says("k", "second", "heard 2: second")
	b.says("other", "first", "heard 1: first")

	// Another model answers in between, and somebody puts in a note.
	b.talks["k"] = append(b.talks["k"], model.Message{Role: model.User, Text: "elsewhere", At: 100}, model.Message{Role: model.Assistant, Text: "by another"}, model.Message{Role: model.Assistant, Text: "note"})
	a := b.ask("k", "third [[recall]]")
	for _, want := range []string{"first || second || " + contextHead, "\nUser: elsewhere\n\nAssistant: by another\n\nAssistant: note\n | third"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("it was told %q, want %q in it", a.text, want)
		}
	}
	if strings.Contains(a.text, "User: first") {
		t.Errorf("what it knew is told again: %q", a.text)
	}

	// The beginning is gone, as after a compaction, and what it heard last too.
	b.talks["k"] = []model.Message{{Role: model.User, Text: "Summary: all was well", Summary: true}}
	a = b.ask("k", "fourth [[recall]]")
	if want := contextHead + "\nUser: Summary: all was well\n | fourth"; !strings.HasPrefix(a.text, want) {
		t.Errorf("it was told %q, want %q", a.text, want)
	}
	if got := b.count("session/new"); got != 3 {
		t.Errorf("%d sessions were begun, want 3", got)
	}
}

// A session that begins anew, nobody's turn, and a system prompt.
func TestOtherConversations(t *testing.T) {
	b := newBench(t, nil, "-closes")
	b.says("k", "first", "heard 1: first")
	turn := b.message("k", "again")
	turn.Session.ID = "another"
	turn.Messages = turn.Messages[2:]
	turn.System = "Be brief."
	a := b.asked(t.Context(), turn, "m", nil)
	if a.text != "heard 1: again" {
		t.Errorf("a session that began anew: %q", a.text)
	}
	until(t, "the old session is closed", func() bool { return b.count("session/close") == 1 })

	for range 2 {
		turn = b.message("", "sum it up [[recall]]")
		turn.Session = model.Session{}
		a = b.asked(t.Context(), turn, "m", nil)
		if a.err != nil || !strings.HasPrefix(strings.TrimPrefix(a.text, contextHead), "sum it up") && !strings.Contains(a.text, contextHead) {
			t.Errorf("nobody's turn: %q, %v", a.text, a.err)
		}
	}
	if got := b.count("session/new"); got != 4 {
		t.Errorf("%d sessions were begun, want 4", got)
	}
}

func TestStoryLeavesOutTheOldest(t *testing.T) {
	long := strings.Repeat("x", maxContext/3)
	got := story([]model.Message{{Role: model.User, Text: "oldest" + long}, {Role: model.Assistant, Text: "a" + long}, {Role: model.User, Text: "b" + long}})
	if strings.Contains(got, "oldest") || !strings.HasPrefix(got, contextHead+contextCut+"\nAssistant: ax") || len(got) > maxContext+1000 {
		t.Errorf("%d bytes: %.300s", len(got), got)
	}
}

func TestPicturesWhereTheAgentTakesThem(t *testing.T) {
	for _, takes := range []bool{true, false} {
		var args []string
		want := "look [[recall]] in "
		if takes {
			args, want = []string{"-images"}, "look [[recall]] | <image/png QUJD> in "
		}
		b := newBench(t, nil, args...)
		turn := b.message("k", "look [[recall]]")
		turn.Messages[0].Images = []model.Image{{MIME: "image/png", Base64: "QUJD"}}
		if a := b.asked(t.Context(), turn, "m", nil); !strings.HasPrefix(a.text, want) {
			t.Errorf("takes %v: %q, %v; want %q", takes, a.text, a.err, want)
		}
		if warned := strings.Contains(b.logged.String(), "pictures are left out"); warned == takes {
			t.Errorf("takes %v: warned %v", takes, warned)
		}
	}
}

func TestModelIsChosenWhereTheAgentOffersIt(t *testing.T) {
	b := newBench(t, nil, "-models", "big small")
	for _, id := range []string{"big", "small", "small", "mine"} {
		if a := b.asked(t.Context(), b.message("k", "x"), id, nil); a.err != nil {
			t.Fatal(a.err)
		}
	}
	chosen := slices.DeleteFunc(b.calls(), func(c string) bool { return !strings.HasPrefix(c, "model ") })
	if diff := cmp.Diff([]string{"model small"}, chosen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The process gets what it needs and nothing of ours.
func TestEnvironmentIsOnlyWhatWasGiven(t *testing.T) {
	t.Setenv("OPENCLAW_GATEWAY_TOKEN", "secret")
	b := newBench(t, nil)
	b.says("k", "[[env]]", "GORACE HOME PARLEY_TEST_AGENT PATH")
}

func TestNothingOfTheGatewayIsOffered(t *testing.T) {
	b := newBench(t, nil)
	for _, method := range []string{"fs/read_text_file", "fs/write_text_file", "terminal/create", "_x/y"} {
		b.says("k", "[[call "+method+"]]", `{"code":-32601,"message":"Method not found"}`)
	}
}

func TestCancelledTurnGoesOn(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	turn := b.message("k", "[[say half]][[wait]]")
	a := b.asked(ctx, turn, "m", func(model.Delta) { cancel() })
	if !errors.Is(a.err, context.Canceled) || a.text != "half" {
		t.Fatalf("%q, %v", a.text, a.err)
	}
	// What was said stands in the transcript, and the agent knows it.
	b.talks["k"] = append(b.talks["k"], model.Message{Role: model.Assistant, Text: "half"})
	if a := b.ask("k", "go on [[recall]]"); !strings.HasPrefix(a.text, "[[say half]][[wait]] || go on ") {
		t.Errorf("it was told %q, %v", a.text, a.err)
	}
	if b.count("session/cancel") != 1 || b.count("session/new") != 1 || b.count("start") != 1 {
		t.Errorf("calls %q", b.calls())
	}

	// One who breaks off listening cancels too.
	for range b.Model("m").Stream(t.Context(), b.message("k", "[[say half]][[wait]]")) {
		break
	}
	if got := b.count("session/cancel"); got != 2 {
		t.Errorf("%d cancels, want 2", got)
	}
}

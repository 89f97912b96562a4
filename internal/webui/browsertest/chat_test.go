package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// TestFirstVisit opens the address that a first start prints: no question is
// asked, a session is made and a message answered.
func TestFirstVisit(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	if got := eval[string](p, "location.href"); got != d.url("") {
		t.Errorf("the address is %s, want it without the token", got)
	}
	p.awaitText("#side", "There are no sessions yet.")
	p.shot("empty")
	p.click("New")
	p.write("dialog input", "Garden")
	p.shot("new")
	p.click("Begin")
	p.awaitText(".chat h1", "Garden")
	p.say("Hello **Parley**")
	p.awaitText(".from-assistant:not(.stream) .body", "echo: Hello Parley")
	if diff := cmp.Diff([]string{"Hello **Parley**", "echo: Hello Parley"}, p.messages()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	p.awaitText("#side li", "Garden")
	p.shot("answered")
	key := eval[string](p, `decodeURIComponent(location.hash.slice(4))`)
	if got := d.other().texts(key); !slices.Equal(got, []string{"user: Hello **Parley**", "assistant: echo: Hello **Parley**"}) {
		t.Errorf("the gateway has %q", got)
	}
}

// TestStreamAndStop watches an answer come in and stops it: what was said stays,
// in the page and in the transcript.
func TestStreamAndStop(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.open("stream")
	p.say("[[drip 10000 20]]")
	p.awaitText(".stream .prose", "w1 w2 w3")
	p.awaitText(".chip-state", "Answering")
	p.awaitText("#side li.running", "[[drip")
	p.await(`document.querySelector(".stream").getAttribute("aria-busy") === "true"`)
	p.shot("streaming")
	p.click("Stop")
	p.awaitText(".from-assistant:not(.stream) .end", "Stopped here")
	p.await(`!document.querySelector(".stream") && !document.querySelector("#side li.running")`)
	p.await(`document.querySelector("#announcer").textContent.includes("Stopped.")`)
	if got := d.other().texts("stream"); len(got) != 2 || got[1] != "assistant: "+p.messages()[1] {
		t.Errorf("the gateway has %.200q, the page shows %.200q", got, p.messages())
	}
	p.say("[[drip 10000 20]]")
	p.awaitText(".stream .prose", "w1 w2")
	p.keys(kb.Escape) // the focus is in the field still
	p.await(`document.querySelectorAll(".from-assistant .end").length === 2 && !document.querySelector(".stream")`)
}

// TestQueueAndSteer sends while an answer is being given: one message waits for
// its turn, another interrupts.
func TestQueueAndSteer(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.open("steer")
	p.say("[[drip 10000 20]]")
	p.awaitText(".stream .prose", "w1 w2")
	p.say("queued one")
	p.awaitText(".pending .facts", "Has its turn when the answer is done")
	p.shot("queued")
	p.write("#composer", "now this")
	p.enter(chromedp.ModifierCtrl)
	p.awaitText(".thread", "echo: now this")
	p.await(`!document.querySelector(".pending") && !document.querySelector(".stream")`)
	p.shot("steered")
	got := d.other().texts("steer")
	want := []string{"user: [[drip 10000 20]]", "assistant: w1 w2", "user: now this", "assistant: echo: now this"}
	for i, w := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], w) {
			t.Fatalf("the gateway has %.100q, want texts that begin with %q", got, want)
		}
	}
	// What was dropped by the interruption is said, not lost silently.
	p.awaitText(".notice", "queued one")
	if got := p.messages(); len(got) != 4 {
		t.Errorf("the page shows %.100q, want four messages", got)
	}
}

// TestTwoWindows makes sure that a window shows what happens in another one.
func TestTwoWindows(t *testing.T) {
	d := startDaemon(t, "", nil)
	p, q := visit(t, d.url("#token="+token)), visit(t, d.url("#token="+token))
	p.connected()
	q.connected()
	p.open("both")
	q.open("both")
	p.say("[[drip 30 30]]")
	q.awaitText(".from-user .body", "[[drip 30 30]]")
	q.awaitText(".from-assistant:not(.stream) .body", "w29 w30")
	q.await(`!document.querySelector(".stream")`)
	q.say("/status")
	for _, w := range []*page{p, q} {
		w.awaitText(".thread", "/status")
		w.await(`document.querySelectorAll(".from-assistant:not(.stream)").length === 2 && document.querySelectorAll(".from-user:not(.pending)").length === 2`)
	}
	if a, b := p.messages(), q.messages(); !slices.Equal(a, b) {
		t.Errorf("one window shows %q, the other %q", a, b)
	}
}

// TestFailure shows why there is no answer.
func TestFailure(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.open("fails")
	p.say("[[fail 400]]")
	p.awaitText(".from-assistant .end.bad", "scripted failure 400")
	p.awaitText(".chip-state", "Last answer failed")
	p.await(`!document.querySelector(".stream") && document.querySelectorAll(".thread article:not(.row-silent)").length === 2`)
	d.other().call("sessions.patch", map[string]any{"key": "fails", "sendPolicy": "deny"}, nil)
	p.say("not this")
	p.awaitText(".pending .end", "Not sent: send blocked by session policy")
	p.shot("refused")
	p.click("Edit")
	p.await(`document.querySelector("#composer").value === "not this" && !document.querySelector(".pending")`)
}

// TestReload shows an answer that began before the page was loaded, as far as it
// is and to its end.
func TestReload(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.open("reload")
	p.say("[[drip 400 20]]")
	p.awaitText(".stream .prose", "w1 w2 w3")
	p.do("reload", chromedp.Reload())
	p.awaitText(".stream .prose", "w1 w2 w3")
	p.awaitText(".from-assistant:not(.stream) .body", "w399 w400")
	p.await(`!document.querySelector(".stream")`)
	words := make([]string, 400)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i+1)
	}
	if got, want := p.messages(), []string{"[[drip 400 20]]", strings.Join(words, " ")}; !slices.Equal(got, want) {
		t.Errorf("the page shows %q", got)
	}
}

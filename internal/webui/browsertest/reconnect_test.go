package browsertest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// refused is what a browser logs when nobody listens.
var refused = regexp.MustCompile(`WebSocket connection to .* failed|ERR_CONNECTION_REFUSED`)

// TestGatewayDies kills the gateway in the middle of an answer. The page says so,
// keeps what is typed, connects again by itself, and shows every message once.
func TestGatewayDies(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.excuse = refused
	p.connected()
	p.open("lasting")
	p.say("first")
	p.awaitText(".from-assistant:not(.stream) .body", "echo: first")
	p.say("[[drip 1000 20]]")
	p.awaitText(".stream .prose", "w1 w2 w3")
	o := d.other()
	awaitPartial(t, d, "lasting")
	o.conn.Close()
	d.stop(true)
	p.awaitText("#status", "No connection")
	p.await(`document.body.dataset.connection === "off" && !document.querySelector(".stream")`)
	p.say("typed without a connection")
	p.awaitText(".pending .facts", "Goes when the connection is back")
	p.shot("offline")
	d.start()
	p.connected()
	p.awaitText(".thread", "echo: typed without a connection")
	p.await(`!document.querySelector(".pending") && !document.querySelector(".stream")`)
	p.shot("back")
	got := d.other().texts("lasting")
	if len(got) != 6 || got[1] != "assistant: echo: first" || got[2] != "user: [[drip 1000 20]]" || !strings.HasPrefix(got[3], "assistant: w1 w2") ||
		got[4] != "user: typed without a connection" || got[5] != "assistant: echo: typed without a connection" {
		t.Errorf("the gateway has %.80q", got)
	}
	if shown := p.messages(); len(shown) != 6 {
		t.Errorf("the page shows %.80q", shown)
	}
}

// awaitPartial waits until the gateway has kept some of an answer, which it does
// once a second.
func awaitPartial(t *testing.T, d *daemon, key string) {
	t.Helper()
	o := d.other()
	var history struct{ InFlightRun *struct{ Text string } }
	for began := time.Now(); time.Since(began) < patience; {
		o.call("chat.history", map[string]any{"sessionKey": key}, &history)
		if r := history.InFlightRun; r != nil && len(r.Text) > 400 { // more than a second of it
			return
		}
		o.call("agent.wait", map[string]any{"runId": "none", "timeoutMs": 100}, nil)
	}
	t.Fatal("the answer does not go on")
}

// TestUnsureMessage sends a message that the gateway never reads, and one that
// it answers while the page is gone: each is in the transcript once.
func TestUnsureMessage(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.excuse = refused
	p.connected()
	p.open("unsure")
	p.say("first")
	p.awaitText(".from-assistant:not(.stream) .body", "echo: first")
	d.freeze()
	p.say("second")
	p.awaitText(".pending .facts", "Sending…")
	d.stop(true)
	p.awaitText(".pending .facts", "Not confirmed yet")
	p.shot("unsure")
	d.start()
	p.do("reload", chromedp.Reload()) // it outlives that, too
	p.connected()
	p.awaitText(".thread", "echo: second")
	p.await(`!document.querySelector(".pending") && !document.querySelector(".stream")`)
	if got, want := d.other().texts("unsure"), []string{"user: first", "assistant: echo: first", "user: second", "assistant: echo: second"}; !slices.Equal(got, want) {
		t.Errorf("the gateway has %q, want %q", got, want)
	}
	if got := p.messages(); len(got) != 4 {
		t.Errorf("the page shows %q", got)
	}
}

// TestOrderlyRestart restarts the gateway as an operator does, with a message
// waiting behind an answer.
func TestOrderlyRestart(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.excuse = refused
	p.connected()
	p.open("restart")
	p.say("[[drip 10000 20]]")
	p.awaitText(".stream .prose", "w1 w2")
	p.say("behind it")
	p.awaitText(".pending .facts", "Has its turn")
	d.stop(false)
	p.awaitText("#status", "No connection")
	d.start()
	p.click("Now")
	p.connected()
	p.await(`!document.querySelector(".pending") && !document.querySelector(".stream")`)
	users := 0
	for _, m := range d.other().texts("restart") {
		if m == "user: behind it" {
			users++
		}
	}
	if users != 1 {
		t.Errorf("the gateway has the waiting message %d times: %.60q", users, d.other().texts("restart"))
	}
	p.await(`[...document.querySelectorAll(".thread .body")].at(-1)?.innerText === "behind it"`)
	shown := slices.DeleteFunc(p.messages(), func(m string) bool { return m != "behind it" })
	if len(shown) != 1 {
		t.Errorf("the page shows the waiting message %d times: %.60q", len(shown), p.messages())
	}
}

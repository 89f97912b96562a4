package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestLongHistory pages through a conversation of 100 000 messages: to the first
// one and back, with few elements and without holding the page up.
func TestLongHistory(t *testing.T) {
	const n = 100_000
	messages := make([]string, n)
	for i := range messages {
		role, text := "user", fmt.Sprintf("message %d", i+1)
		if i%2 == 1 {
			role = "assistant"
			text += strings.Repeat(" and some more words", i%29)
		}
		messages[i] = fmt.Sprintf(`{"role":%q,"content":[{"type":"text","text":%q}]}`, role, text)
	}
	files := manySessions(1)
	files["agents/main/sessions/00000000-0000-4000-8000-000000000000.jsonl"] = transcript(messages, time.Now().Add(-time.Hour*24*30))
	d := startDaemon(t, "", files)
	p := visit(t, d.url("#token="+token))
	p.connected()
	began := time.Now()
	p.open("s0000")
	p.awaitText(".sub", "100,000 messages")
	p.await(`document.querySelector(".thread article:last-child .body")?.textContent.startsWith("message 100000")`)
	t.Logf("opened after %v", time.Since(began).Round(time.Millisecond))
	p.shot("end")

	p.do("watch the elements", evaluate(`window.most = 0; new MutationObserver(() => most = Math.max(most, document.querySelectorAll(".thread *").length)).observe(document.querySelector(".thread"), { childList: true })`))
	p.do("focus the messages", evaluate(`document.querySelector(".viewport").focus()`))
	for range 40 { // backwards, as one reads
		p.keys(kb.PageUp)
		p.inOrder()
	}
	began = time.Now()
	p.keys(kb.Home)
	p.await(`document.querySelector(".thread article .body")?.textContent === "message 1" && document.querySelector(".viewport").scrollTop === 0`)
	t.Logf("at the first message after %v", time.Since(began).Round(time.Millisecond))
	p.inOrder()
	p.shot("beginning")
	for range 10 {
		p.keys(kb.PageDown)
		p.inOrder()
	}
	for _, part := range []float64{0.5, 0.9, 0.1} { // by the scroll bar
		p.do("scroll", evaluate(fmt.Sprintf(`(() => { const v = document.querySelector(".viewport"); v.scrollTop = %v * v.scrollHeight; })()`, part)))
		p.inOrder()
		first := eval[float64](p, `Number(document.querySelector(".thread .body").textContent.split(" ")[1])`)
		if want := part * n; first < want-n/10 || first > want+n/10 {
			t.Errorf("at %v of the height is message %v", part, first)
		}
	}
	p.keys(kb.End)
	p.await(`document.querySelector(".thread article:last-child .body")?.textContent.startsWith("message 100000")`)
	p.inOrder()
	if most := eval[float64](p, `most`); most > 1500 {
		t.Errorf("%v elements at a time", most)
	} else {
		t.Logf("at most %v elements in the conversation, longest task %.0f ms", most, eval[float64](p, `longest`))
	}

	// What comes meanwhile does not move what is read.
	p.keys(kb.Home)
	p.await(`document.querySelector(".thread article .body")?.textContent === "message 1"`)
	d.other().call("chat.inject", map[string]any{"sessionKey": "s0000", "message": "news"}, nil)
	p.await(`document.querySelector(".float")?.textContent.includes("1 new")`)
	if top := eval[float64](p, `document.querySelector(".viewport").scrollTop`); top != 0 {
		t.Errorf("a new message has moved the view to %v", top)
	}
	p.click("1 new")
	p.awaitText(".thread article:last-child .body", "news")
}

// inOrderScript says what is wrong with the messages in sight: holes, one lying
// over another, a wrong one, or nothing there. It looks when a frame was drawn.
const inOrderScript = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
	const v = document.querySelector(".viewport").getBoundingClientRect();
	let last = 0, bottom = null, seen = 0;
	for (const el of document.querySelectorAll(".thread article")) {
		const n = Number(el.getAttribute("aria-posinset")), r = el.getBoundingClientRect();
		if (el.matches(".gap")) return done("row " + n + " is not there yet");
		if (last && n !== last + 1) return done("row " + n + " follows row " + last);
		if (bottom !== null && Math.abs(r.top - bottom) > 1) return done("row " + n + " begins at " + r.top + ", the one before ends at " + bottom);
		const text = el.querySelector(".body")?.textContent ?? "";
		if (text.startsWith("message ") && Number(text.split(" ")[1]) !== n) return done("row " + n + " shows " + text.slice(0, 20));
		seen += Math.max(0, Math.min(r.bottom, v.bottom) - Math.max(r.top, v.top));
		last = n; bottom = r.bottom;
	}
	done(seen < v.height - 60 ? "only " + seen + " of " + v.height + " pixels are filled" : "");
})))`

// inOrder waits until all is well with the messages in sight.
func (p *page) inOrder() {
	p.t.Helper()
	fault := ""
	for began := time.Now(); time.Since(began) < patience; {
		if fault = eval[string](p, inOrderScript); fault == "" {
			return
		}
	}
	p.t.Fatalf("the messages in sight: %s", fault)
}

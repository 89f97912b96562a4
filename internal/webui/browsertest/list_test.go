package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// names are the names in the list, from the top.
func (p *page) names() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("#side li .name")].map((el) => el.textContent)`)
}

// awaitNames waits until the list has exactly these names.
func (p *page) awaitNames(want ...string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`JSON.stringify([...document.querySelectorAll("#side li .name")].map((el) => el.textContent)) === JSON.stringify(%s)`, jsonOf(want)))
}

// TestListLives follows what another client does with sessions.
func TestListLives(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	o := d.other()
	o.call("sessions.create", map[string]any{"key": "a", "label": "Apples"}, nil)
	p.awaitNames("Apples")
	o.call("sessions.create", map[string]any{"key": "b", "label": "Pears"}, nil)
	p.awaitNames("Pears", "Apples")
	o.call("sessions.patch", map[string]any{"key": "b", "label": "Plums"}, nil)
	p.awaitNames("Plums", "Apples")
	o.call("sessions.send", map[string]any{"key": "a", "message": "hello"}, nil)
	p.awaitNames("Apples", "Plums")
	p.awaitText("#side li .preview", "echo: hello")
	p.await(`document.querySelector("#side li").classList.contains("unread")`)
	p.open("a")
	p.await(`!document.querySelector("#side li.unread")`)
	o.call("sessions.delete", map[string]any{"key": "b"}, nil)
	p.awaitNames("Apples")
	// A session may begin with its first message.
	o.call("chat.send", map[string]any{"sessionKey": "fresh", "message": "Water the plants", "idempotencyKey": "1"}, nil)
	p.awaitNames("Water the plants", "Apples")
}

// TestListFiltersAndPages searches, filters and pages through many sessions.
func TestListFiltersAndPages(t *testing.T) {
	d := startDaemon(t, "", manySessions(1234))
	p := visit(t, d.url("#token="+token))
	p.awaitText(".side-note", "of 1,234 sessions")
	p.await(`document.querySelectorAll("#side li").length >= 50`)
	for range 3 {
		before := len(p.names())
		p.do("scroll to the end of the list", evaluate(`document.querySelector(".side-scroll").scrollTop = 1e9`))
		p.await(fmt.Sprintf(`document.querySelectorAll("#side li").length >= %d`, before+50))
	}
	names := p.names()
	seen := map[string]bool{}
	for i, name := range names {
		if seen[name] {
			t.Fatalf("%s is listed twice", name)
		}
		seen[name] = true
		if want := fmt.Sprintf("Session %04d", 1233-i); name != want {
			t.Fatalf("row %d is %s, want %s", i, name, want)
		}
	}
	p.write(`#side input[type="search"]`, "session 0042")
	p.awaitNames("Session 0042")
	p.shot("search")
	p.keys(kb.ArrowDown)
	p.enter()
	p.awaitText(".chat h1", "Session 0042")
	p.write(`#side input[type="search"]`, "no such")
	p.awaitText(".side-note", "No session passes the filters.")
	p.keys(kb.Escape)
	p.awaitText(".side-note", "1,234 sessions")
	p.do("choose the last hour", evaluate(`(() => { const el = document.querySelector('#side select[aria-label="Active within"]'); el.value = "60"; el.dispatchEvent(new Event("change", { bubbles: true })); })()`))
	p.awaitText(".side-note", "59 sessions")
}

// TestRename gives a session a name, and shows why it cannot have one.
func TestRename(t *testing.T) {
	d := startDaemon(t, "", manySessions(2))
	p := visit(t, d.url("#token="+token))
	p.awaitNames("Session 0001", "Session 0000")
	p.click("What can be done with Session 0000")
	p.click("Name and settings…")
	p.await(`document.activeElement.value === "Session 0000"`)
	p.do("choose the old name", evaluate(`document.activeElement.select()`))
	p.keys("Session 0001")
	p.click("Save")
	p.awaitText("dialog .fault", "label already in use: Session 0001")
	p.shot("refused")
	p.do("choose the text", evaluate(`document.querySelector("dialog input").select()`))
	p.write("dialog input", "")
	p.do("choose the text", evaluate(`document.querySelector("dialog input").select()`))
	p.keys("Herbs")
	p.enter()
	p.await(`!document.querySelector("dialog")`)
	p.await(`[...document.querySelectorAll("#side li .name")].some((el) => el.textContent === "Herbs")`)
}

// TestDeleteAndUndo deletes sessions and takes it back: by the notice, by the
// key, and from the archive. Name, settings and messages come back.
func TestDeleteAndUndo(t *testing.T) {
	d := startDaemon(t, "", nil)
	o := d.other()
	for _, key := range []string{"one", "two", "empty"} {
		o.call("sessions.create", map[string]any{"key": key, "label": "The " + key}, nil)
	}
	for _, key := range []string{"one", "two"} {
		o.call("chat.inject", map[string]any{"sessionKey": key, "message": "said in " + key}, nil)
	}
	o.call("sessions.patch", map[string]any{"key": "one", "thinkingLevel": "high"}, nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.await(`document.querySelectorAll("#side li").length === 3`)
	p.open("one")
	p.awaitText(".thread", "said in one")
	p.click("What can be done with The one")
	p.click("Delete")
	p.awaitText(".toast", "“The one” was deleted. It stays in the archive.")
	p.await(`document.querySelectorAll("#side li").length === 2 && location.hash === "#/"`)
	p.shot("deleted")
	p.click("Undo")
	p.awaitText(".chat h1", "The one")
	p.awaitText(".thread", "said in one")
	var described struct {
		Session struct{ Label, ThinkingLevel string }
	}
	o.call("sessions.describe", map[string]any{"key": "one"}, &described)
	if described.Session.Label != "The one" || described.Session.ThinkingLevel != "high" {
		t.Errorf("the session came back as %+v", described.Session)
	}

	p.await(`document.querySelectorAll("#side li").length === 3`)
	for _, name := range []string{"The two", "The empty"} {
		p.click("What can be done with " + name)
		p.click("Delete")
		p.await(`document.querySelectorAll("#side li").length === 2`)
		p.awaitText(".toast", name+"” was deleted.")
		p.do("leave all fields", evaluate(`document.activeElement.blur()`))
		p.keys("z")
		p.await(`document.querySelectorAll("#side li").length === 3`)
	}

	o.call("sessions.delete", map[string]any{"key": "two"}, nil)
	p.do("go to the archive", evaluate(`location.hash = "#/archive"`))
	p.awaitText(".archives li", "The two")
	p.click("Restore The two")
	p.awaitText(".toast", "“The two” is a session again.")
	p.await(`document.querySelectorAll("#side li").length === 3`)
	if diff := cmp.Diff([]string{"assistant: said in two"}, o.texts("two")); diff != "" {
		t.Errorf("messages of the restored session (-want +got):\n%s", diff)
	}
	p.click("Open")
	p.awaitText(".chat h1", "The two")
	p.click("What can be done with this session")
	p.click("Start anew…")
	p.click("Start anew")
	p.awaitText(".cover", "Nothing was said here yet.")
	if got := o.texts("two"); len(got) != 0 {
		t.Errorf("after starting anew there is %q", got)
	}
}

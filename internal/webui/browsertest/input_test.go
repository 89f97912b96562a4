package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// dropScript drops files onto the conversation: a picture that is drawn here, and
// a text.
const dropScript = `new Promise((done) => {
	const canvas = Object.assign(document.createElement("canvas"), { width: 120, height: 80 });
	const c = canvas.getContext("2d");
	c.fillStyle = "#0b685e"; c.fillRect(0, 0, 120, 80); c.fillStyle = "#fff"; c.fillRect(20, 20, 80, 40);
	canvas.toBlob((blob) => {
		const data = new DataTransfer();
		data.items.add(new File([blob], "plan.png", { type: "image/png" }));
		data.items.add(new File(["text"], "notes.txt", { type: "text/plain" }));
		const el = document.querySelector(".chat");
		const go = (name) => el.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
		go("dragenter"); go("dragover");
		window.dropping = el.classList.contains("dropping");
		go("drop");
		done(true);
	});
})`

// TestDropPictures drops a picture and a text: the picture goes with the message,
// the text is refused with a reason.
func TestDropPictures(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	p.open("pictures")
	eval[bool](p, dropScript)
	if !eval[bool](p, "dropping") {
		t.Error("the page does not show that it takes what is dropped")
	}
	p.awaitText(".files", "plan.png")
	p.awaitText(".toast.bad", "notes.txt is no picture")
	p.shot("attached")
	p.write("#composer", "Look at this")
	p.enter()
	p.awaitText(".from-user:not(.pending) .chip", ".png")
	p.await(`document.querySelector(".files").hidden`)
	kept, err := filepath.Glob(filepath.Join(d.launch.StateDir, "media", "inbound", "*.png"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the gateway keeps %q, %v", kept, err)
	}
	// A picture alone is a message, too, and can be taken away again.
	eval[bool](p, dropScript)
	p.awaitText(".files", "plan.png")
	p.click("Remove plan.png")
	p.await(`document.querySelector(".files").hidden && document.querySelector(".send").disabled`)
}

// TestKeyboard does everything without a mouse.
func TestKeyboard(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url("#token="+token))
	p.connected()
	focus := func() string {
		return eval[string](p, `(document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent).trim()`)
	}
	p.keys(kb.Tab)
	if got := focus(); got != "Skip to the content" {
		t.Errorf("the first stop is %q", got)
	}
	p.shot("skip")
	p.keys("n")
	p.await(`document.activeElement.matches("dialog input")`)
	p.keys("Keys")
	p.enter()
	p.await(`document.activeElement.id === "composer"`)
	p.keys("typed by hand")
	p.enter()
	p.awaitText(".from-assistant:not(.stream) .body", "echo: typed by hand")
	p.do("leave the field", evaluate(`document.activeElement.blur()`))
	p.keys("?")
	p.awaitText("dialog h2", "Keyboard and help")
	p.keys(kb.Escape)
	p.await(`!document.querySelector("dialog")`)
	p.keys("/")
	p.await(`document.activeElement.type === "search"`)
	p.keys(kb.ArrowDown)
	p.await(`document.activeElement.matches("#side li a")`)
	p.keys(kb.Delete)
	p.await(`document.querySelectorAll("#side li").length === 0`)
	p.keys("z")
	p.awaitText("#side li", "Keys")
	p.awaitText(".chat h1", "Keys")
	for key, view := range map[string]string{"2": "Activity", "3": "Overview", "4": "Events", "5": "Archive"} {
		p.keys(key)
		p.await(fmt.Sprintf(`[...document.querySelectorAll("main h1")].find((el) => el.checkVisibility())?.textContent === %q`, view))
	}
	p.keys("1")
	p.keys("j")
	p.awaitText(".chat h1", "Keys")
	p.keys("c")
	p.await(`document.activeElement.id === "composer"`)

	// The menu of a session, and from message to message.
	p.do("to the menu", evaluate(`document.querySelector('.chat-acts [aria-label^="What"]').focus()`))
	p.enter()
	p.await(`document.activeElement.getAttribute("role") === "menuitem"`)
	p.keys(kb.ArrowDown)
	if got := focus(); got != "Copy the key" {
		t.Errorf("the second entry of the menu is %q", got)
	}
	p.keys(kb.Escape)
	p.await(`document.activeElement.getAttribute("aria-label")?.startsWith("What")`)
	p.do("to the messages", evaluate(`document.querySelector(".viewport").focus()`))
	p.keys(kb.ArrowUp, chromedp.ModifierAlt)
	if got := focus(); !strings.HasPrefix(got, "Assistant, ") {
		t.Errorf("the last message is %q", got)
	}
	p.keys(kb.ArrowUp, chromedp.ModifierAlt)
	if got := focus(); !strings.HasPrefix(got, "You, ") {
		t.Errorf("the message before is %q", got)
	}

	// Every stop can be seen, and has a name.
	p.do("to the beginning", evaluate(`document.activeElement.blur()`))
	for range 40 {
		p.keys(kb.Tab)
		if fault := eval[string](p, `(() => {
			const el = document.activeElement;
			if (el === document.body) return "";
			const style = getComputedStyle(el), box = el.closest(".field") ?? el;
			const ring = style.outlineStyle !== "none" || getComputedStyle(box).boxShadow !== "none";
			const name = el.getAttribute("aria-label") ?? el.getAttribute("aria-labelledby") ?? el.labels?.[0]?.textContent ?? el.textContent;
			return !ring ? "no ring: " + el.outerHTML.slice(0, 120) : !name.trim() ? "no name: " + el.outerHTML.slice(0, 120) : "";
		})()`); fault != "" {
			t.Error(fault)
		}
	}
}

// TestLogin opens the page without a token, with a wrong one and with the right
// one; afterwards the browser is known, until it is removed.
func TestLogin(t *testing.T) {
	d := startDaemon(t, "", nil)
	p := visit(t, d.url(""))
	p.awaitText("dialog", "unauthorized: gateway token missing")
	p.shot("login")
	p.write("dialog input", "wrong")
	p.enter()
	p.awaitText("dialog", "unauthorized: gateway token mismatch")
	p.write("dialog input", token)
	p.enter()
	p.connected()
	p.await(`!document.querySelector("dialog")`)
	if got := eval[string](p, `JSON.stringify({ ...localStorage }) + document.cookie + location.href`); strings.Contains(got, token) {
		t.Errorf("the token stays in the browser: %s", got)
	}
	p.do("forget the token", evaluate(`sessionStorage.clear()`), chromedp.Navigate(d.url("")))
	p.connected() // by the device's own token

	var pairing struct{ Paired []struct{ DeviceID string } }
	o := d.other()
	o.call("device.pair.list", nil, &pairing)
	if len(pairing.Paired) != 1 {
		t.Fatalf("%d devices are paired, want this browser", len(pairing.Paired))
	}
	o.call("device.pair.remove", map[string]any{"deviceId": pairing.Paired[0].DeviceID}, nil)
	p.awaitText("dialog", "The gateway does not let this page in")
	p.write("dialog input", token)
	p.enter()
	p.connected()
}

// TestBesideTheControlUI finds the page at /parley/ when the operator has
// installed another one, below a base path.
func TestBesideTheControlUI(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<p>another page"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, fmt.Sprintf(`"controlUi":{"root":%q,"basePath":"/gw"}`, dir), nil)
	p := visit(t, d.url("gw/parley#token="+token))
	p.connected()
	if got, want := eval[string](p, "location.href"), d.url("gw/parley/"); got != want {
		t.Errorf("the page is at %s, want %s", got, want)
	}
	p.open("base")
	p.say("hello")
	p.awaitText(".from-assistant:not(.stream) .body", "echo: hello")
}

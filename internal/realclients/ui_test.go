package realclients

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/browser"
)

// files is the folder with the Control UI.
func files() string { return filepath.Join(modules, "openclaw", "dist", "control-ui") }

// ui is a tab with the Control UI.
type ui struct {
	*browser.Page
	t testing.TB
}

// offline is what a browser says of a gateway that is not there, and of fonts
// that the page loads from elsewhere.
var (
	fonts   = `fonts\.googleapis\.com|fonts\.gstatic\.com`
	offline = regexp.MustCompile(fonts + `|WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED`)
)

// uiAt opens the Control UI in a profile of its own.
func uiAt(t testing.TB, address string) *ui {
	t.Helper()
	b, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	p := b.Visit(t, address)
	p.Excuse = regexp.MustCompile(fonts)
	return &ui{p, t}
}

// startWithUI starts a gateway that serves the Control UI's files.
func startWithUI(t testing.TB, more string) *daemon {
	t.Helper()
	if more != "" {
		more = "," + more
	}
	return startScripted(t, fmt.Sprintf(`"controlUi":{"root":%q%s}`, files(), more))
}

// page is the address of a page, with the token.
func (d *daemon) page(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s#token=%s", d.launch.Port, path, token)
}

// composer is where messages are written.
const composer = ".agent-chat__input textarea"

// ready waits until the chat can be used.
func (u *ui) ready() {
	u.t.Helper()
	u.Await(`document.querySelector("` + composer + `") && !document.querySelector("` + composer + `").disabled && document.querySelector(".chat-send-btn")?.disabled === false`)
}

// say writes a message and sends it.
func (u *ui) say(text string) {
	u.t.Helper()
	u.Write(composer, text)
	u.Enter()
}

// bubbles waits until the messages in sight are these: their roles and texts.
func (u *ui) bubbles(want ...string) {
	u.t.Helper()
	list := ""
	for _, w := range want {
		list += browser.Quote(w) + ","
	}
	u.Await(`(() => {
		const shown = [...document.querySelectorAll(".chat-group")].flatMap((g) => [...g.querySelectorAll(".chat-text")].map((el) =>
			(g.classList.contains("user") ? "user: " : "assistant: ") + el.innerText.trim()));
		const want = [` + list + `];
		return shown.length === want.length && shown.every((s, i) => want[i].endsWith("…") ? s.startsWith(want[i].slice(0, -1)) : s === want[i]);
	})()`)
}

// noError fails when a page shows an error.
func (u *ui) noError(where string) {
	u.t.Helper()
	if got := u.problems(); got != "" {
		u.t.Errorf("%s shows an error: %s", where, got)
	}
}

// problems are the errors that a page shows.
func (u *ui) problems() string {
	u.t.Helper()
	return browser.Eval[string](u.Page, `[...document.querySelectorAll(".callout.danger, .pill.danger")].filter((el) => el.checkVisibility()).map((el) => el.innerText.trim()).join(" | ")`)
}

// TestControlUIIsServed opens the page wherever it may come from.
func TestControlUIIsServed(t *testing.T) {
	t.Run("at the root", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		u := uiAt(t, d.page("/"))
		u.ready()
		if at := browser.Eval[string](u.Page, `location.pathname + location.hash`); at != "/chat" {
			t.Errorf("the address is %s, the token should be gone", at)
		}
		u.say("[[say from the root]]")
		u.bubbles("user: [[say from the root]]", "assistant: from the root")
		u.noError("the chat")
	})
	t.Run("under a base path", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, `"basePath":"/claw"`)
		u := uiAt(t, d.page("/claw"))
		u.ready()
		u.say("[[say below a path]]")
		u.bubbles("user: [[say below a path]]", "assistant: below a path")
		u.Go(d.page("/claw/sessions"))
		u.AwaitText("agent:main:main")
		u.noError("the sessions")
	})
	t.Run("from another origin", func(t *testing.T) {
		t.Parallel()
		d := startScripted(t, "")
		elsewhere := httptest.NewServer(http.FileServer(http.Dir(files())))
		t.Cleanup(elsewhere.Close)
		u := uiAt(t, elsewhere.URL+"/#gatewayUrl="+url.QueryEscape(d.url())+"&token="+token)
		// The server is a bare one: it does not say who it is, and the page tries
		// to connect to it while it asks.
		u.Excuse = regexp.MustCompile(fonts + `|control-ui-config\.json|/avatar/|WebSocket connection to '` + strings.Replace(regexp.QuoteMeta(elsewhere.URL), "http", "ws", 1))
		u.AwaitText("Change Gateway URL")
		u.Click("Confirm")
		u.ready()
		u.say("[[say from afar]]")
		u.bubbles("user: [[say from afar]]", "assistant: from afar")
	})
	t.Run("with a wrong token", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		u := uiAt(t, fmt.Sprintf("http://127.0.0.1:%d/#token=wrong", d.launch.Port))
		u.AwaitText("unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)")
		u.Shot("refused")
	})
	t.Run("without a token", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		u := uiAt(t, fmt.Sprintf("http://127.0.0.1:%d/", d.launch.Port))
		u.AwaitText("unauthorized: gateway token missing (open the dashboard URL and paste the token in Control UI settings)")
	})
}

// TestControlUIChat talks in the chat page.
func TestControlUIChat(t *testing.T) {
	t.Run("send, stop, queue, reload", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		o := d.ours()
		u := uiAt(t, d.page("/chat"))
		u.ready()
		u.say("[[say a first answer]]")
		u.bubbles("user: [[say a first answer]]", "assistant: a first answer")

		u.say("[[drip 2000 50]]")
		u.bubbles("user: [[say a first answer]]", "assistant: a first answer", "user: [[drip 2000 50]]", "assistant: w1 w2 w3…")
		u.Shot("streaming")
		u.say("[[say what waited]]")
		u.Await(`document.querySelector(".chat-queue__text")?.innerText.trim() === "[[say what waited]]"`)
		u.ClickOn(".chat-send-btn--stop")
		all := []string{"user: [[say a first answer]]", "assistant: a first answer", "user: [[drip 2000 50]]", "assistant: w1 w2 w3…", "user: [[say what waited]]", "assistant: what waited"}
		u.bubbles(all...)
		u.Await(`!document.querySelector(".chat-queue") && !document.querySelector(".chat-send-btn--stop")`)
		if got := o.texts("main"); len(got) != 6 {
			t.Errorf("the session has %q", got)
		}
		u.Go("about:blank")
		u.Go(d.page("/chat"))
		u.bubbles(all...) // each once
		u.noError("the chat")
		u.Shot("reloaded")
	})
	t.Run("a second window", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		first, second := uiAt(t, d.page("/chat")), uiAt(t, d.page("/chat"))
		first.ready()
		second.ready()
		first.say("[[say for both]]")
		first.bubbles("user: [[say for both]]", "assistant: for both")
		second.Await(`[...document.querySelectorAll(".chat-group.assistant .chat-text")].some((el) => el.innerText.trim() === "for both")`)
	})
	t.Run("new session and clear", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		o := d.ours()
		u := uiAt(t, d.page("/chat"))
		u.ready()
		u.say("[[say old]]")
		u.bubbles("user: [[say old]]", "assistant: old")
		before := sessionID(o, "main")
		u.Click("New session")
		eventually(t, "the session is a new one", func() bool { return sessionID(o, "main") != before })
		u.ready()
		u.Go("about:blank")
		u.Go(d.page("/chat"))
		u.ready()
		u.Await(`![...document.querySelectorAll(".chat-text")].some((el) => el.innerText.trim() === "old")`)
		u.say("[[say young]]")
		u.Await(`[...document.querySelectorAll(".chat-group.assistant .chat-text")].some((el) => el.innerText.trim() === "young")`)
		u.say("/clear")
		eventually(t, "the session is empty", func() bool { return len(o.texts("main")) == 0 })
		u.Await(`![...document.querySelectorAll(".chat-text")].some((el) => el.innerText.trim() === "young")`)
		u.noError("the chat")
	})
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		u := uiAt(t, d.page("/chat"))
		u.ready()
		u.say("[[fail 400]]")
		u.AwaitText("400")
		u.Await(`!document.querySelector(".chat-send-btn--stop")`)
		u.say("[[say works again]]")
		u.Await(`[...document.querySelectorAll(".chat-group.assistant .chat-text")].some((el) => el.innerText.trim() === "works again")`)
	})
	t.Run("the gateway goes and comes back", func(t *testing.T) {
		t.Parallel()
		d := startWithUI(t, "")
		u := uiAt(t, d.page("/chat"))
		u.Excuse = offline
		u.ready()
		u.say("[[say before]]")
		u.bubbles("user: [[say before]]", "assistant: before")
		d.stop(false)
		u.Await(`document.querySelector(".login-gate")`)
		u.Shot("offline")
		d.start()
		u.ready()
		u.bubbles("user: [[say before]]", "assistant: before")
		u.say("[[say after]]")
		u.bubbles("user: [[say before]]", "assistant: before", "user: [[say after]]", "assistant: after")
	})
}

// sessionID is the id of a session, "" when there is none.
func sessionID(o ours, key string) string {
	var row struct{ Session *struct{ SessionID string } }
	o.call("sessions.describe", map[string]any{"key": key}, &row)
	if row.Session == nil {
		return ""
	}
	return row.Session.SessionID
}

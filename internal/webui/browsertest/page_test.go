package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long something may take that must happen. It is long, for
// machines may be busy; nothing that works takes so long.
const patience = 60 * time.Second

// page is a tab of a browser profile of its own.
type page struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string
	// excuse are errors that a test provokes.
	excuse *regexp.Regexp
}

// watchScript keeps what violates the policy, and tasks that held the page up.
const watchScript = `
	window.violations = [];
	document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
	window.longest = 0;
	new PerformanceObserver((list) => { for (const t of list.getEntries()) longest = Math.max(longest, t.duration); }).observe({ entryTypes: ["longtask"] });
`

// visit opens an address in a new profile.
func visit(t testing.TB, url string) *page {
	t.Helper()
	p := &page{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // without a limit: that of the first call would be the tab's
		t.Fatalf("open a tab: %v", err)
	}
	call(p, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript})
	p.do("open "+url, chromedp.Navigate(url))
	t.Cleanup(p.check)
	return p
}

// call calls a command of the browser's protocol.
func call[P, R any](p *page, command cdp.Command[P, R], params P) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
}

// listen keeps what a person would see in the console as an error.
func (p *page) listen(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		for _, a := range e.Args {
			text += string(a.Value) + a.Description + " "
		}
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		text = e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, text)
}

// check fails the test for errors in the console and for what the policy
// forbids.
func (p *page) check() {
	violations, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string]("violations"))
	if err != nil {
		p.t.Errorf("ask for violations: %v", err)
	}
	for _, v := range violations {
		p.t.Errorf("against the page's policy: %s", v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.errors {
		if p.excuse == nil || !p.excuse.MatchString(e) {
			p.t.Errorf("in the console: %s", e)
		}
	}
	if p.t.Failed() {
		p.shot("failed")
	}
}

// do runs actions.
func (p *page) do(doing string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\nthe page shows: %s", doing, err, p.seen())
	}
}

// seen is the text of the page, for messages.
func (p *page) seen() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// eval is the value of an expression, which may be a promise.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v\nthe page shows: %s", expression, err, p.seen())
	}
	return value
}

// evaluate is an expression whose value does not matter.
func evaluate(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[*runtime.RemoteObject](expression)(ctx, t)
		return chromedp.Void{}, err
	}
}

// await waits until an expression is true.
func (p *page) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience+5*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
		p.t.Fatalf("wait for %s: %v\nthe page shows: %s", expression, err, p.seen())
	}
}

// awaitText waits until the text of the first element of a selector contains
// something.
func (p *page) awaitText(selector, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf(`(document.querySelector(%q)?.textContent ?? "").includes(%s)`, selector, quote(text)))
}

func quote(text string) string { return jsonOf(text) }

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // what tests have can be encoded
	}
	return string(b)
}

// click clicks on what a person sees under a name: a button or link, by its text
// or label.
func (p *page) click(name string) {
	p.t.Helper()
	mark := fmt.Sprintf(`(() => {
		const name = %s;
		const top = [...document.querySelectorAll("dialog[open], [popover]:popover-open")].at(-1) ?? document;
		const all = [...top.querySelectorAll("button, a, summary")].filter((el) => el.checkVisibility({ visibilityProperty: true }));
		const el = all.find((el) => (el.getAttribute("aria-label") ?? el.textContent).trim() === name) ?? all.find((el) => (el.getAttribute("aria-label") ?? el.textContent).includes(name));
		document.querySelectorAll("[data-clicked]").forEach((el) => delete el.dataset.clicked);
		if (!el) return false;
		el.dataset.clicked = "";
		return true;
	})()`, quote(name))
	p.await(mark)
	p.do("click on "+name, chromedp.Click(chromedp.CSS("[data-clicked]"), chromedp.NodeVisible))
}

// write puts the focus into a field and types.
func (p *page) write(selector, text string) {
	p.t.Helper()
	p.do("go to "+selector, chromedp.Click(chromedp.CSS(selector)))
	p.keys(text)
}

// keys presses keys one after the other, as a keyboard does: what a page prevents
// when a key goes down is not typed.
func (p *page) keys(text string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	for _, r := range text {
		events := kb.Encode(r)
		typed := slices.IndexFunc(events, func(k *input.DispatchKeyEventParams) bool { return k.Type == kb.KeyChar })
		for i, k := range events {
			if i == typed {
				continue
			}
			for _, m := range modifiers {
				k.Modifiers |= int64(m)
			}
			if i == 0 && typed >= 0 {
				k.Type, k.Text = input.DispatchKeyEventTypeKeyDown, events[typed].Text
			}
			call(p, input.DispatchKeyEvent, *k)
		}
	}
}

// enter presses Enter.
func (p *page) enter(modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.keys(kb.Enter, modifiers...)
}

// say writes a message and sends it.
func (p *page) say(text string) {
	p.t.Helper()
	p.write("#composer", text)
	p.enter()
}

// open shows a session by its key.
func (p *page) open(key string) {
	p.t.Helper()
	p.do("open "+key, evaluate("location.hash = "+quote("#/s/"+key)))
	p.await(`!document.querySelector(".chat").classList.contains("none") && document.querySelector(".thread").getAttribute("aria-busy") === "false"`)
}

// connected waits until the page says that it is.
func (p *page) connected() {
	p.t.Helper()
	p.awaitText("#status", "Connected")
}

// messages are the texts of the messages in sight.
func (p *page) messages() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll(".thread .message .body")].map((el) => el.innerText.trim())`)
}

// size changes the size of the window.
func (p *page) size(width, height int64) {
	p.t.Helper()
	p.do("resize", chromedp.EmulateViewport(width, height))
}

// dark makes the system have dark colours, or light ones.
func (p *page) dark(dark bool) {
	p.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

// shot keeps a picture of what is seen, where that is wanted.
func (p *page) shot(name string) {
	dir := os.Getenv("PARLEY_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		file := strings.ReplaceAll(p.t.Name(), "/", "-") + "-" + name + ".png"
		err = os.WriteFile(filepath.Join(dir, file), png, 0o644)
	}
	if err != nil {
		p.t.Errorf("keep a picture: %v", err)
	}
}

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long something may take that must happen. It is long, for
// machines may be busy; nothing that works takes so long.
const patience = 60 * time.Second

// A Page is a tab. When its test ends it fails it for errors in the console,
// for exceptions, and for what the page's own policy (CSP) forbade, unless
// Excuse matches them.
type Page struct {
	Excuse *regexp.Regexp

	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

// watchScript keeps what violates the policy.
const watchScript = `
	window.violations = [];
	document.addEventListener("securitypolicyviolation", (e) => violations.push(e.violatedDirective + " " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));
`

// Visit opens an address in a tab with a profile of its own, which ends with
// the test.
func (b *Browser) Visit(t testing.TB, url string) *Page {
	t.Helper()
	return open(t, b.ctx, url, chromedp.WithNewBrowserContext())
}

// Beside opens an address in another tab of the same profile.
func (p *Page) Beside(url string) *Page {
	p.t.Helper()
	return open(p.t, p.ctx, url)
}

func open(t testing.TB, parent context.Context, url string, options ...chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{t: t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.listen))...)
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // without a limit: that of the first call would be the tab's
		t.Fatalf("open a tab: %v", err)
	}
	Call(p, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript})
	p.Go(url)
	t.Cleanup(p.check)
	return p
}

// Go opens an address in this tab.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Do("open "+url, chromedp.Navigate(url))
}

// Call calls a command of the browser's protocol.
func Call[P, R any](p *Page, command cdp.Command[P, R], params P) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
}

// listen keeps what a person would see in the console as an error.
func (p *Page) listen(event any) {
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

// check fails the test for what went wrong in the page.
func (p *Page) check() {
	violations, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string]("violations"))
	if err != nil {
		p.t.Errorf("ask for violations: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range violations {
		p.fault("against the page's policy: " + v)
	}
	for _, e := range p.errors {
		p.fault("in the console: " + e)
	}
	if p.t.Failed() {
		p.Shot("failed")
		p.t.Logf("the page shows: %s", p.Seen())
	}
}

func (p *Page) fault(text string) {
	if p.Excuse == nil || !p.Excuse.MatchString(text) {
		p.t.Error(text)
	}
}

// Do runs actions.
func (p *Page) Do(doing string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v\nthe page shows: %s", doing, err, p.Seen())
	}
}

// Seen is the text of the page, for messages.
func (p *Page) Seen() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// Eval is the value of an expression, which may be a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("evaluate %s: %v\nthe page shows: %s", expression, err, p.Seen())
	}
	return value
}

// Await waits until an expression is true.
func (p *Page) Await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience+5*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
		p.t.Fatalf("wait for %s: %v\nthe page shows: %s", expression, err, p.Seen())
	}
}

// AwaitText waits until the text of the page contains something.
func (p *Page) AwaitText(text string) {
	p.t.Helper()
	p.Await(`document.body.innerText.includes(` + Quote(text) + `)`)
}

// Shot keeps a picture of what is seen, where that is wanted.
func (p *Page) Shot(name string) {
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
		file := strings.ReplaceAll(p.t.Name()+"-"+name, "/", "-") + ".png"
		err = os.WriteFile(filepath.Join(dir, file), png, 0o644)
	}
	if err != nil {
		p.t.Errorf("keep a picture: %v", err)
	}
}

// Quote is a text as JavaScript spells it.
func Quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(fmt.Sprintf("encode a string: %v", err)) // every string can be encoded
	}
	return string(b)
}

package browser

import (
	"context"
	"fmt"
	"slices"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Evaluate is an action: an expression whose value does not matter.
func Evaluate(expression string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[*runtime.RemoteObject](expression)(ctx, t)
		return chromedp.Void{}, err
	}
}

// Click clicks on what a person sees under a name: a button or link, by its
// text, label or title; the whole name wins over a part of it. It waits until
// there is one that can be used.
func (p *Page) Click(name string) {
	p.t.Helper()
	p.Await(fmt.Sprintf(`(() => {
		const name = %s;
		const named = (el) => [el.getAttribute("aria-label"), el.title, el.textContent].filter(Boolean).map((s) => s.trim());
		const all = [...document.querySelectorAll("button, a, summary, [role=button], [role=option]")].filter((el) => !el.disabled && el.checkVisibility({ visibilityProperty: true }));
		const el = all.find((el) => named(el).includes(name)) ?? all.find((el) => named(el).some((s) => s.includes(name)));
		document.querySelectorAll("[data-clicked]").forEach((el) => delete el.dataset.clicked);
		if (!el) return false;
		el.dataset.clicked = "";
		return true;
	})()`, Quote(name)))
	p.Do("click on "+name, chromedp.Click(chromedp.CSS("[data-clicked]"), chromedp.NodeVisible))
}

// ClickOn clicks on the first element of a selector.
func (p *Page) ClickOn(selector string) {
	p.t.Helper()
	p.Do("click on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Write puts the focus into a field and types.
func (p *Page) Write(selector, text string) {
	p.t.Helper()
	p.ClickOn(selector)
	p.Keys(text)
}

// Enter presses the Enter key.
func (p *Page) Enter() {
	p.t.Helper()
	p.Keys(kb.Enter)
}

// Keys presses keys one after the other, as a keyboard does: what a page
// prevents when a key goes down is not typed.
func (p *Page) Keys(text string, modifiers ...chromedp.Modifier) {
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
			Call(p, input.DispatchKeyEvent, *k)
		}
	}
}

// AcceptDialogs answers what the page asks from now on (confirm, prompt) with
// yes.
func (p *Page) AcceptDialogs() {
	p.t.Helper()
	p.Do("accept dialogs", Evaluate(`window.confirm = () => true; window.alert = () => {}`))
}

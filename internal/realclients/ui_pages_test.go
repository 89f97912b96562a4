package realclients

import (
	"testing"

	"github.com/parleyd/parley/internal/browser"
)

// TestControlUISessions edits and deletes in the table of sessions.
func TestControlUISessions(t *testing.T) {
	d := startWithUI(t, "")
	o := d.ours()
	for _, key := range []string{"main", "one", "two"} {
		o.say("agent:main:"+key, "[[say hello]]")
	}
	o.call("sessions.patch", map[string]any{"key": "two", "label": "Taken"}, nil)
	u := uiAt(t, d.page("/sessions"))
	row := func(key string) string {
		return `[...document.querySelectorAll(".data-table tbody tr")].find((tr) => tr.innerText.includes(` + browser.Quote("agent:main:"+key) + `))`
	}
	u.Await(row("main") + " && " + row("one") + " && " + row("two"))
	u.AwaitText("Store: ")
	u.Await(row("one") + `.innerText.includes("100 / 32000")`)

	set := func(key, value string) {
		u.Do("label "+key, browser.Evaluate(`(() => { const input = `+row(key)+`.querySelector("td input:not([type=checkbox])"); input.value = `+browser.Quote(value)+`; input.dispatchEvent(new Event("change", { bubbles: true })); })()`))
	}
	set("one", "The first")
	eventually(t, "the label is set", func() bool { return label(o, "one") == "The first" })
	u.noError("the table")
	set("one", "Taken")
	u.AwaitText("label already in use: Taken")
	if got := label(o, "one"); got != "The first" {
		t.Errorf("the label is %q", got)
	}
	u.Shot("label in use")

	// Another client's sessions appear by themselves.
	o.say("agent:main:later", "[[say hello]]")
	u.Await(row("later"))

	tick := func(key string) {
		u.Do("tick "+key, browser.Evaluate(row(key)+`.querySelector("input[type=checkbox]").click()`))
	}
	u.AcceptDialogs()
	tick("two")
	u.Click("Delete")
	u.Await("!" + row("two"))
	if sessionID(o, "two") != "" {
		t.Error("the session is still there")
	}
	tick("main")
	u.Click("Delete")
	u.AwaitText("Cannot delete the main session (agent:main:main).")
	if sessionID(o, "main") == "" {
		t.Error("the main session is gone")
	}
}

func label(o ours, key string) string {
	var row struct{ Session struct{ Label string } }
	o.call("sessions.describe", map[string]any{"key": key}, &row)
	return row.Session.Label
}

// TestControlUIPages goes to every page: those for parts that Parley has show
// them, the others say that there is nothing or which method is unknown, and no
// script fails.
func TestControlUIPages(t *testing.T) {
	d := startWithUI(t, "")
	d.ours().say("agent:main:main", "[[say hello]]")
	for _, p := range []struct {
		path string
		// shows are texts of the page that say it has what it asked for.
		shows []string
		// errors is what it may show as an error, for parts that Parley has not.
		errors string
	}{
		{path: "/overview", shows: []string{"OK", "main"}},
		{path: "/instances", shows: []string{"gateway", "webchat"}},
		{path: "/sessions", shows: []string{"agent:main:main"}},
		{path: "/usage", errors: "unknown method: usage.cost"},
		{path: "/cron", errors: "unknown method: cron"},
		{path: "/agents", shows: []string{"main"}},
		{path: "/skills", errors: "unknown method: skills.status"},
		{path: "/nodes", errors: "unknown method: exec.approvals.get"},
		{path: "/config", shows: []string{"Save"}},
		{path: "/appearance"},
		{path: "/channels", errors: "Channel config schema unavailable."},
		{path: "/debug", shows: []string{"agents.list", `"runtimeVersion"`}},
		{path: "/logs", shows: []string{"client connected"}},
	} {
		t.Run(p.path[1:], func(t *testing.T) {
			t.Parallel()
			u := uiAt(t, d.page(p.path))
			u.Await(`document.querySelector("main, .content") && !document.querySelector(".login-gate")`)
			for _, text := range p.shows {
				u.Await(`document.documentElement.innerHTML.includes(` + browser.Quote(text) + `) || document.body.innerText.includes(` + browser.Quote(text) + `)`)
			}
			if p.errors != "" {
				u.AwaitText(p.errors)
			} else {
				u.noError(p.path)
			}
			u.Shot("page")
		})
	}
}

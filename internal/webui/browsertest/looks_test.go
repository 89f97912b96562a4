package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sampleMessages are messages of every kind that the page draws.
var sampleMessages = []string{
	`{"role":"user","content":[{"type":"text","text":"The greenhouse is too warm at noon. Can you look at the log of the last days and tell me what to change?"}]}`,
	`{"role":"assistant","model":"gpt-x","provider":"local","stopReason":"toolUse","usage":{"input":5210,"output":96},"content":[{"type":"thinking","thinking":"I should look at the log first."},{"type":"text","text":"I will look at the log."},{"type":"toolCall","id":"t1","name":"read_file","arguments":{"path":"greenhouse.log","lines":200}}]}`,
	`{"role":"toolResult","toolCallId":"t1","content":[{"type":"text","text":"2026-11-24 12:00 31.5 C\n2026-11-25 12:00 33.0 C\n2026-11-26 12:00 34.2 C"}]}`,
	`{"role":"assistant","model":"gpt-x","provider":"local","stopReason":"stop","usage":{"input":5410,"output":388},"content":[{"type":"text","text":"## What the log says\nThe temperature at noon **rises day by day**, and the vent opens only at 35 °C:\n\n| Day | Noon | Vent |\n|---|---|---|\n| Tue | 31.5 °C | closed |\n| Wed | 33.0 °C | closed |\n| Thu | 34.2 °C | closed |\n\n1. Lower the threshold to 29 °C in ` + "`vent.toml`" + `.\n2. Open for at least ten minutes:\n   - less wears out the motor\n   - more cools too much\n\n` + "```toml\\n[vent]\\nopen_at  = 29.0   # was 35.0\\nmin_open = \\\"10m\\\"\\n```" + `\n\n> The sensor hangs in the sun after 11 o'clock, so its values are a little too high.\n\nMore about it: https://example.org/vents"}]}`,
	`{"role":"user","MediaPath":"/x/media/inbound/plan.png","MediaType":"image/png","content":[{"type":"text","text":"Here is the plan.\nWhere should the sensor go?"}]}`,
	`{"role":"assistant","model":"gpt-x","provider":"local","stopReason":"error","errorMessage":"LLM request failed: connection refused by the provider endpoint.","usage":{},"content":[]}`,
	`{"role":"user","content":[{"type":"text","text":"And now?"}]}`,
	`{"role":"assistant","model":"gateway-injected","openclawAbort":{"aborted":true,"origin":"rpc","runId":"r"},"content":[{"type":"text","text":"North wall, at the height of the"}]}`,
}

// sampleState is a state directory with some sessions.
func sampleState() map[string][]byte {
	entries := map[string]any{}
	now := time.Now().UnixMilli()
	names := []string{"Greenhouse", "Release notes for 2.4", "", "Holiday in the Harz: trains, huts, and what to take along when it rains", "Invoices", "sql", "Ada", "Backup"}
	for i, name := range names {
		e := map[string]any{
			"sessionId": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "updatedAt": now - int64(i*i)*1_700_000 - 60_000, "modelProvider": "local", "model": "gpt-x",
			"totalTokens": 5800 + i*9000, "totalTokensFresh": true, "contextTokens": 128000, "status": "done", "chatType": "direct",
		}
		if name != "" {
			e["label"] = name
		}
		if i == 4 {
			e["status"] = "failed"
		}
		if i == 6 { // it is spoken to, and is not to start anew because it is from yesterday
			e["updatedAt"] = now
		}
		entries[fmt.Sprintf("agent:main:sample-%d", i)] = e
	}
	store, err := json.Marshal(entries)
	if err != nil {
		panic(err) // maps of plain values can be encoded
	}
	files := map[string][]byte{"agents/main/sessions/sessions.json": store}
	for i := range names {
		messages := sampleMessages
		if i > 0 {
			messages = messages[:1+i%2]
		}
		files[fmt.Sprintf("agents/main/sessions/00000000-0000-4000-8000-%012d.jsonl", i)] = transcript(messages, time.Now().Add(-time.Hour))
	}
	return files
}

// transcript is a file with these messages, ten seconds apart.
func transcript(messages []string, from time.Time) []byte {
	var b strings.Builder
	b.WriteString(`{"type":"session","version":3,"id":"s","timestamp":"2026-01-01T00:00:00.000Z","cwd":"/"}` + "\n")
	for i, m := range messages {
		at := from.Add(time.Duration(i) * 10 * time.Second)
		m = fmt.Sprintf(`{"timestamp":%d,%s`, at.UnixMilli(), strings.TrimPrefix(m, "{"))
		fmt.Fprintf(&b, `{"type":"message","id":"%08x","parentId":null,"timestamp":%q,"message":%s}`+"\n", i+1, at.UTC().Format("2006-01-02T15:04:05.000Z"), m)
	}
	return []byte(b.String())
}

// TestLooks goes through all views in light and dark, on a large and on a small
// screen, and looks for what hinders people: text that is hard to read, controls
// without names, content that runs out of the window.
func TestLooks(t *testing.T) {
	d := startDaemon(t, "", sampleState())
	p := visit(t, d.url("#token="+token))
	p.connected()
	o := d.other()
	o.call("sessions.send", map[string]any{"key": "agent:main:sample-6", "message": "[[drip 100000 200]]"}, nil)
	o.call("sessions.create", map[string]any{"key": "gone", "label": "Old plans"}, nil)
	o.call("chat.inject", map[string]any{"sessionKey": "gone", "message": "A note."}, nil)
	o.call("sessions.delete", map[string]any{"key": "gone"}, nil)
	axe := loadAxe(t)
	for _, screen := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"wide-light", 1440, 900, false}, {"wide-dark", 1440, 900, true}, {"narrow-light", 360, 740, false}, {"narrow-dark", 360, 740, true}} {
		p.size(screen.width, screen.height)
		p.dark(screen.dark)
		for _, view := range []struct{ name, hash, ready string }{
			{"list", "#/", "#side li:nth-child(8)"},
			{"chat", "#/s/agent%3Amain%3Asample-0", ".from-user .chip"},
			{"running", "#/s/agent%3Amain%3Asample-6", ".stream.speaking"},
			{"activity", "#/activity", "td button"},
			{"overview", "#/overview", "dd"},
			{"events", "#/events", ".events li"},
			{"archive", "#/archive", ".archives li"},
		} {
			p.do("go to "+view.name, evaluate("location.hash = "+quote(view.hash)))
			p.await(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", view.ready))
			p.shot(screen.name + "-" + view.name)
			p.inspect(axe, screen.name+", "+view.name)
		}
		p.do("go to a chat", evaluate(`location.hash = "#/s/agent%3Amain%3Asample-0"`))
		for _, open := range []string{"Name and settings", "What can be done with this session", "Keyboard shortcuts and help"} {
			p.click(open)
			p.shot(screen.name + "-" + strings.ReplaceAll(open, " ", "-"))
			p.inspect(axe, screen.name+", "+open)
			p.keys("\x1b")
			p.await(`!document.querySelector("dialog, [popover]")`)
		}
	}
}

// inspect fails for serious problems that axe-core finds, and for what sticks
// out of the window.
func (p *page) inspect(axe, where string) {
	p.t.Helper()
	if wide := eval[float64](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		p.t.Errorf("%s: the page is %v pixels wider than the window", where, wide)
	}
	if axe == "" {
		return
	}
	p.do("load axe-core", evaluate(`if (!window.axe) { `+axe+` }`))
	found := eval[[]string](p, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations
		.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => v.impact + " " + v.id + ": " + v.help + " " + v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")))`)
	for _, f := range found {
		p.t.Errorf("%s: %s", where, f)
	}
}

// loadAxe is the source of axe-core, "" where it is not installed; in CI it must
// be.
func loadAxe(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("AXE_MODULES")
	if dir == "" && os.Getenv("CI") == "" {
		t.Log("without axe-core: AXE_MODULES names no folder with it")
		return ""
	}
	source, err := os.ReadFile(filepath.Join(dir, "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is needed to look for what hinders people: npm install axe-core, and name its node_modules folder in AXE_MODULES: %v", err)
	}
	return string(source)
}

package sessionstest

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// Texts that clients give, chosen so that they often mean the same session.
var (
	keys = []string{
		"main", " MAIN\t", "agent:main:main", "agent:home:main", "agent:ops:main", "global", "GLOBAL", "Unknown",
		"a", "A", "agent:main:a", " Agent:Home:A", "agent:ops:a", "agent:ops:ÀÉ", "b c",
		"subagent:s", "agent:ops:SUBAGENT:s", "acp:z", "slack:group:c1", "cron:j", "cron:j:run:1", "agent:main:cron:j:run:1",
		"agent:ops", "agent::x", "agent:My Agent:x", "agent:main::main", "\ufeff", "  ",
	}
	agentIDs = rapid.SampledFrom([]string{"main", "ops", " Ops", "home", "Home Team", " "})
	labels   = rapid.SampledFrom([]string{"one", "two", " one ", "One", "  "})
	models   = rapid.SampledFrom([]string{
		"fast", " FAST ", "openai/gpt-5.4", "OpenAI/gpt-5.4@work", "zai/glm", "Z.ai/glm", "glm", "anthropic/base", "base@20260101", "base@me",
		"openrouter/anthropic/claude-x", "groq/spare", "tiny/sub", "nobody/nothing", "anthropic/claude-opus-4-6", "/bad", "bad/", "  ",
	})
	minutes = rapid.SampledFrom([]float64{1, 2, 60})
)

// levelWords are what clients say for levels, whichever takes it.
var levelWords = append(strings.Fields(`off on enable enabled min minimal think low thinkhard think-hard think_hard mid med medium
	thinkharder think-harder harder high ultra ultrathink thinkhardest highest max adaptive auto xhigh x-high x_high extrahigh
	false no 0 true yes 1 full all everything hide hidden disable disabled show visible stream streaming draft live
	ask prompt approval approve auto-approve autoapprove sandbox gateway node deny allowlist on-miss always what
	ON Think-Hard Full`), " on ", "x high", "Extra High", "a u t o", "think hard", " Node ", " ")

// TestModel plays random calls and compares every answer, every event, the
// whole list and now and then the files with the model's.
func TestModel(t *testing.T) {
	dir := t.TempDir() + "/state"
	rapid.Check(t, func(rt *rapid.T) {
		c := drawConf(rt)
		bubbled(t, rt, func(tb testing.TB) {
			w := newWorld(rt, tb, dir, c)
			defer func() { w.stop() }()
			rt.Repeat(map[string]func(*rapid.T){
				"create":  w.action((*world).create),
				"patch":   w.action((*world).patch),
				"patch 2": w.action((*world).patch), // since it has the most rules
				"reset":   w.action((*world).reset),
				"delete":  w.action((*world).remove),
				"compact": w.action((*world).compact),
				"list":    w.action((*world).list),
				"resolve": w.action((*world).resolve),
				"look":    w.action((*world).look),
				"wait":    w.action((*world).wait),
				"watch":   w.action(func(w *world) { w.watch(!w.watching) }),
				"restart": w.action((*world).restart),
				"edit":    w.action((*world).edit),
				"":        w.action((*world).listAll),
			})
		})
	})
}

// action is a step of the machine; each has a time of its own.
func (w *world) action(do func(*world)) func(*rapid.T) {
	return func(*rapid.T) {
		time.Sleep(10 * time.Millisecond)
		w.m.now = float64(time.Now().UnixMilli())
		do(w)
	}
}

// chance draws whether something happens that does in one of n cases.
func (w *world) chance(n int, what string) bool { return rapid.IntRange(1, n).Draw(w.T, what) == n }

// some adds a param in one of n cases.
func some[T any](w *world, p params, n int, name string, from *rapid.Generator[T]) {
	if w.chance(n, name+"?") {
		p[name] = from.Draw(w.T, name)
	}
}

// caller draws who calls, and what that one is refused with.
func (w *world) caller(scope, webchat string) (c *gatewaytest.Client, fault string) {
	switch rapid.IntRange(0, 9).Draw(w.T, "caller") {
	case 9:
		return w.reader, "missing scope: " + scope
	case 8:
		return w.webchat, webchat
	}
	return w.admin, ""
}

func (w *world) create() {
	p := params{}
	some(w, p, 2, "key", w.keys)
	some(w, p, 3, "agentId", agentIDs)
	some(w, p, 4, "label", labels)
	some(w, p, 4, "model", models)
	some(w, p, 3, "parentSessionKey", w.keys)
	some(w, p, 8, "task", rapid.SampledFrom([]string{"  ", "not\x00sent"}))
	some(w, p, 8, "message", rapid.SampledFrom([]string{"  ", "\x00"}))
	c, fault := w.caller("operator.write", "")
	answer, got := w.call(c, "sessions.create", p)
	if fault != "" {
		w.refusedAs("sessions.create", got, fault)
		return
	}
	ids := w.newIDs(answer)
	key, e, want := w.m.create(p, ids)
	if w.refusedAs("sessions.create", got, want) {
		return
	}
	whole := map[string]any{"ok": true, "key": key, "sessionId": e["sessionId"], "entry": e, "runStarted": false}
	if strings.Contains(p.text("task")+p.text("message"), "\x00") { // the session stays without its first message
		whole["runError"] = map[string]any{"code": "INVALID_REQUEST", "message": "message must not contain null bytes"}
	}
	w.same("answer", answer, whole)
	w.m.home(key).transcripts[e.text("sessionId")] = true
	w.changed(key, "create")
}

// newIDs takes from an answer what the gateway made up.
func (w *world) newIDs(answer map[string]any) (ids newIDs) {
	ids.key, _ = answer["key"].(string)
	if e, ok := answer["entry"].(map[string]any); ok {
		ids.sessionID = entry(e).text("sessionId")
	}
	w.mask(ids.key + ids.sessionID)
	return ids
}

// changed expects the event of a change, of the entry as it is read again.
func (w *world) changed(key, reason string) {
	if s, ok := w.m.home(key).find(key); ok {
		s.normalize()
	}
	w.expectEvents(w.m.changed(key, reason))
}

func (w *world) patch() {
	p := params{"key": w.keys.Draw(w.T, "key")}
	levels := orNull(rapid.SampledFrom(levelWords))
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(levelNames), 0, 3, rapid.ID).Draw(w.T, "levels") {
		p[name] = levels.Draw(w.T, name)
	}
	some(w, p, 3, "model", orNull(models))
	some(w, p, 3, "label", orNull(labels))
	some(w, p, 3, "spawnedBy", orNull(w.keys))
	some(w, p, 5, "spawnedWorkspaceDir", orNull(rapid.SampledFrom([]string{"/w", " /w ", "/v", " "})))
	some(w, p, 5, "spawnDepth", orNull(rapid.SampledFrom([]float64{0, 1})))
	some(w, p, 5, "subagentRole", orNull(rapid.SampledFrom([]string{"leaf", "orchestrator"})))
	some(w, p, 5, "subagentControlScope", orNull(rapid.SampledFrom([]string{"children", "none"})))
	some(w, p, 5, "fastMode", orNull(rapid.Bool()))
	some(w, p, 5, "responseUsage", orNull(rapid.SampledFrom([]string{"on", "off", "tokens", "full"})))
	some(w, p, 5, "execNode", orNull(rapid.SampledFrom([]string{" N1 ", " "})))
	some(w, p, 5, "sendPolicy", orNull(rapid.SampledFrom([]string{"allow", "deny"})))
	some(w, p, 5, "groupActivation", orNull(rapid.SampledFrom([]string{"mention", "always"})))
	c, fault := w.caller("operator.admin", "webchat clients cannot patch sessions; use chat.send for session-scoped updates")
	if c == w.webchat && trim(p.text("key")) == "" {
		fault = "key required" // this is looked at first
	}
	answer, got := w.call(c, "sessions.patch", p)
	if fault != "" {
		w.refusedAs("sessions.patch", got, fault)
		return
	}
	key, e, want := w.m.patch(p, w.newIDs(answer))
	if w.refusedAs("sessions.patch", got, want) {
		return
	}
	chosen := w.m.resolvedModel(key, e)
	w.same("answer", answer, map[string]any{
		"ok": true, "key": key, "entry": e, "path": w.m.conf.path(w.dir, w.m.agentOf(key)),
		"resolved": map[string]any{"modelProvider": chosen.provider, "model": chosen.model},
	})
	w.changed(key, "patch")
}

func orNull[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if rapid.IntRange(1, 5).Draw(t, "null") == 5 {
			return nil
		}
		return g.Draw(t, "value")
	})
}

func (w *world) reset() {
	p := params{"key": w.keys.Draw(w.T, "key")}
	some(w, p, 2, "reason", rapid.SampledFrom([]string{"new", "reset"}))
	c, fault := w.caller("operator.admin", "")
	answer, got := w.call(c, "sessions.reset", p)
	if fault != "" {
		w.refusedAs("sessions.reset", got, fault)
		return
	}
	old, _ := w.m.lookup(p.text("key"))
	key, e, want := w.m.reset(p, w.newIDs(answer))
	if w.refusedAs("sessions.reset", got, want) {
		return
	}
	w.same("answer", answer, map[string]any{"ok": true, "key": key, "entry": e})
	w.m.home(key).archive(old.entry)
	reason := "reset"
	if p["reason"] != nil {
		reason = p.text("reason")
	}
	w.changed(key, reason)
}

func (w *world) remove() {
	p := params{"key": w.keys.Draw(w.T, "key")}
	some(w, p, 3, "deleteTranscript", rapid.Bool())
	some(w, p, 8, "emitLifecycleHooks", rapid.Bool())
	c, fault := w.caller("operator.admin", "webchat clients cannot delete sessions; use chat.send for session-scoped updates")
	if c == w.webchat && trim(p.text("key")) == "" {
		fault = "key required"
	}
	answer, got := w.call(c, "sessions.delete", p)
	if fault != "" {
		w.refusedAs("sessions.delete", got, fault)
		return
	}
	old, _ := w.m.lookup(p.text("key"))
	key, deleted, want := w.m.remove(p)
	if w.refusedAs("sessions.delete", got, want) {
		return
	}
	archived := 0
	if deleted && p["deleteTranscript"] != false && w.m.home(key).archive(old.entry) {
		archived = 1
	}
	paths, _ := answer["archived"].([]any)
	w.same("archived", float64(len(paths)), archived)
	delete(answer, "archived")
	w.same("answer", answer, map[string]any{"ok": true, "key": key, "deleted": deleted})
	if !deleted {
		w.expectEvents()
		return
	}
	w.expectEvents(map[string]any{"sessionKey": key, "reason": "delete"})
}

// compact finds nothing to shorten here, but brings spellings together.
func (w *world) compact() {
	p := params{"key": w.keys.Draw(w.T, "key")}
	some(w, p, 2, "maxLines", rapid.SampledFrom([]float64{1, 400}))
	answer, got := w.call(w.admin, "sessions.compact", p)
	if trim(p.text("key")) == "" {
		w.refusedAs("sessions.compact", got, "key required")
		return
	}
	w.refusedAs("sessions.compact", got, "")
	key := w.m.canonical(p.text("key"))
	e, _ := w.m.home(key).claim(key, p.text("key"))
	want := map[string]any{"ok": true, "key": key, "compacted": false}
	switch id := e.text("sessionId"); {
	case id == "":
		want["reason"] = "no sessionId"
	case !w.m.home(key).transcripts[id]:
		want["reason"] = "no transcript"
	default:
		want["kept"] = 1 // the header
	}
	w.same("answer", answer, want)
	w.expectEvents()
}

func (w *world) list() {
	p := params{}
	some(w, p, 3, "agentId", agentIDs)
	some(w, p, 4, "spawnedBy", rapid.SampledFrom([]string{"main", "agent:main:main", "agent:home:main", "global", "agent:main:a", "agent:ops:a"}))
	some(w, p, 4, "label", labels)
	some(w, p, 3, "search", rapid.SampledFrom([]string{"one", " ONE ", "ops", "c1", "slack:g-", "agent", "s1", "  ", "absent"}))
	some(w, p, 4, "activeMinutes", minutes)
	some(w, p, 4, "limit", rapid.SampledFrom([]float64{1, 2, 100}))
	some(w, p, 2, "includeGlobal", rapid.Bool())
	some(w, p, 2, "includeUnknown", rapid.Bool())
	if n, ok := p["activeMinutes"].(float64); ok && w.chance(2, "just as old") {
		w.waitForAge(n * 60000)
	}
	some(w, p, 4, "includeDerivedTitles", rapid.Bool())
	some(w, p, 8, "includeLastMessage", rapid.Bool())
	w.compareList(p)
}

func (w *world) listAll() { w.compareList(params{"includeGlobal": true, "includeUnknown": true}) }

func (w *world) compareList(p params) {
	answer, fault := w.call(w.reader, "sessions.list", p)
	if fault != "" {
		w.Fatalf("sessions.list was refused: %s", fault)
	}
	rows := []any{}
	for _, s := range w.m.list(p) {
		row := w.m.row(s)
		if title := title(s); p["includeDerivedTitles"] == true && title != "" {
			row["derivedTitle"] = title
		}
		rows = append(rows, row)
	}
	base := w.m.conf.baseModel()
	w.same("list", answer, map[string]any{
		"ts": w.m.now, "path": w.m.conf.shownPath(w.dir), "count": len(rows), "sessions": rows,
		"defaults": map[string]any{"modelProvider": base.provider, "model": base.model, "contextTokens": 200000},
	})
	w.expectEvents()
}

func (w *world) resolve() {
	p := params{}
	switch rapid.IntRange(0, 5).Draw(w.T, "by") {
	case 0, 1:
		p["key"] = w.keys.Draw(w.T, "key")
	case 2:
		p["sessionId"] = w.drawID()
	case 3, 4:
		p["label"] = labels.Draw(w.T, "label")
	case 5:
		some(w, p, 2, "key", w.keys)
		some(w, p, 2, "label", labels)
		some(w, p, 2, "sessionId", rapid.SampledFrom([]string{"s1", " "}))
	}
	some(w, p, 4, "agentId", agentIDs)
	some(w, p, 4, "spawnedBy", rapid.SampledFrom([]string{"main", "agent:main:main", "agent:home:main", "global", "agent:main:a", " "}))
	some(w, p, 2, "includeGlobal", rapid.Bool())
	some(w, p, 2, "includeUnknown", rapid.Bool())
	answer, got := w.call(w.reader, "sessions.resolve", p)
	key, want := w.m.resolve(p)
	if !w.refusedAs("sessions.resolve", got, want) {
		w.same("answer", answer, map[string]any{"ok": true, "key": key})
		w.expectEvents()
	}
}

// drawID draws a text for a session id: one that may be stored, or a key.
func (w *world) drawID() string {
	ids := []string{"s1", "s2", "nothing", "agent:ops:a", "agent:main:a", "  "}
	for _, s := range w.m.combined() {
		if id := s.text("sessionId"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids[rapid.IntRange(0, len(ids)-1).Draw(w.T, "id")]
}

// look asks for the messages of a session, of which there are none.
func (w *world) look() {
	key := w.keys.Draw(w.T, "key")
	if trim(key) != "" {
		on := rapid.Bool().Draw(w.T, "subscribe")
		method := map[bool]string{true: "sessions.messages.subscribe", false: "sessions.messages.unsubscribe"}[on]
		answer, got := w.call(w.reader, method, params{"key": key})
		w.refusedAs(method, got, "")
		w.same("answer", answer, map[string]any{"subscribed": on, "key": w.m.canonical(key)})
	}
	answer, got := w.call(w.reader, "sessions.get", params{"key": key})
	want := ""
	if trim(key) == "" {
		want = "key required"
	}
	if !w.refusedAs("sessions.get", got, want) {
		w.same("answer", answer, map[string]any{"messages": []any{}})
	}
	answer, got = w.call(w.reader, "sessions.preview", params{"keys": []string{key}})
	w.refusedAs("sessions.preview", got, "")
	previews := []any{}
	if key := trim(key); key != "" {
		previews = append(previews, map[string]any{"key": key, "status": w.m.previewStatus(key), "items": []any{}})
	}
	w.same("answer", answer, map[string]any{"ts": w.m.now, "previews": previews})
	w.expectEvents()
}

func (w *world) wait() {
	time.Sleep(time.Duration(minutes.Draw(w.T, "minutes")) * time.Minute)
	w.expectEvents()
}

// waitForAge waits until the newest session is as old, to the millisecond.
func (w *world) waitForAge(ms float64) {
	newest := 0.
	for _, s := range w.m.combined() {
		newest = max(newest, s.number("updatedAt"))
	}
	if wait := newest + ms - w.m.now; wait > 0 {
		time.Sleep(time.Duration(wait) * time.Millisecond)
		w.m.now = float64(time.Now().UnixMilli())
	}
}

// restart stops the gateway and starts another one on the same directory.
func (w *world) restart() {
	w.expectEvents()
	w.stop()
	w.compareFiles()
	w.start()
}

package sessionstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Params of a call, decoded. A value that is nil is null on the wire.
type params map[string]any

func (p params) text(name string) string {
	s, _ := p[name].(string)
	return s
}

// newIDs stand for what only the gateway knows: a new session id, a key that
// it made. The model is told them by the answer.
type newIDs struct{ key, sessionID string }

// createKey is the key of the session that create makes.
func (m *model) createKey(p params, ids newIDs) (key, fault string) {
	key = trim(p.text("key"))
	agent, named := m.conf.defaultAgent(), trim(p.text("agentId")) != ""
	if named {
		agent = normalAgent(p.text("agentId"))
	}
	_, _, full := parse(key)
	special := lower(key) == "global" || lower(key) == "unknown"
	switch own := "agent:" + agent + ":"; {
	case key == "" && strings.HasPrefix(ids.key, own+"dashboard:"):
		return ids.key, ""
	case key == "":
		return own + "dashboard:?", "" // refused, or wrong
	case malformed(key):
		return "", `malformed session key "` + key + `"`
	case full && named && m.agentIn(key) != agent:
		return "", fmt.Sprintf("sessions.create key agent (%s) does not match agentId (%s)", m.agentIn(key), agent)
	case !full && named && !special:
		return m.canonical(own + key), ""
	}
	return m.canonical(key), ""
}

// agentIn is the agent that a full key names.
func (m *model) agentIn(key string) string {
	agent, _, _ := parse(key)
	return normalAgent(agent)
}

// create makes a session, or changes the one that is there.
func (m *model) create(p params, ids newIDs) (key string, e entry, fault string) {
	if key, fault = m.createKey(p, ids); fault != "" {
		return "", nil, fault
	}
	parent := trim(p.text("parentSessionKey"))
	if parent != "" {
		s, ok := m.lookup(parent)
		if !ok || s.text("sessionId") == "" {
			return "", nil, "unknown parent session: " + parent
		}
		parent = m.canonical(parent)
	}
	patch := params{}
	for _, name := range []string{"label", "model"} {
		if v, ok := p[name]; ok {
			patch[name] = v
		}
	}
	f := m.home(key)
	old, exists := f.find(key, p.text("key"))
	e, fault = m.patched(f, key, old.entry, exists, patch, ids.sessionID)
	if fault != "" {
		return "", nil, fault
	}
	if e.text("sessionId") == "" {
		e["sessionId"] = ids.sessionID
	}
	if parent != "" {
		e["parentSessionKey"] = parent
	}
	f.claim(key, p.text("key"))
	f.put(key, e)
	return key, e, ""
}

// patch changes a session; one that is not there is made.
func (m *model) patch(p params, ids newIDs) (key string, e entry, fault string) {
	if fault := unwritable(p); fault != "" {
		return "", nil, fault
	}
	key = m.canonical(p.text("key"))
	f := m.home(key)
	old, exists := f.claim(key, p.text("key")) // kept even when the patch is refused
	if e, fault = m.patched(f, key, old, exists, p, ids.sessionID); fault != "" {
		return "", nil, fault
	}
	f.put(key, e)
	return key, e, ""
}

// unwritable says why nothing can be written under the key of the params.
func unwritable(p params) string {
	key := trim(p.text("key"))
	switch {
	case key == "":
		return "key required"
	case malformed(key):
		return `malformed session key "` + key + `"`
	}
	return ""
}

// patching is a patch under way.
type patching struct {
	m   *model
	f   *file
	key string
	e   entry
	p   params
}

// patched is an entry with a patch applied.
func (m *model) patched(f *file, key string, old entry, exists bool, p params, id string) (entry, string) {
	c := &patching{m: m, f: f, key: key, e: maps.Clone(old), p: p}
	if !exists {
		c.e = entry{"sessionId": id}
	}
	c.e["updatedAt"] = m.now
	for _, field := range patchFields {
		v, given := p[field.name]
		if !given {
			continue
		}
		if fault := field.apply(c, field.name, v); fault != "" {
			return nil, fault
		}
	}
	if c.e["thinkingLevel"] == "xhigh" && !thinksHard(c.chosen()) {
		if _, asked := p["thinkingLevel"]; asked {
			return nil, `thinkingLevel "xhigh" is only supported for provider models that advertise xhigh reasoning`
		}
		c.e["thinkingLevel"] = "high"
	}
	return c.e, ""
}

func (c *patching) agent() string { return c.m.agentOf(c.key) }

// chosen is the model that the session's next run uses.
func (c *patching) chosen() ref { return c.m.conf.chosen(c.agent(), c.e) }

func (c conf) chosen(agent string, e entry) ref {
	model, provider := e.text("modelOverride"), e.text("providerOverride")
	if model == "" {
		return c.defaultModel(agent)
	}
	if provider == "" {
		if r, ok := split(model); ok {
			return r
		}
		provider = c.defaultModel(agent).provider
	}
	return ref{provider, model}
}

type patchRule func(c *patching, name string, v any) (fault string)

// patchFields are what can be patched, in the order in which it is done.
var patchFields = []struct {
	name  string
	apply patchRule
}{
	{"spawnedBy", lineage}, {"spawnedWorkspaceDir", lineage}, {"spawnDepth", lineage},
	{"subagentRole", lineage}, {"subagentControlScope", lineage},
	{"label", labelRule},
	{"thinkingLevel", thinkingRule},
	{"fastMode", plain},
	{"verboseLevel", word(`"on"|"off"`, false, "off=false no 0", "on=minimal true yes 1", "full=all everything")},
	{"reasoningLevel", word(`"on"|"off"|"stream"`, false, "off=false no 0 hide hidden disable disabled", "on=true yes 1 show visible enable enabled", "stream=streaming draft live")},
	{"responseUsage", responseUsageRule},
	{"elevatedLevel", word(`"on"|"off"|"ask"|"full"`, false, "off=false no 0", "on=true yes 1", "ask=prompt approval approve", "full=auto auto-approve autoapprove")},
	{"execHost", word(`"sandbox"|"gateway"|"node"`, true, "sandbox", "gateway", "node")},
	{"execSecurity", word(`"deny"|"allowlist"|"full"`, true, "deny", "allowlist", "full")},
	{"execAsk", word(`"off"|"on-miss"|"always"`, true, "off", "on-miss", "always")},
	{"execNode", nonEmpty},
	{"model", modelRule},
	{"sendPolicy", plain}, {"groupActivation", plain},
}

func plain(c *patching, name string, v any) string {
	if v == nil {
		delete(c.e, name)
	} else {
		c.e[name] = v
	}
	return ""
}

func nonEmpty(c *patching, name string, v any) string {
	if s, ok := v.(string); ok {
		if v = trim(s); v == "" {
			return "invalid " + name + ": empty"
		}
	}
	return plain(c, name, v)
}

// word is a rule that takes words: "stored=other other …".
func word(hint string, trims bool, lines ...string) patchRule {
	return func(c *patching, name string, v any) string {
		text, ok := v.(string)
		if !ok {
			return plain(c, name, v)
		}
		if trims {
			text = trim(text)
		}
		found := meant(lower(text), lines)
		if found == "" {
			return fmt.Sprintf("invalid %s (use %s)", name, hint)
		}
		return plain(c, name, found)
	}
}

func meant(text string, lines []string) string {
	for _, line := range lines {
		canon, others, _ := strings.Cut(line, "=")
		if text == canon || slices.Contains(strings.Fields(others), text) {
			return canon
		}
	}
	return ""
}

// lineage fields belong to spawned sessions and are set once.
func lineage(c *patching, name string, v any) string {
	was := c.e[name]
	set := was != nil && was != ""
	text, isText := v.(string)
	text = trim(text)
	blank := isText && text == "" && strings.HasPrefix(name, "spawned")
	switch {
	case v == nil && set:
		return name + " cannot be cleared once set"
	case v == nil:
		return ""
	case blank && name == "spawnedBy":
		return "invalid spawnedBy: empty"
	case !spawned(c.key):
		return name + " is only supported for subagent:* or acp:* sessions"
	case blank:
		return "invalid " + name + ": empty"
	}
	if isText {
		v = text
	}
	if set && was != v {
		return name + " cannot be changed once set"
	}
	c.e[name] = v
	return ""
}

func labelRule(c *patching, name string, v any) string {
	text, _ := v.(string)
	for _, s := range c.f.entries {
		if v != nil && trim(text) != "" && c.f.meaning(s.key) != c.key && s.text("label") == trim(text) {
			return "label already in use: " + trim(text)
		}
	}
	return nonEmpty(c, name, v)
}

func thinkingRule(c *patching, name string, v any) string {
	text, ok := v.(string)
	if !ok {
		return plain(c, name, v)
	}
	text = lower(trim(text))
	dense := strings.NewReplacer(" ", "", "_", "", "-", "").Replace(text)
	level := meant(dense, []string{"adaptive=auto", "xhigh=extrahigh"})
	if level == "" {
		level = meant(text, []string{
			"off", "low=on enable enabled thinkhard think-hard think_hard", "minimal=min think",
			"medium=mid med thinkharder think-harder harder", "high=ultra ultrathink thinkhardest highest max",
		})
	}
	if level != "" {
		return plain(c, name, level)
	}
	hint := "off|minimal|low|medium|high|adaptive"
	if c.chosen().provider == "zai" {
		hint = "off|on"
	}
	return "invalid thinkingLevel (use " + hint + ")"
}

func responseUsageRule(c *patching, name string, v any) string {
	switch v {
	case "off":
		v = nil
	case "on":
		v = "tokens"
	}
	return plain(c, name, v)
}

// modelRule chooses a model. What is known of runs with another one goes.
func modelRule(c *patching, name string, v any) string {
	own := c.m.conf.defaultModel(c.agent())
	chosen := own
	if text, ok := v.(string); ok {
		text = trim(text)
		if text == "" {
			return "invalid model: empty"
		}
		if chosen, ok = c.m.conf.parseModel(c.agent(), text); !ok {
			return "invalid model: " + text
		}
		if !c.m.conf.allowed(c.agent(), chosen, subagent(c.key)) {
			return "model not allowed: " + chosen.String()
		}
	}
	before := ref{c.e.text("providerOverride"), c.e.text("modelOverride")}
	delete(c.e, "providerOverride")
	delete(c.e, "modelOverride")
	if chosen != own {
		c.e["providerOverride"], c.e["modelOverride"] = chosen.provider, chosen.model
	}
	changed := before != ref{c.e.text("providerOverride"), c.e.text("modelOverride")}
	runtime := ref{c.e.text("modelProvider"), c.e.text("model")}
	differs := runtime.model != "" && (runtime.model != chosen.model || runtime.provider != "" && runtime.provider != chosen.provider)
	if changed || differs {
		for _, name := range []string{"model", "modelProvider", "contextTokens"} {
			delete(c.e, name)
		}
	}
	return ""
}

// kept is what a reset keeps.
var kept = strings.Fields(`thinkingLevel fastMode verboseLevel reasoningLevel responseUsage sendPolicy label origin
	lastChannel lastTo lastAccountId lastThreadId skillsSnapshot
	modelOverride providerOverride spawnedBy spawnedWorkspaceDir spawnDepth subagentRole subagentControlScope parentSessionKey
	groupActivation elevatedLevel execHost execSecurity execAsk execNode
	displayName subject channel chatType groupId groupChannel space`)

// reset lets a session start over; one that is not there is made.
func (m *model) reset(p params, ids newIDs) (key string, e entry, fault string) {
	if fault := unwritable(p); fault != "" {
		return "", nil, fault
	}
	key = m.canonical(p.text("key"))
	f := m.home(key)
	old, _ := f.claim(key, p.text("key"))
	next := m.conf.chosen(m.agentOf(key), old)
	e = entry{
		"sessionId": ids.sessionID, "updatedAt": m.now, "systemSent": false, "abortedLastRun": false,
		"inputTokens": 0., "outputTokens": 0., "totalTokens": 0., "totalTokensFresh": true,
		"model": next.model, "modelProvider": next.provider,
	}
	for _, name := range kept {
		if v, ok := old[name]; ok {
			e[name] = v
		}
	}
	f.put(key, e)
	return key, e, ""
}

// remove deletes a session.
func (m *model) remove(p params) (key string, deleted bool, fault string) {
	if trim(p.text("key")) == "" {
		return "", false, "key required"
	}
	key = m.canonical(p.text("key"))
	if key == m.main() {
		return "", false, "Cannot delete the main session (" + key + ")."
	}
	f := m.home(key)
	_, deleted = f.claim(key, p.text("key"))
	f.entries = slices.DeleteFunc(f.entries, func(s stored) bool { return s.key == key })
	return key, deleted, ""
}

// archive sets the transcript of an old entry aside, unless another entry uses
// it or there is none.
func (f *file) archive(old entry) bool {
	id := old.text("sessionId")
	if !f.transcripts[id] || slices.ContainsFunc(f.entries, func(s stored) bool { return s.text("sessionId") == id }) {
		return false
	}
	delete(f.transcripts, id)
	return true
}

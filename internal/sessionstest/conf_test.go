package sessionstest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// The places that a store may have.
const (
	usualStore    = "usual"
	fixedStore    = "fixed"
	templateStore = "template"
)

// conf is what the rules depend on beside the sessions.
type conf struct {
	global bool   // session.scope
	agents bool   // two are configured, "home" by default and "ops"
	store  string // where the files are
	models bool   // models are limited; see the methods
}

func drawConf(t *rapid.T) conf {
	return conf{
		global: rapid.Bool().Draw(t, "global scope"),
		agents: rapid.Bool().Draw(t, "agents configured"),
		store:  rapid.SampledFrom([]string{usualStore, fixedStore, templateStore}).Draw(t, "store"),
		models: rapid.Bool().Draw(t, "models limited"),
	}
}

// text is the configuration file; dir is the state directory.
func (c conf) text(dir string) string {
	var out strings.Builder
	out.WriteString(`{gateway: {auth: {mode: "token", token: "secret-token"}}`)
	fmt.Fprintf(&out, `, session: {scope: %q`, map[bool]string{true: "global", false: "per-sender"}[c.global])
	if c.store != usualStore {
		fmt.Fprintf(&out, `, store: %q`, c.path(dir, "{agentId}"))
	}
	out.WriteString(`}, agents: {`)
	if !c.models {
		out.WriteString(`defaults: {model: "anthropic/base"}, `)
	} else {
		out.WriteString(`defaults: {model: {primary: "Anthropic/base", fallbacks: ["groq/spare"]}, subagents: {model: "tiny/sub"},
			models: {"openai/gpt-5.4": {alias: "Fast"}, "zai/glm": {}, "openrouter/anthropic/claude-x": {}}}, `)
	}
	if c.agents {
		out.WriteString(`list: [{id: "ops", model: "zai/glm"}, {id: "Home", default: true}]`)
	}
	out.WriteString(`}}`)
	return out.String()
}

// path is the store of an agent.
func (c conf) path(dir, agent string) string {
	switch c.store {
	case fixedStore:
		return dir + "/one/sessions.json"
	case templateStore:
		return dir + "/elsewhere/agents/" + agent + "/sessions/sessions.json"
	}
	return dir + "/agents/" + agent + "/sessions/sessions.json"
}

// shownPath is the path that sessions.list tells.
func (c conf) shownPath(dir string) string {
	if c.store == usualStore {
		return "(multiple)"
	}
	return c.path(dir, "{agentId}")
}

func (c conf) defaultAgent() string {
	if c.agents {
		return "home"
	}
	return "main"
}

// agentIDs are the agents whose files are read first.
func (c conf) agentIDs() []string {
	if c.agents {
		return []string{"ops", "home"}
	}
	return []string{"main"}
}

// ref names a model.
type ref struct{ provider, model string }

func (r ref) String() string { return r.provider + "/" + r.model }

func split(text string) (ref, bool) {
	provider, model, ok := strings.Cut(text, "/")
	return ref{provider, model}, ok && provider != "" && model != ""
}

// baseModel is the default model of no agent in particular.
func (c conf) baseModel() ref { return ref{"anthropic", "base"} }

func (c conf) defaultModel(agent string) ref {
	if c.agents && agent == "ops" {
		return ref{"zai", "glm"}
	}
	return c.baseModel()
}

// listed are the models of agents.defaults.models.
func (c conf) listed() []ref {
	if !c.models {
		return nil
	}
	return []ref{{"openai", "gpt-5.4"}, {"zai", "glm"}, {"openrouter", "anthropic/claude-x"}}
}

// only is the one provider that offers a model id, if it is one.
func (c conf) only(model string) string {
	found := ""
	for _, r := range c.listed() {
		if strings.EqualFold(r.model, model) {
			found = r.provider
		}
	}
	return found
}

// parseModel is what a client means by a text, trimmed and not empty.
func (c conf) parseModel(agent, text string) (ref, bool) {
	if at := strings.LastIndex(text, "@"); at > strings.LastIndex(text, "/") && !date(text[at+1:]) && at > 0 {
		text = text[:at]
	}
	if !strings.Contains(text, "/") {
		if c.models && strings.EqualFold(text, "fast") {
			return ref{"openai", "gpt-5.4"}, true
		}
		return ref{c.defaultModel(agent).provider, text}, true
	}
	r, ok := split(text)
	r.provider = lower(r.provider)
	synonyms := map[string]string{"z.ai": "zai", "z-ai": "zai", "aws-bedrock": "amazon-bedrock", "qwen": "qwen-portal"}
	r.provider = cmp.Or(synonyms[r.provider], r.provider)
	return r, ok
}

func date(s string) bool {
	return len(s) == 8 && strings.Trim(s, "0123456789") == ""
}

// allowed reports whether a session may use a model.
func (c conf) allowed(agent string, r ref, subagent bool) bool {
	own := c.defaultModel(agent)
	if subagent && c.models {
		own = ref{"tiny", "sub"}
	}
	return !c.models || r == own || r == ref{"groq", "spare"} || slices.Contains(c.listed(), r)
}

// thinksHard are the models that know the level xhigh.
func thinksHard(r ref) bool { return r == ref{"openai", "gpt-5.4"} }

package config

import (
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// ModelRef names a model of a provider.
type ModelRef struct{ Provider, Model string }

// String is "provider/model".
func (r ModelRef) String() string { return r.Provider + "/" + r.Model }

// What holds when providers are configured and no model is.
const (
	fallbackProvider = "anthropic"
	fallbackModel    = "claude-opus-4-6"
)

// Echo is the built-in model that needs no server.
var echoRef = ModelRef{Provider: "echo", Model: "echo"}

// echoProvider is the built-in provider.
func echoProvider() Provider {
	return Provider{Name: echoRef.Provider, API: APIEcho, Models: []Model{{
		ID: echoRef.Model, Name: "Echo", Input: []string{"text"}, Cost: &Cost{}, ContextWindow: 128_000, MaxTokens: 16_384,
	}}}
}

// NormalizeProvider is a provider's name in lower case, synonyms replaced by
// the name that is meant.
func NormalizeProvider(name string) string {
	name = jstext.Lower(jstext.Trim(name))
	switch name {
	case "z.ai", "z-ai":
		return "zai"
	case "opencode-zen":
		return "opencode"
	case "opencode-go-auth":
		return "opencode-go"
	case "qwen":
		return "qwen-portal"
	case "kimi-code", "kimi-coding":
		return "kimi"
	case "bedrock", "aws-bedrock":
		return "amazon-bedrock"
	case "bytedance", "doubao":
		return "volcengine"
	}
	return name
}

// splitRef reads "provider/model". The model may hold more slashes.
func splitRef(text string) (ModelRef, bool) {
	provider, model, ok := strings.Cut(text, "/")
	r := ModelRef{NormalizeProvider(provider), jstext.Trim(model)}
	return r, ok && r.Provider != "" && r.Model != ""
}

// dropProfile removes "@profile" from the end of a model's name. The first
// "@" of the model id begins it, unless eight digits follow: they are the date
// of a model, and the profile begins with the next one.
func dropProfile(text string) string {
	slash := strings.LastIndexByte(text, '/') + 1
	parts := strings.SplitAfter(text[slash:], "@")
	end := len(parts[0])
	if len(parts) > 1 && isDate(strings.TrimSuffix(parts[1], "@")) {
		end += len(parts[1])
	}
	model, marked := strings.CutSuffix(text[:slash+end], "@")
	if !marked || jstext.Blank(model) || jstext.Blank(text[slash+end:]) {
		return text
	}
	return jstext.Trim(model)
}

// isDate reports whether s is eight digits.
func isDate(s string) bool {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return len(s) == 8 && !strings.ContainsFunc(s, notDigit)
}

// ref reads a model's name: provider/model, an alias, or a bare model id of
// provider.
func (c *Config) ref(text, provider string) (ModelRef, bool) {
	text = dropProfile(jstext.Trim(text))
	if strings.Contains(text, "/") {
		return splitRef(text)
	}
	if text == "" {
		return ModelRef{}, false
	}
	for _, m := range c.Agents.Defaults.Models {
		if m.Alias != "" && jstext.Lower(m.Alias) == jstext.Lower(text) {
			if r, ok := allowedRef(m.Key, provider); ok {
				return r, true
			}
		}
	}
	return ModelRef{provider, text}, true
}

// allowedRef is what a key of agents.defaults.models names.
func allowedRef(key, provider string) (ModelRef, bool) {
	key = jstext.Trim(key)
	if strings.Contains(key, "/") {
		return splitRef(key)
	}
	return ModelRef{provider, key}, key != ""
}

// DefaultModel is the model of sessions of agent that choose none.
func (c *Config) DefaultModel(agent string) ModelRef {
	if a, ok := c.Agent(agent); ok && a.Model.Primary != "" {
		if r, ok := c.ref(a.Model.Primary, fallbackProvider); ok {
			return r
		}
	}
	return c.DefaultsModel()
}

// DefaultsModel is the model of agents.defaults, whatever single agents say.
func (c *Config) DefaultsModel() ModelRef {
	if primary := c.Agents.Defaults.Model.Primary; primary != "" {
		if r, ok := c.ref(primary, fallbackProvider); ok {
			return r
		}
	}
	if len(c.Models.Providers) == 0 {
		return echoRef
	}
	if _, ok := c.configured(fallbackProvider); !ok {
		for _, p := range c.Models.Providers {
			if len(p.Models) > 0 {
				return ModelRef{NormalizeProvider(p.Name), p.Models[0].ID}
			}
		}
	}
	return ModelRef{fallbackProvider, fallbackModel}
}

// Fallbacks are the models to try when the default model of agent fails, in
// order; none unless the configuration names some.
func (c *Config) Fallbacks(agent string) []ModelRef {
	names := c.Agents.Defaults.Model.Fallbacks
	if a, ok := c.Agent(agent); ok && a.Model.Fallbacks != nil {
		names = a.Model.Fallbacks
	}
	return c.refs(names, c.DefaultModel(agent).Provider)
}

func (c *Config) refs(names []string, provider string) []ModelRef {
	var out []ModelRef
	for _, name := range names {
		if r, ok := c.ref(name, provider); ok && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// ParseModel reads what a client calls a model of a session of agent. It is
// false for a text that names none, such as "/x" or "x/".
func (c *Config) ParseModel(agent, text string) (ModelRef, bool) {
	return c.ref(text, c.DefaultModel(agent).Provider)
}

// ModelAllowed reports whether sessions of agent may choose r; subagent says
// that the session belongs to a subagent. Bare names in the allow-list are of
// the agent's default provider, also for its subagents.
func (c *Config) ModelAllowed(agent string, r ModelRef, subagent bool) bool {
	if len(c.Agents.Defaults.Models) == 0 {
		return true
	}
	r.Provider = NormalizeProvider(r.Provider)
	own := c.DefaultModel(agent)
	provider := own.Provider
	if subagent {
		own = c.subagentModel(agent)
	}
	return r == own || slices.Contains(c.allowed(provider), r)
}

// allowed are the models of the allow-list and the fallbacks, each once.
func (c *Config) allowed(provider string) []ModelRef {
	var out []ModelRef
	for _, m := range c.Agents.Defaults.Models {
		if r, ok := allowedRef(m.Key, provider); ok && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	for _, r := range c.refs(c.Agents.Defaults.Model.Fallbacks, provider) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// subagentModel is the model of subagents of agent: the agent's own setting,
// that of the defaults, else the agent's default model.
func (c *Config) subagentModel(agent string) ModelRef {
	own := c.DefaultModel(agent)
	a, _ := c.Agent(agent)
	for _, name := range []string{a.Subagent.Primary, c.Agents.Defaults.Subagent.Primary} {
		if r, ok := c.ref(name, own.Provider); ok {
			return r
		}
	}
	return own
}

// ProviderForModel is the provider of a model id that agents.defaults.models
// offers with one provider only, compared without case.
func (c *Config) ProviderForModel(model string) (string, bool) {
	found := ""
	for _, m := range c.Agents.Defaults.Models {
		r, ok := allowedRef(m.Key, fallbackProvider)
		if !ok || jstext.Lower(r.Model) != jstext.Lower(jstext.Trim(model)) || r.Provider == found {
			continue
		}
		if found != "" {
			return "", false
		}
		found = r.Provider
	}
	return found, found != ""
}

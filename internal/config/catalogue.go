package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// configured is the provider of that name in models.providers.
func (c *Config) configured(name string) (Provider, bool) {
	name = NormalizeProvider(name)
	for _, p := range c.Models.Providers {
		if NormalizeProvider(p.Name) == name {
			return p, true
		}
	}
	return Provider{}, false
}

// Provider is the provider of that name: a configured one, or the built-in
// echo.
func (c *Config) Provider(name string) (Provider, bool) {
	if p, ok := c.configured(name); ok {
		return p, true
	}
	if NormalizeProvider(name) == echoRef.Provider {
		return echoProvider(), true
	}
	return Provider{}, false
}

// Model is the model that r names, if its provider has it.
func (c *Config) Model(r ModelRef) (Model, bool) {
	p, _ := c.Provider(r.Provider)
	for _, m := range p.Models {
		if m.ID == r.Model {
			return m, true
		}
	}
	return Model{}, false
}

// ContextWindow is how many tokens the model r takes: that of its provider's
// model, else of a model of any provider whose id is "provider/model" (unless
// the model's own name has a slash), else of one with this id; of several the
// one that is configured last.
func (c *Config) ContextWindow(r ModelRef) (int64, bool) {
	if m, ok := c.Model(r); ok && m.ContextWindow > 0 {
		return m.ContextWindow, true
	}
	ids := []string{r.Model}
	if !strings.Contains(r.Model, "/") {
		ids = []string{NormalizeProvider(r.Provider) + "/" + r.Model, r.Model}
	}
	for _, id := range ids {
		for _, p := range slices.Backward(c.Models.Providers) {
			for _, m := range slices.Backward(p.Models) {
				if m.ID == id && m.ContextWindow > 0 {
					return m.ContextWindow, true
				}
			}
		}
	}
	return 0, false
}

// Cost is the price of the model r, if one is configured. Here a model id may
// repeat the name of its provider, in r and in the configuration.
func (c *Config) Cost(r ModelRef) (Cost, bool) {
	p, _ := c.Provider(r.Provider)
	prefix := NormalizeProvider(r.Provider) + "/"
	id := strings.TrimPrefix(r.Model, prefix)
	for _, m := range p.Models {
		if m.Cost != nil && strings.TrimPrefix(m.ID, prefix) == id {
			return *m.Cost, true
		}
	}
	return Cost{}, false
}

// A CatalogueModel is one model that clients may be offered.
type CatalogueModel struct {
	Provider string
	Model    Model
	// Known is false when the allow-list names a model that no provider has;
	// then only its id is known.
	Known bool
}

// Catalogue is what clients may be offered. Without an allow-list: all
// configured models in configured order, or the built-in echo when there are
// none. With one: those of them that it or the fallbacks name, then the models
// named there that no provider has.
func (c *Config) Catalogue() []CatalogueModel {
	var known []CatalogueModel
	for _, p := range c.Models.Providers {
		for _, m := range p.Models {
			known = append(known, CatalogueModel{NormalizeProvider(p.Name), m, true})
		}
	}
	if len(known) == 0 {
		known = []CatalogueModel{{echoRef.Provider, echoProvider().Models[0], true}}
	}
	if len(c.Agents.Defaults.Models) == 0 {
		return known
	}
	allowed := c.allowed(c.DefaultsModel().Provider)
	var out []CatalogueModel
	listed := map[ModelRef]bool{}
	for _, m := range known {
		r := ModelRef{m.Provider, m.Model.ID}
		if slices.Contains(allowed, r) {
			listed[r] = true
			out = append(out, m)
		}
	}
	for _, r := range allowed {
		if listed[r] {
			continue
		}
		if m, ok := c.Model(r); ok { // echo beside other providers
			out = append(out, CatalogueModel{r.Provider, m, true})
			continue
		}
		out = append(out, CatalogueModel{Provider: r.Provider, Model: Model{ID: r.Model, Name: r.Model}})
	}
	return out
}

var (
	xhighOpenAI  = regexp.MustCompile(`^gpt-5\.(?:4|2)(?:-|$)`)
	xhighCodex   = regexp.MustCompile(`^gpt-5\.(?:4|3-codex-spark|2-codex|1-codex)(?:-|$)`)
	xhighCopilot = regexp.MustCompile(`^gpt-5\.2(?:-codex)?$`)
	claude46     = regexp.MustCompile(`^claude-[a-z]+-4[.-]6(?:[^0-9]|$)`)
)

// XHigh reports whether r is known to take the thinking level xhigh.
func XHigh(r ModelRef) bool {
	model := jstext.Lower(jstext.Trim(r.Model))
	switch NormalizeProvider(r.Provider) {
	case "openai":
		return xhighOpenAI.MatchString(model)
	case "openai-codex":
		return xhighCodex.MatchString(model)
	case "github-copilot":
		return xhighCopilot.MatchString(model)
	}
	return false
}

// ThinkingDefault is the thinking level of sessions with the model r that have
// none of their own.
func (c *Config) ThinkingDefault(r ModelRef) string {
	for _, m := range c.Agents.Defaults.Models {
		own, ok := allowedRef(m.Key, fallbackProvider)
		level := jstext.Lower(jstext.Trim(m.Thinking))
		if ok && own == r && slices.Contains(thinkingLevels(), level) {
			return level
		}
	}
	if level := c.Agents.Defaults.ThinkingDefault; level != "" {
		return level
	}
	if r.Provider == fallbackProvider && claude46.MatchString(jstext.Lower(r.Model)) {
		return "adaptive"
	}
	if m, ok := c.Model(r); ok && m.Reasoning {
		return "low"
	}
	return "off"
}

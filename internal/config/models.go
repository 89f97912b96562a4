package config

import (
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Models is the part "models".
type Models struct {
	// Providers are in configured order, without the built-in echo.
	Providers []Provider
}

// Provider is one models.providers.<name>.
type Provider struct {
	// Name is as configured; lookups ignore its case and know synonyms.
	Name    string
	BaseURL string
	APIKey  Secret
	// API is what the server speaks: openai-completions (default),
	// anthropic-messages, acp or echo; or one that only OpenClaw can use.
	API string
	// Headers are sent with every request, in configured order.
	Headers []Header
	Models  []Model
	// Agent is how the program of api acp is run.
	Agent AgentProcess
}

// Header is one name and value that a provider wants.
type Header struct {
	Name  string
	Value Secret
}

// Model is one entry of models.providers.<name>.models.
type Model struct {
	ID, Name  string
	API       string // overrides the provider's, when not empty
	Reasoning bool
	// Input are the kinds of content it takes: text, image.
	Input []string
	// Cost is nil when no price is configured.
	Cost          *Cost
	ContextWindow int64 // 0 when it is not configured
	MaxTokens     int64 // 0 when it is not configured
	Headers       []Header
	// Compat is models[].compat as written, nil when absent.
	Compat rawjson.Value
}

// Cost is a price in dollars per million tokens.
type Cost struct{ Input, Output, CacheRead, CacheWrite float64 }

// The APIs that a provider may speak. OpenClaw knows more than Parley; runs on
// those fail with a message.
const (
	APIOpenAI    = "openai-completions"
	APIAnthropic = "anthropic-messages"
	APIACP       = "acp"
	APIEcho      = "echo"
)

func apis() []string {
	return []string{APIOpenAI, APIAnthropic, APIACP, APIEcho, "openai-responses", "openai-codex-responses", "google-generative-ai", "github-copilot", "bedrock-converse-stream", "ollama"}
}

func (m *Models) read() reader {
	return object([]field{
		{name: "providers", read: members(func(d *decoder, name, at string, v rawjson.Value) {
			p := Provider{Name: jstext.Trim(name), API: APIOpenAI}
			p.read(d, at, v)
			m.Providers = append(m.Providers, p)
		})},
	}, "mode bedrockDiscovery")
}

func (p *Provider) read(d *decoder, at string, v rawjson.Value) {
	p.Agent.defaults()
	object(append([]field{
		{name: "baseUrl", read: trimmed(&p.BaseURL)},
		{name: "apiKey", read: secret(&p.APIKey)},
		{name: "api", read: oneOf(&p.API, apis()...)},
		{name: "headers", read: headers(&p.Headers)},
		{name: "models", read: each(func(d *decoder, at string, v rawjson.Value) {
			m := Model{Input: []string{"text"}}
			m.read(d, at, v)
			p.Models = append(p.Models, m)
		})},
	}, p.Agent.fields()...), "auth authHeader injectNumCtxForOpenAICompat")(d, at, v)
	if p.BaseURL == "" && (p.API == APIOpenAI || p.API == APIAnthropic) {
		d.issue(join(at, "baseUrl"), "a provider with api %q needs a baseUrl, such as http://127.0.0.1:11434/v1", p.API)
	}
	p.checkAgent(d, at, v)
}

func headers(to *[]Header) reader {
	return members(func(d *decoder, name, at string, v rawjson.Value) {
		h := Header{Name: name}
		secret(&h.Value)(d, at, v)
		if !h.Value.Empty() {
			*to = append(*to, h)
		}
	})
}

func (m *Model) read(d *decoder, at string, v rawjson.Value) {
	object([]field{
		{name: "id", read: trimmed(&m.ID), required: true},
		{name: "name", read: trimmed(&m.Name)},
		{name: "api", read: oneOf(&m.API, apis()...)},
		{name: "reasoning", read: boolean(&m.Reasoning)},
		{name: "input", read: texts(&m.Input)},
		{name: "cost", read: func(d *decoder, at string, v rawjson.Value) {
			m.Cost = new(Cost)
			m.Cost.read()(d, at, v)
		}},
		{name: "contextWindow", read: whole(&m.ContextWindow, 1, maxWhole)},
		{name: "maxTokens", read: whole(&m.MaxTokens, 1, maxWhole)},
		{name: "headers", read: headers(&m.Headers)},
		{name: "compat", read: func(d *decoder, at string, v rawjson.Value) {
			members(func(*decoder, string, string, rawjson.Value) {})(d, at, v)
			m.Compat = v
		}},
	}, "")(d, at, v)
	if m.Name == "" {
		m.Name = m.ID
	}
}

func (c *Cost) read() reader {
	return object([]field{
		{name: "input", read: amount(&c.Input)},
		{name: "output", read: amount(&c.Output)},
		{name: "cacheRead", read: amount(&c.CacheRead)},
		{name: "cacheWrite", read: amount(&c.CacheWrite)},
	}, "")
}

package runs

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

// The words of models.providers.<name>.api that runs understand.
const (
	apiEcho      = "echo"
	apiOpenAI    = "openai-completions"
	apiAnthropic = "anthropic-messages"
)

// configured opens the models of a configuration. Its client keeps connections
// to servers for the next run, its agents their processes.
type configured struct {
	live   *config.Live
	client *http.Client
	agents agents
}

// newConfigured keeps as many connections to a server as runs may talk to models
// at once: fewer would be closed and made anew all the time while many do.
func newConfigured(o Options, live *config.Live) configured {
	c := configured{live: live, client: o.Client, agents: newAgents(o)}
	if c.client != nil {
		return c
	}
	c.client = http.DefaultClient
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, parallel(live.Now())
		c.client = &http.Client{Transport: t}
	}
	return c
}

// close ends what is kept for the next run.
func (m configured) close(ctx context.Context) {
	m.client.CloseIdleConnections()
	m.agents.close(ctx)
}

// open is the model that ref names. It never settles for another one.
func (m configured) open(ref config.ModelRef) (model.Model, error) {
	c := m.live.Now()
	p, known := c.Provider(ref.Provider)
	if !known {
		return nil, unknownModel(ref)
	}
	described, known := c.Model(ref)
	if !known {
		return nil, unknownModel(ref)
	}
	switch api := apiOf(c, ref); api {
	case apiEcho:
		return model.Echo{}, nil
	case apiOpenAI:
		return m.openAI(p, described)
	case apiAnthropic:
		return m.anthropic(p, described)
	case config.APIACP:
		return m.agents.open(p, described)
	default:
		return nil, model.NewFault(fmt.Sprintf("Provider %q speaks %q, which this version does not support.", p.Name, api))
	}
}

func unknownModel(ref config.ModelRef) error {
	return model.NewFault("Unknown model: " + ref.String())
}

// apiOf is the protocol of a model: its own, else its provider's.
func apiOf(c *config.Config, ref config.ModelRef) string {
	if m, ok := c.Model(ref); ok && m.API != "" {
		return m.API
	}
	if p, ok := c.Provider(ref.Provider); ok && p.API != "" {
		return p.API
	}
	return apiOpenAI
}

func (c configured) openAI(p config.Provider, m config.Model) (model.Model, error) {
	o := model.OpenAIOptions{
		BaseURL: p.BaseURL, Key: p.APIKey.Reveal(), Model: m.ID, MaxTokens: m.MaxTokens, Reasoning: m.Reasoning,
		Compat: model.DetectCompat(p.BaseURL, m.Compat),
		Client: c.client,
	}
	var err error
	if o.Headers, err = headers(p, "Authorization"); err != nil {
		return nil, err
	}
	o.Images = slices.Contains(m.Input, "image")
	return model.NewOpenAI(o), nil
}

func (c configured) anthropic(p config.Provider, m config.Model) (model.Model, error) {
	o := model.AnthropicOptions{
		BaseURL: p.BaseURL, Key: p.APIKey.Reveal(), Model: m.ID, MaxTokens: m.MaxTokens, Reasoning: m.Reasoning,
		Images: slices.Contains(m.Input, "image"), Client: c.client,
	}
	var err error
	if o.Headers, err = headers(p, "x-api-key", "Authorization"); err != nil {
		return nil, err
	}
	return model.NewAnthropic(o), nil
}

// headers are those of a provider. Without a key one of them must be one of
// those that carry it.
func headers(p config.Provider, carriers ...string) ([]model.Header, error) {
	keyed := p.APIKey.Reveal() != ""
	var out []model.Header
	for _, h := range p.Headers {
		out = append(out, model.Header{Name: h.Name, Value: h.Value.Reveal()})
		keyed = keyed || slices.ContainsFunc(carriers, func(c string) bool { return strings.EqualFold(h.Name, c) })
	}
	if !keyed {
		return nil, model.NewFault(fmt.Sprintf("No API key found for provider %q.", p.Name))
	}
	return out, nil
}

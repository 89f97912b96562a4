package runs

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

// The words of models.providers.<name>.api that runs understand.
const (
	apiEcho   = "echo"
	apiOpenAI = "openai-completions"
)

// configured opens the models of a configuration. Its client keeps connections
// to servers for the next run.
type configured struct {
	c      *config.Config
	client *http.Client
}

// idleConns is how many connections to one server are kept.
const idleConns = 64

func newConfigured(c *config.Config) configured {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return configured{c, http.DefaultClient}
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = idleConns
	return configured{c, &http.Client{Transport: t}}
}

// open is the model that ref names. It never settles for another one.
func (m configured) open(ref config.ModelRef) (model.Model, error) {
	p, known := m.c.Provider(ref.Provider)
	if !known {
		return nil, unknownModel(ref)
	}
	described, known := m.c.Model(ref)
	if !known {
		return nil, unknownModel(ref)
	}
	switch api := apiOf(m.c, ref); api {
	case apiEcho:
		return model.Echo{}, nil
	case apiOpenAI:
		return m.openAI(p, described)
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
	keyed := o.Key != ""
	for _, h := range p.Headers {
		o.Headers = append(o.Headers, model.Header{Name: h.Name, Value: h.Value.Reveal()})
		keyed = keyed || strings.EqualFold(h.Name, "Authorization")
	}
	for _, kind := range m.Input {
		o.Images = o.Images || kind == "image"
	}
	if !keyed {
		return nil, model.NewFault(fmt.Sprintf("No API key found for provider %q.", p.Name))
	}
	return model.NewOpenAI(o), nil
}

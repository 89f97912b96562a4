package model

import (
	"net/url"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"
	"github.com/parleyd/parley/internal/rawjson"
)

// Compat says what a server of the chat completions kind understands.
type Compat struct {
	// Store: the request may say store:false.
	Store bool
	// UsageInStreaming: the request may ask for usage in the stream.
	UsageInStreaming bool
	// ReasoningEffort: the request may say reasoning_effort.
	ReasoningEffort bool
	// MaxTokensField is the name of the limit of the answer.
	MaxTokensField string
}

const (
	maxCompletionTokens = "max_completion_tokens"
	maxTokens           = "max_tokens"
)

// Hosts that are known to refuse what OpenAI's own server takes.
var (
	hostsWithoutStore  = []string{"cerebras.ai", "x.ai", "mistral.ai", "chutes.ai", "deepseek.com", "z.ai", "opencode.ai"}
	hostsWithoutEffort = []string{"x.ai", "z.ai"}
	hostsWithMaxTokens = []string{"mistral.ai", "chutes.ai"}
)

// DetectCompat is what a server at baseURL is taken to understand, unless
// configured says otherwise. configured is a JSON object with any of
// supportsStore, supportsUsageInStreaming, supportsReasoningEffort (booleans)
// and maxTokensField (a name), or nil.
func DetectCompat(baseURL string, configured rawjson.Value) Compat {
	host := hostOf(baseURL)
	c := Compat{
		Store:            !within(host, hostsWithoutStore),
		UsageInStreaming: host == "api.openai.com",
		ReasoningEffort:  !within(host, hostsWithoutEffort),
		MaxTokensField:   maxCompletionTokens,
	}
	if within(host, hostsWithMaxTokens) {
		c.MaxTokensField = maxTokens
	}
	o, err := rawjson.Parse(configured)
	if err != nil {
		return c
	}
	set := func(name string, to *bool) {
		if v, ok := rawjson.Bool(o.Get(name)); ok {
			*to = v
		}
	}
	set("supportsStore", &c.Store)
	set("supportsUsageInStreaming", &c.UsageInStreaming)
	set("supportsReasoningEffort", &c.ReasoningEffort)
	if f := o.Text("maxTokensField"); f == maxCompletionTokens || f == maxTokens {
		c.MaxTokensField = f
	}
	return c
}

func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// within reports whether host is one of names or below one.
func within(host string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return host == n || strings.HasSuffix(host, "."+n)
	})
}

// params is the request for one turn; the library adds stream:true.
func (m *OpenAI) params(t Turn) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{Model: m.o.Model, Messages: m.messages(t)}
	if m.o.MaxTokens > 0 && m.o.Compat.MaxTokensField == maxTokens {
		p.MaxTokens = param.NewOpt(m.o.MaxTokens)
	} else if m.o.MaxTokens > 0 {
		p.MaxCompletionTokens = param.NewOpt(m.o.MaxTokens)
	}
	if m.o.Compat.Store {
		p.Store = param.NewOpt(false)
	}
	if m.o.Compat.UsageInStreaming {
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: param.NewOpt(true)}
	}
	if m.o.Reasoning && m.o.Compat.ReasoningEffort {
		p.ReasoningEffort = effort(t.Thinking)
	}
	return p
}

// effort is the protocol's word for a thinking level, "" for none.
func effort(level string) shared.ReasoningEffort {
	switch level {
	case "", "off":
		return ""
	case "adaptive":
		return shared.ReasoningEffortMedium // the protocol has no such level
	}
	return shared.ReasoningEffort(level)
}

func (m *OpenAI) messages(t Turn) []openai.ChatCompletionMessageParamUnion {
	out := make([]openai.ChatCompletionMessageParamUnion, 0, len(t.Messages)+1)
	if t.System != "" {
		out = append(out, openai.SystemMessage(t.System))
	}
	for _, msg := range t.Messages {
		if msg.Role == Assistant {
			out = append(out, openai.AssistantMessage(msg.Text))
			continue
		}
		out = append(out, openai.UserMessage(m.parts(msg)))
	}
	return out
}

func (m *OpenAI) parts(msg Message) []openai.ChatCompletionContentPartUnionParam {
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(msg.Text)}
	if !m.o.Images {
		return parts
	}
	for _, img := range msg.Images {
		parts = append(parts, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{
			URL: "data:" + img.MIME + ";base64," + img.Base64,
		}))
	}
	return parts
}

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

// params is the request for one turn without its messages.
func (m *OpenAI) params(t Turn) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{Model: m.o.Model}
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

// body is the request for one turn as it is sent but for stream:true. The library
// encodes its messages by reflection, at a tenth of the speed, and the whole
// conversation goes into every request.
func (m *OpenAI) body(t Turn) ([]byte, error) {
	rest, err := m.params(t).MarshalJSON()
	if err != nil {
		return nil, err
	}
	size := len(rest) + len(t.System) + 128
	for _, msg := range t.Messages {
		size += len(msg.Text) + 64
	}
	b := append(make([]byte, 0, size), `{"messages":[`...)
	if t.System != "" {
		b = append(rawjson.AppendString(append(b, `{"role":"system","content":`...), t.System), "},"...)
	}
	for _, msg := range t.Messages {
		b = append(m.appendMessage(b, msg), ',')
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(append(b, "],"...), rest[1:]...), nil // there is a model in rest
}

func (m *OpenAI) appendMessage(b []byte, msg Message) []byte {
	if msg.Role == Assistant {
		b = append(b, `{"role":"assistant","content":`...)
		return append(rawjson.AppendString(b, msg.Text), '}')
	}
	b = append(b, `{"role":"user","content":[{"type":"text","text":`...)
	b = append(rawjson.AppendString(b, msg.Text), '}')
	if m.o.Images {
		for _, img := range msg.Images {
			b = append(b, `,{"type":"image_url","image_url":{"url":`...)
			b = append(rawjson.AppendString(b, "data:"+img.MIME+";base64,"+img.Base64), "}}"...)
		}
	}
	return append(b, "]}"...)
}

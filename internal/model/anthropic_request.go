package model

import (
	"github.com/anthropics/anthropic-sdk-go"
)

// thinkingBudgets are how many tokens a model may think with at each level.
var thinkingBudgets = map[string]int64{
	"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768,
}

// leastBudget is the smallest budget that the protocol takes.
const leastBudget = 1024

// params is the request for one turn; the library adds stream:true.
func (m *Anthropic) params(t Turn) anthropic.MessageNewParams {
	p := anthropic.MessageNewParams{Model: anthropic.Model(m.o.Model), MaxTokens: m.o.MaxTokens, Messages: m.conversation(t.Messages)}
	if t.System != "" {
		p.System = []anthropic.TextBlockParam{{Text: t.System, CacheControl: anthropic.NewCacheControlEphemeralParam()}}
	}
	if m.o.Reasoning {
		p.Thinking = thinking(t.Thinking, m.o.MaxTokens)
	}
	return p
}

// thinking is what the protocol says for a level. A budget must be smaller than
// the bound of the answer, of which it is a part; where that leaves too little
// there is none.
func thinking(level string, maxTokens int64) anthropic.ThinkingConfigParamUnion {
	if level == "adaptive" {
		return anthropic.ThinkingConfigParamUnion{OfAdaptive: &anthropic.ThinkingConfigAdaptiveParam{}}
	}
	budget := min(thinkingBudgets[level], maxTokens/2)
	if budget < leastBudget {
		return anthropic.ThinkingConfigParamUnion{}
	}
	return anthropic.ThinkingConfigParamOfEnabled(budget)
}

// conversation is the messages as the protocol wants them: none empty, the first
// one of a user. What is said so far is marked to be cached, so that the next
// turn, which begins with the same, costs less.
func (m *Anthropic) conversation(all []Message) []anthropic.MessageParam {
	var out []anthropic.MessageParam
	for _, msg := range all {
		blocks := m.blocks(msg)
		switch {
		case len(blocks) == 0, msg.Role == Assistant && len(out) == 0:
		case msg.Role == Assistant:
			out = append(out, anthropic.NewAssistantMessage(blocks...))
		default:
			out = append(out, anthropic.NewUserMessage(blocks...))
		}
	}
	if n := len(out); n > 0 {
		last := out[n-1].Content
		if c := last[len(last)-1].GetCacheControl(); c != nil {
			*c = anthropic.NewCacheControlEphemeralParam()
		}
	}
	return out
}

func (m *Anthropic) blocks(msg Message) []anthropic.ContentBlockParamUnion {
	var out []anthropic.ContentBlockParamUnion
	if m.o.Images {
		for _, img := range msg.Images {
			out = append(out, anthropic.NewImageBlockBase64(img.MIME, img.Base64))
		}
	}
	if msg.Text != "" {
		out = append(out, anthropic.NewTextBlock(msg.Text))
	}
	return out
}

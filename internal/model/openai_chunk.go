package model

import (
	"github.com/openai/openai-go/v3"
	"github.com/parleyd/parley/internal/rawjson"
)

// reasoningFields are the names under which servers send reasoning; the first
// that is not empty counts.
var reasoningFields = []string{"reasoning_content", "reasoning", "reasoning_text"}

// chunk is what one chunk of a stream says that the library has no field for.
type chunk struct {
	Usage   *usage `json:"usage"`
	Choices []struct {
		Usage *usage         `json:"usage"`
		Delta rawjson.Object `json:"delta"`
	} `json:"choices"`
}

// usage is the token count as servers spell it. Numbers may come as 1.0.
type usage struct {
	Prompt     float64 `json:"prompt_tokens"`
	Completion float64 `json:"completion_tokens"`
	PromptMore *struct {
		Cached float64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionMore *struct {
		Reasoning float64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// count turns u into ours: what was read from a cache is no input, reasoning
// is output.
func (u *usage) count() *Usage {
	if u == nil {
		return nil
	}
	var out Usage
	if u.PromptMore != nil {
		out.CacheRead = int64(u.PromptMore.Cached)
	}
	out.Input = max(int64(u.Prompt)-out.CacheRead, 0)
	out.Output = int64(u.Completion)
	if u.CompletionMore != nil {
		out.Output += int64(u.CompletionMore.Reasoning)
	}
	return &out
}

// readChunk is what c adds to the answer. The error is a *Fault.
func readChunk(c *openai.ChatCompletionChunk) (Delta, error) {
	d := Delta{ResponseID: c.ID}
	var more chunk
	// A part that does not decode is a part we do not know: it says nothing.
	_ = rawjson.Unmarshal([]byte(c.RawJSON()), &more)
	d.Usage = more.Usage.count()
	if len(c.Choices) == 0 {
		return d, nil
	}
	d.Text = c.Choices[0].Delta.Content
	if len(more.Choices) > 0 {
		if d.Usage == nil {
			d.Usage = more.Choices[0].Usage.count()
		}
		d.Thinking, d.Signature = reasoning(more.Choices[0].Delta)
	}
	var err error
	d.Stop, err = stopReason(c.Choices[0].FinishReason)
	return d, err
}

func reasoning(delta rawjson.Object) (text, field string) {
	for _, f := range reasoningFields {
		if text := delta.Text(f); text != "" {
			return text, f
		}
	}
	return "", ""
}

func stopReason(finish string) (StopReason, error) {
	switch finish {
	case "":
		return "", nil
	case "stop", "end":
		return Stop, nil
	case "length":
		return Length, nil
	case "tool_calls", "function_call":
		return ToolUse, nil
	}
	return "", NewFault("Provider finish_reason: " + finish)
}

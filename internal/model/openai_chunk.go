package model

import "github.com/parleyd/parley/internal/rawjson"

// reasoningFields are the names under which servers send reasoning; the first
// that is not empty counts.
var reasoningFields = []string{"reasoning_content", "reasoning", "reasoning_text"}

// rawChunk is one chunk of a stream, as it was sent.
type rawChunk []byte

// UnmarshalJSON takes data as it is; it is valid JSON, and nobody else's.
func (c *rawChunk) UnmarshalJSON(data []byte) error {
	*c = data
	return nil
}

// chunk is what one chunk of a stream says.
type chunk struct {
	ID      string `json:"id"`
	Usage   *usage `json:"usage"`
	Choices []struct {
		Usage  *usage         `json:"usage"`
		Delta  rawjson.Object `json:"delta"`
		Finish string         `json:"finish_reason"`
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

// readChunk is what raw adds to the answer. The error is a *Fault.
func readChunk(raw rawChunk) (Delta, error) {
	var c chunk
	// A part that does not decode is a part we do not know: it says nothing.
	_ = rawjson.Unmarshal(raw, &c)
	d := Delta{ResponseID: c.ID, Usage: c.Usage.count()}
	if len(c.Choices) == 0 {
		return d, nil
	}
	first := c.Choices[0]
	if d.Usage == nil {
		d.Usage = first.Usage.count()
	}
	d.Text = first.Delta.Text("content")
	d.Thinking, d.Signature = reasoning(first.Delta)
	var err error
	d.Stop, err = stopReason(first.Finish)
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

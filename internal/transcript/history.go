package transcript

import (
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// Limits of a history, in bytes of JSON.
const (
	maxHistoryMessage = 131072
	maxHistory        = 6291456
)

// History is messages as chat.history gives them: cleaned, without the silent
// ones, none larger than 128 KiB and together at most 6 MiB, the oldest left
// out first. It changes nothing that it is given.
func History(messages []Message) []rawjson.Value {
	out := make([]rawjson.Value, 0, len(messages))
	size := len("[]")
	for _, m := range messages {
		raw := clean(m.Raw)
		if isSilent(raw) {
			continue
		}
		if len(raw) > maxHistoryMessage {
			raw = placeholder(raw)
		}
		out = append(out, raw)
		size += len(raw)
	}
	size += max(0, len(out)-1) // commas
	for len(out) > 1 && size > maxHistory {
		size -= len(out[0]) + len(",")
		out = out[1:]
	}
	return out
}

// placeholder stands for a message that is too large to show.
func placeholder(raw rawjson.Value) rawjson.Value {
	old, _ := rawjson.Parse(raw)
	var o rawjson.Object
	o.Put("role", "assistant")
	if role := old.Get("role"); rawjson.Kind(role) == '"' {
		o.Set("role", role)
	}
	o.Put("timestamp", time.Now().UnixMilli())
	if at := old.Get("timestamp"); rawjson.Kind(at) == '0' {
		o.Set("timestamp", at)
	}
	o.Set("content", rawjson.Value(`[{"type":"text","text":"[chat.history omitted: message too large]"}]`))
	o.Set("__openclaw", rawjson.Value(`{"truncated":true,"reason":"oversized"}`))
	return o.JSON()
}

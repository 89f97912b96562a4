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
	shown, _ := history(messages, placeholder)
	return shown
}

// HistoryPage is History for who reads a transcript page by page: what stands
// for a message that is too large says which one, and first is the number of the
// first message of the page, with which the page before ends. Messages from
// first on that are not there are silent. first is 0 when there are no messages.
func HistoryPage(messages []Message) (shown []rawjson.Value, first int) {
	shown, first = history(messages, func(raw rawjson.Value) rawjson.Value {
		was, _ := rawjson.Parse(raw)
		position, _ := rawjson.Parse(was.Get("__openclaw"))
		o, _ := rawjson.Parse(placeholder(raw))
		position.Put("truncated", true)
		position.Put("reason", "oversized")
		o.Set("__openclaw", position.JSON())
		return o.JSON()
	})
	return shown, first
}

// history shows messages and tells the number of the first that was looked at
// and not left out for want of room. stand makes what is shown instead of a
// message that is too large.
func history(messages []Message, stand func(rawjson.Value) rawjson.Value) (out []rawjson.Value, first int) {
	out = make([]rawjson.Value, 0, len(messages))
	numbers := make([]int, 0, len(messages))
	size := len("[]")
	for _, m := range messages {
		raw := clean(m.Raw)
		if isSilent(raw) {
			continue
		}
		if len(raw) > maxHistoryMessage {
			raw = stand(raw)
		}
		out, numbers = append(out, raw), append(numbers, m.Seq)
		size += len(raw)
	}
	if len(messages) > 0 {
		first = messages[0].Seq
	}
	size += max(0, len(out)-1) // commas
	for len(out) > 1 && size > maxHistory {
		size -= len(out[0]) + len(",")
		out, numbers = out[1:], numbers[1:]
		first = numbers[0]
	}
	return out, first
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

package runs

import (
	"bytes"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
)

// conversation is what the model is asked: the transcript as far as models are
// to see it and as it fits, and the pictures of this turn with its message.
func (r *run) conversation() (model.Turn, error) {
	t, err := r.whole()
	if err != nil {
		return t, err
	}
	window, _ := r.e.o.Config.ContextWindow(r.spoken)
	if limit := int64(r.e.o.Config.Agents.Defaults.ContextTokens); limit > 0 {
		window = limit
	}
	t, left := fit(t, window, r.known.MaxTokens)
	if left > 0 {
		r.e.o.Log.Info("older messages are not told to the model: they do not fit", "run", r.turn.RunID, "session", r.turn.Key,
			"model", r.spoken.String(), "left", left, "told", len(t.Messages), "window", window)
	}
	return t, nil
}

// whole is the conversation, whether it fits or not.
func (r *run) whole() (model.Turn, error) {
	raw, err := r.e.o.Transcripts.Context(r.ref)
	if err != nil {
		return model.Turn{}, err
	}
	t := model.Turn{System: r.turn.System, Thinking: r.thinking, Messages: readMessages(raw)}
	if !slices.Contains(r.known.Input, "image") {
		if len(r.turn.Media) > 0 {
			r.e.o.Log.Warn("pictures are left out: the model does not take them", "run", r.turn.RunID, "session", r.turn.Key, "model", r.spoken.String())
		}
		return t, nil
	}
	for i := len(t.Messages) - 1; i >= 0; i-- {
		if t.Messages[i].Role == model.User {
			for _, m := range r.turn.Media {
				t.Messages[i].Images = append(t.Messages[i].Images, model.Image{MIME: m.MIME, Base64: m.Base64})
			}
			break
		}
	}
	return t, nil
}

// readMessages turns the raw messages of a transcript into what a model is
// asked. Failed, aborted and empty answers are left out, and so is all that a
// model without tools cannot be told.
func readMessages(raw []rawjson.Value) []model.Message {
	var out []model.Message
	for _, v := range raw {
		o, err := rawjson.Parse(withoutLoneSurrogates(v))
		if err != nil {
			continue
		}
		switch o.Text("role") {
		case "user":
			out = append(out, readUser(o))
		case "custom":
			if m := readUser(o); m.Text != "" {
				out = append(out, m)
			}
		case "assistant":
			if m := readAssistant(o); m.Text != "" {
				out = append(out, m)
			}
		case "compactionSummary", "branchSummary":
			if s := o.Text("summary"); s != "" {
				out = append(out, model.Message{Role: model.User, Text: "Summary of the conversation so far:\n\n" + s, Summary: true})
			}
		}
	}
	return out
}

func readUser(o rawjson.Object) model.Message {
	m := model.Message{Role: model.User, Text: texts(o, "\n")}
	blocks, _ := rawjson.Array(o.Get("content"))
	for _, b := range blocks {
		block, err := rawjson.Parse(b)
		if err == nil && block.Text("type") == "image" && block.Text("data") != "" {
			m.Images = append(m.Images, model.Image{MIME: block.Text("mimeType"), Base64: block.Text("data")})
		}
	}
	return m
}

func readAssistant(o rawjson.Object) model.Message {
	if stop := o.Text("stopReason"); stop == "error" || stop == "aborted" {
		return model.Message{}
	}
	return model.Message{Role: model.Assistant, Text: texts(o, "")}
}

// texts are the texts of a message's content, joined.
func texts(o rawjson.Object, sep string) string {
	content := o.Get("content")
	if text, ok := rawjson.Text(content); ok {
		return text
	}
	blocks, _ := rawjson.Array(content)
	var parts []string
	for _, b := range blocks {
		if block, err := rawjson.Parse(b); err == nil && block.Text("type") == "text" {
			parts = append(parts, block.Text("text"))
		}
	}
	return strings.Join(parts, sep)
}

// withoutLoneSurrogates removes escapes of half characters from JSON text:
// servers refuse them.
func withoutLoneSurrogates(v rawjson.Value) rawjson.Value {
	if !bytes.Contains(v, []byte(`\ud`)) && !bytes.Contains(v, []byte(`\uD`)) {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); {
		n := 1
		switch half := surrogate(v[i:]); {
		case half == high && surrogate(v[i+6:]) == low:
			n = 12
		case half != none:
			i += 6
			continue
		case v[i] == '\\' && i+1 < len(v):
			n = 2 // an escaped backslash begins no escape
		}
		out = append(out, v[i:i+n]...)
		i += n
	}
	return out
}

type half int

const (
	none half = iota
	high
	low
)

// surrogate tells what half of a character the text begins with, written as an
// escape.
func surrogate(b []byte) half {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' || b[2]|0x20 != 'd' {
		return none
	}
	switch b[3] | 0x20 {
	case '8', '9', 'a', 'b':
		return high
	case 'c', 'd', 'e', 'f':
		return low
	}
	return none
}

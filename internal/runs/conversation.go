package runs

import (
	"bytes"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

// conversation is what m is asked: the transcript as far as models are to see
// it and as it fits, and the pictures of this turn with its message. What does not
// fit is summed up first where that is wanted.
func (r *run) conversation(m model.Model) (model.Turn, error) {
	whole, ids, err := r.whole()
	if err != nil {
		return whole, err
	}
	window, _ := r.e.cfg().ContextWindow(r.spoken)
	if limit := int64(r.e.cfg().Agents.Defaults.ContextTokens); limit > 0 {
		window = limit
	}
	if r.tight > 0 && (window <= 0 || r.tight < window) {
		window = r.tight
	}
	t, left := fit(whole, window, r.known.MaxTokens)
	if left > 0 && r.e.cfg().Parley.RunsCompaction == "auto" && r.compact(m, whole, ids, window) {
		if whole, _, err = r.whole(); err != nil {
			return whole, err
		}
		t, left = fit(whole, window, r.known.MaxTokens)
	}
	if left > 0 {
		r.e.o.Log.Info("older messages are not told to the model: they do not fit", "run", r.turn.RunID, "session", r.turn.Key,
			"model", r.spoken.String(), "left", left, "told", len(t.Messages), "window", window)
	}
	return t, nil
}

// whole is the conversation, whether it fits or not, and the ids of the lines
// that its messages stand in.
func (r *run) whole() (t model.Turn, ids []string, err error) {
	told, err := r.e.o.Transcripts.Context(r.ref)
	if err != nil {
		return t, nil, err
	}
	t = model.Turn{System: r.turn.System, Thinking: r.thinking, Session: model.Session{
		Key: r.turn.Key, ID: r.ref.SessionID, Agent: r.ref.Agent, Dir: r.workspace(), RunID: r.turn.RunID,
	}}
	t.Messages, ids = readMessages(told)
	if !slices.Contains(r.known.Input, "image") {
		if len(r.turn.Media) > 0 {
			r.e.o.Log.Warn("pictures are left out: the model does not take them", "run", r.turn.RunID, "session", r.turn.Key, "model", r.spoken.String())
		}
		return t, ids, nil
	}
	for i := len(t.Messages) - 1; i >= 0; i-- {
		if t.Messages[i].Role == model.User {
			for _, m := range r.turn.Media {
				t.Messages[i].Images = append(t.Messages[i].Images, model.Image{MIME: m.MIME, Base64: m.Base64})
			}
			break
		}
	}
	return t, ids, nil
}

// readMessages turns the messages of a transcript into what a model is asked,
// and says which lines they stand in.
func readMessages(told []transcript.Told) (out []model.Message, ids []string) {
	out, ids = make([]model.Message, 0, len(told)), make([]string, 0, len(told))
	for _, t := range told {
		s, err := readSaid(withoutLoneSurrogates(t.Message))
		if err != nil {
			continue
		}
		if m, ok := s.message(); ok {
			out, ids = append(out, m), append(ids, t.ID)
		}
	}
	return out, ids
}

// said is what counts of a message in a transcript. Every run reads the whole
// conversation, so no more of it is taken apart.
type said struct {
	role, stop, summary string
	content, at         rawjson.Value
}

func readSaid(m rawjson.Value) (s said, err error) {
	err = rawjson.Walk(m, func(name []byte, v rawjson.Value) error {
		switch string(name) {
		case "role":
			s.role, _ = rawjson.Text(v)
		case "stopReason":
			s.stop, _ = rawjson.Text(v)
		case "summary":
			s.summary, _ = rawjson.Text(v)
		case "content":
			s.content = v
		case "timestamp":
			s.at = v
		}
		return nil
	})
	return s, err
}

// message is what a model is told. Failed, aborted and empty answers are left out,
// and so is all that a model without tools cannot be told.
func (s said) message() (m model.Message, ok bool) {
	switch s.role {
	case "user":
		return s.user(), true
	case "custom":
		m = s.user()
	case "assistant":
		if s.stop != "error" && s.stop != "aborted" {
			m = model.Message{Role: model.Assistant, Text: texts(s.content, ""), At: s.time()}
		}
	case "compactionSummary", "branchSummary":
		return model.Message{Role: model.User, Text: summaryHead + s.summary, Summary: true}, s.summary != ""
	}
	return m, m.Text != ""
}

const summaryHead = "Summary of the conversation so far:\n\n"

func (s said) user() model.Message {
	m := model.Message{Role: model.User, Text: texts(s.content, "\n"), At: s.time()}
	if !bytes.Contains(s.content, []byte(`"image"`)) && !bytes.Contains(s.content, []byte(`\u`)) {
		return m // pictures are seldom
	}
	blocks, _ := rawjson.Array(s.content)
	for _, b := range blocks {
		block, err := rawjson.Parse(b)
		if err == nil && block.Text("type") == "image" && block.Text("data") != "" {
			m.Images = append(m.Images, model.Image{MIME: block.Text("mimeType"), Base64: block.Text("data")})
		}
	}
	return m
}

// time is when it was said in ms, 0 when that is not known.
func (s said) time() int64 {
	ms, _ := rawjson.Number(s.at)
	return int64(ms)
}

// texts are the texts of a message's content, joined.
func texts(content rawjson.Value, sep string) string {
	if text, ok := rawjson.Text(content); ok {
		return text
	}
	blocks, _ := rawjson.Array(content)
	var room [4]string // as many as most have
	parts := room[:0]
	for _, b := range blocks {
		var kind, text string
		err := rawjson.Walk(b, func(name []byte, v rawjson.Value) error {
			switch string(name) {
			case "type":
				kind, _ = rawjson.Text(v)
			case "text":
				text, _ = rawjson.Text(v)
			}
			return nil
		})
		if err == nil && kind == "text" {
			parts = append(parts, text)
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

package acp

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	maxToolArgs   = 64 << 10 // bytes; larger ones are not told
	maxToolResult = 64 << 10 // characters; the rest is cut
	maxToolWords  = 200      // of a name or title
	toolInterval  = 100 * time.Millisecond
)

// toolUpdate is what an agent tells of a call of a tool: all of it at first, and
// later what has changed.
type toolUpdate struct {
	ID        string          `json:"toolCallId"`
	Title     string          `json:"title"`
	Kind      string          `json:"kind"`
	Status    string          `json:"status"`
	RawInput  json.RawMessage `json:"rawInput"`
	RawOutput json.RawMessage `json:"rawOutput"`
	Content   json.RawMessage `json:"-"`
}

// tool is a call that goes on, or has ended.
type tool struct {
	name, title string
	ended       bool
	told        time.Time // when its last update was
}

// tool takes in what the agent tells of a call.
func (u *turn) tool(n toolUpdate, size int) {
	if n.ID == "" {
		return
	}
	t := u.tools[n.ID]
	if t == nil {
		if len(u.tools) >= maxTools {
			u.tooMany()
			return
		}
		t = u.begin(n, size)
	}
	if t.ended {
		return
	}
	switch {
	case n.Status == "completed" || n.Status == "failed":
		t.ended = true
		u.step(model.ToolStep{Phase: model.ToolResult, CallID: n.ID, Name: t.name, Title: t.title, Result: n.result(), Failed: n.Status == "failed"}, size)
	case !t.told.IsZero() && time.Since(t.told) < toolInterval:
		// The next one says it again: content replaces what was there.
	default:
		if r := n.result(); r != nil {
			t.told = time.Now()
			u.step(model.ToolStep{Phase: model.ToolUpdate, CallID: n.ID, Name: t.name, Title: t.title, Result: r}, size)
		}
	}
}

// begin tells of a call that is new.
func (u *turn) begin(n toolUpdate, size int) *tool {
	t := &tool{name: plain(n.Kind, maxToolWords), title: plain(n.Title, maxToolWords)}
	if t.name == "" || t.name == "other" {
		t.name, t.title = cmp.Or(t.title, "tool"), ""
	}
	u.tools[n.ID] = t
	u.step(model.ToolStep{Phase: model.ToolStart, CallID: n.ID, Name: t.name, Title: t.title, Args: n.args()}, size)
	return t
}

// step tells one step of a call.
func (u *turn) step(s model.ToolStep, size int) {
	if u.steps++; u.steps > maxSteps {
		u.tooMany()
		return
	}
	s.CallID = cut(s.CallID, maxToolWords)
	u.queue.put(model.Delta{Tool: &s}, size)
}

func (u *turn) tooMany() {
	u.cancel(u.a.fault("used tools more often than %d times in one turn and was stopped.", maxTools))
}

// args are what a tool was given, an object in any case.
func (n toolUpdate) args() rawjson.Value {
	if len(n.RawInput) > maxToolArgs {
		return rawjson.Value(`{"omitted":"too large"}`)
	}
	switch rawjson.Kind(rawjson.Value(n.RawInput)) {
	case '{':
		if v, err := rawjson.Compact(rawjson.Value(n.RawInput)); err == nil {
			return v
		}
	case '"', '[', '0', 't', 'f':
		if v, err := rawjson.Compact(rawjson.Value(n.RawInput)); err == nil {
			return rawjson.NewObject(rawjson.Member{Name: "input", Value: v}).JSON()
		}
	}
	return rawjson.Value(`{}`)
}

type toolOutput struct {
	Content []toolText `json:"content"`
}

type toolText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// result is what a tool gave, as transcripts have it: its content, else its raw
// output. It is nil when there is neither.
func (n toolUpdate) result() rawjson.Value {
	text := n.contentText()
	if text == "" && len(n.RawOutput) > 0 && !rawjson.Null(rawjson.Value(n.RawOutput)) {
		var ok bool
		if text, ok = rawjson.Text(rawjson.Value(n.RawOutput)); !ok {
			text = string(n.RawOutput)
		}
	}
	if text == "" {
		return nil
	}
	return rawjson.MustMarshal(toolOutput{[]toolText{{"text", cut(text, maxToolResult)}}})
}

// contentText is the text of a call's content: of a change in a file its path.
func (n toolUpdate) contentText() string {
	var parts []struct {
		Type    string `json:"type"`
		Content block  `json:"content"`
		Path    string `json:"path"`
	}
	if json.Unmarshal(n.Content, &parts) != nil {
		return ""
	}
	text := ""
	for _, p := range parts {
		words := p.Content.words()
		if p.Type == "diff" {
			words = "Changed " + p.Path
		}
		if words != "" && text != "" {
			text += "\n"
		}
		if text += words; len(text) > 4*maxToolResult {
			break
		}
	}
	return text
}

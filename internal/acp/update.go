package acp

import (
	"encoding/json"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/model"
)

// update is an update of a talk, as far as it matters here. The library's own
// type reads a tool's values in a way that changes their spelling, and refuses
// an update whole when one part of it is odd.
type update struct {
	Kind    string          `json:"sessionUpdate"`
	Content json.RawMessage `json:"content"`
	toolUpdate
}

// told takes in a notification. It is called on the reader, and may hold it up
// until the turn has taken in what it waits for.
func (p *process) told(method string, params json.RawMessage) {
	if method != sdk.ClientMethodSessionUpdate {
		return // such as an extension's
	}
	var n struct {
		ID     sdk.SessionId `json:"sessionId"`
		Update update        `json:"update"`
	}
	if err := json.Unmarshal(params, &n); err != nil {
		p.a.o.Log.Debug("agent sent an update that cannot be read", "provider", p.a.o.Name, "err", err)
		return
	}
	// Without a turn it is history that is being loaded, or comes too late.
	if u := p.turnOf(n.ID); u != nil && u.counts(len(params)) {
		u.update(n.Update, len(params))
	}
}

// counts counts what the agent says; it reports false when that was too much.
func (u *turn) counts(bytes int) bool {
	if u.bytes += bytes; u.bytes > u.a.limits.answer {
		u.cancel(u.a.fault("said more than %d MiB in one turn and was stopped.", u.a.limits.answer>>20))
		return false
	}
	return true
}

// perItem is what a piece counts in a queue beside its message.
const perItem = 64

// update takes in one update of the turn's talk.
func (u *turn) update(n update, size int) {
	size += perItem
	switch n.Kind {
	case "agent_message_chunk":
		if text := chunk(n.Content); text != "" {
			u.queue.put(model.Delta{Text: text}, size)
		}
	case "agent_thought_chunk":
		if text := chunk(n.Content); text != "" {
			u.queue.put(model.Delta{Thinking: text}, size)
		}
	case "tool_call", "tool_call_update":
		n.toolUpdate.Content = n.Content
		u.tool(n.toolUpdate, size)
	}
	// Plans, modes, commands and the like have no place in a session here.
}

// block is a block of content.
type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
	URI  string `json:"uri"`
}

// words are what a block says in text.
func (b block) words() string {
	switch b.Type {
	case "text":
		return b.Text
	case "resource_link":
		return b.URI
	}
	return ""
}

// chunk is the text of a piece of an answer.
func chunk(content json.RawMessage) string {
	var b block
	if json.Unmarshal(content, &b) != nil {
		return ""
	}
	return b.words()
}

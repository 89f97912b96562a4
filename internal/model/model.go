// Package model talks to language models. It owns the Model interface and its
// implementations: Echo, which needs no server, and OpenAI and Anthropic, which
// speak the chat completions and the messages protocol to a server of that kind.
//
// A Model is safe for concurrent use. It streams one assistant turn and stops
// promptly when its context ends. The models here keep no state between turns:
// the caller hands over the whole conversation each time. Agents that keep the
// conversation themselves are package acp's. Requests that fail before the
// first piece of the answer are tried again here (see OpenAI); an answer that
// has begun is never asked for twice.
//
// What a turn means for a session, what is stored of it and who hears of it
// belong to package runs. Nothing here knows sessions, transcripts or the
// configuration.
package model

import (
	"context"
	"iter"

	"github.com/parleyd/parley/internal/rawjson"
)

// A Model streams one assistant turn and stops promptly when ctx is done.
//
// The sequence ends after the turn is complete, or with one error, which is a
// *Fault when the model or the way to it failed. When ctx ended, the error is
// that of ctx.
type Model interface {
	Stream(ctx context.Context, t Turn) iter.Seq2[Delta, error]
}

// Turn is what a model is asked: the conversation so far, its last message
// being the one to answer.
type Turn struct {
	// System is the system prompt, "" for none.
	System string
	// Messages is the conversation, oldest first.
	Messages []Message
	// Thinking is the level of reasoning that is wanted: "" or "off" for none,
	// else minimal, low, medium, high, xhigh or adaptive.
	Thinking string
	// Session is whose conversation it is; the zero value is nobody's, of which
	// nothing is to be remembered.
	Session Session
}

// Session names a conversation, for models that keep it themselves or work in
// its directory.
type Session struct {
	// Key is the session's canonical key, ID that of its transcript: it changes
	// when the session begins anew.
	Key, ID string
	// Agent is the agent whose session it is, Dir its workspace.
	Agent, Dir string
	// RunID is the run that asks.
	RunID string
}

// Role says whose message it is.
type Role string

// The roles of a Message.
const (
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one message of the conversation.
type Message struct {
	Role   Role
	Text   string
	Images []Image // of a user
	// At is when it was said, in ms, 0 when that is not known.
	At int64
	// Summary marks what stands for messages that are not told any more.
	Summary bool
}

// Image is a picture that a user sent.
type Image struct {
	MIME   string
	Base64 string
}

// Delta is one piece of the answer. Its fields are independent of each other:
// an empty one says nothing.
type Delta struct {
	// Text is what this piece adds to the answer.
	Text string
	// Thinking is what it adds to the reasoning, Signature where the server put it.
	Thinking, Signature string
	// ResponseID is the server's id of the answer.
	ResponseID string
	// Usage is what the turn has used; a later one replaces an earlier one.
	Usage *Usage
	// Stop is why the model ended.
	Stop StopReason
	// Tool is a step of a tool that the model used, nil for none.
	Tool *ToolStep
}

// ToolStep is one step of a call of a tool.
type ToolStep struct {
	Phase ToolPhase
	// CallID tells the call from others of the turn.
	CallID string
	// Name is the tool or its kind, Title what is done with it, for people; "" when
	// there is no more to say than Name does.
	Name, Title string
	// Args is what the tool was given, a JSON object; for ToolStart.
	Args rawjson.Value
	// Result is what it gave, in the form of transcripts; nil when that is not
	// told. For ToolUpdate it is what there is so far.
	Result rawjson.Value
	// Failed says that the tool failed; for ToolResult.
	Failed bool
}

// ToolPhase is where a call of a tool stands.
type ToolPhase string

// The phases of a call, as clients know them.
const (
	ToolStart  ToolPhase = "start"
	ToolUpdate ToolPhase = "update"
	ToolResult ToolPhase = "result"
)

// StopReason is why an answer ended, as transcripts have it.
type StopReason string

// The reasons for which an answer ends normally.
const (
	Stop    StopReason = "stop"
	Length  StopReason = "length"
	ToolUse StopReason = "toolUse"
)

// Usage counts tokens. Input does not include CacheRead.
type Usage struct {
	Input, Output, CacheRead, CacheWrite int64
}

// Total is the sum of all tokens.
func (u Usage) Total() int64 { return u.Input + u.Output + u.CacheRead + u.CacheWrite }

// Package model talks to language models. It owns the Model interface and its
// implementations: Echo, which needs no server, and OpenAI and Anthropic, which
// speak the chat completions and the messages protocol to a server of that kind.
//
// A Model is safe for concurrent use. It streams one assistant turn, stops
// promptly when its context ends, and keeps no state between turns: the caller
// hands over the whole conversation each time. Requests that fail before the
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
}

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

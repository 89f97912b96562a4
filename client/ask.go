package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Piece is a step of an answer.
type Piece struct {
	RunID string
	// Added is what this piece adds to the answer, Text the whole answer so far.
	Added, Text string
	// Replaced says that Text does not go on from the Text before: Added is all
	// of it.
	Replaced bool
	// State is delta; at the end it is final, or aborted when the run was ended
	// from outside or ran out of time, which StopReason tells.
	State, StopReason string
}

// RunError says that a run failed: the model's words, or the gateway's.
type RunError struct {
	RunID   string
	Message string
}

// Error is the message.
func (e *RunError) Error() string { return e.Message }

// Ask sends a message and hands out the answer while it is being given. It
// begins when it is ranged over; the last turn has the State final or aborted,
// or an error: a *RunError when the run failed, an *Error when the message was
// refused. Leaving the loop, or the end of ctx, does not end the run; ChatAbort
// does. A message that the gateway answers by itself (a command) or that stops
// what goes on has a last turn, too.
//
// An empty IdempotencyKey is made up. With a Client the loop goes on over lost
// connections, and the message is sent again as long as it is not known to have
// arrived: the key sees to it that it is answered once.
func Ask(ctx context.Context, c Connection, p ChatSendParams) iter.Seq2[Piece, error] {
	if p.IdempotencyKey == "" {
		p.IdempotencyKey = strings.ToLower(rand.Text())
	}
	return func(yield func(Piece, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		events := c.Events(ctx)
		a := asking{c: c, p: p, out: yield}
		sent, err := a.send(ctx)
		switch {
		case err != nil:
			yield(Piece{RunID: p.IdempotencyKey}, err)
			return
		case sent.RunID == "": // it stopped something, and has no run
			a.give(Piece{State: "final"})
			return
		case sent.Status == "ok":
			a.catchUp(ctx)
			return
		}
		a.follow(ctx, events)
	}
}

// asking is one Ask under way.
type asking struct {
	c    Connection
	p    ChatSendParams
	out  func(Piece, error) bool
	said string // what was handed out
	seq  int    // of the last chat event that was
}

// send sends the message until it is known what became of it.
func (a *asking) send(ctx context.Context) (SendResult, error) {
	for {
		sent, err := ChatSend.Call(ctx, a.c, a.p)
		if _, again := a.c.(*Client); !again || !errors.Is(err, ErrLost) || errors.Is(err, ErrClosed) {
			return sent, err
		}
	}
}

// follow hands out what the run says until it ends.
func (a *asking) follow(ctx context.Context, events iter.Seq2[Event, error]) {
	for e, err := range events {
		switch {
		case err != nil:
			a.fail(err)
			return
		case e.Name == Reconnected:
			if !a.catchUp(ctx) {
				return
			}
		case e.Name == EventChat && !a.chat(e):
			return
		}
	}
	a.fail(ErrClosed) // only Close ends the events without an error
}

// chat hands out what a chat event says; it reports false at the end.
func (a *asking) chat(e Event) bool {
	var p ChatEvent
	if err := e.Decode(&p); err != nil || p.RunID != a.p.IdempotencyKey || p.State == "delta" && p.Seq <= a.seq {
		return true
	}
	a.seq = p.Seq
	text := a.said
	if p.Message != nil {
		text = p.Message.Text()
	}
	if p.State == "error" {
		return a.fail(&RunError{RunID: p.RunID, Message: p.ErrorMessage})
	}
	return a.give(a.piece(text, p.State, p.StopReason)) && p.State == "delta"
}

// piece is what leads to a text. Space at the end comes and goes: what follows
// may need it, and a text that is stored is without it.
func (a *asking) piece(text, state, reason string) Piece {
	if text == strings.TrimRight(a.said, " \n") {
		text = a.said
	}
	p := Piece{Text: text, State: state, StopReason: reason}
	var goesOn bool
	if p.Added, goesOn = strings.CutPrefix(text, a.said); !goesOn {
		p.Added, p.Replaced = text, true
	}
	return p
}

func (a *asking) give(p Piece) bool {
	p.RunID, a.said = a.p.IdempotencyKey, p.Text
	return a.out(p, nil)
}

func (a *asking) fail(err error) bool {
	a.out(Piece{RunID: a.p.IdempotencyKey, Text: a.said}, err)
	return false
}

// catchUp finds out, after events may have been missed, where the run stands,
// and hands out what it has said; it reports false when the run is over.
func (a *asking) catchUp(ctx context.Context) bool {
	history, ended, err := a.look(ctx)
	switch run := history.InFlightRun; {
	case errors.Is(err, ErrLost) && !errors.Is(err, ErrClosed):
		return true // the next connection will tell
	case err != nil:
		return a.fail(err)
	case ended.Status == "error":
		return a.fail(&RunError{RunID: a.p.IdempotencyKey, Message: ended.Error})
	case ended.Status == "ok":
		a.give(a.last(history))
		return false
	case run != nil && run.RunID == a.p.IdempotencyKey:
		a.seq = run.Seq
		return a.give(a.piece(run.Text, "delta", ""))
	}
	return true // it waits for its turn, or has not spoken yet
}

// look asks how the run ended, if it has, and for the conversation.
func (a *asking) look(ctx context.Context) (history ChatHistoryResult, ended AgentWaitResult, err error) {
	now := int64(0)
	if ended, err = AgentWait.Call(ctx, a.c, AgentWaitParams{RunID: a.p.IdempotencyKey, TimeoutMs: &now}); err != nil {
		return history, ended, fmt.Errorf("ask how the run ended: %w", err)
	}
	if history, err = ChatHistory.Call(ctx, a.c, ChatHistoryParams{SessionKey: a.p.SessionKey, Limit: 20}); err != nil {
		return history, ended, fmt.Errorf("read what was said: %w", err)
	}
	return history, ended, nil
}

// last is the end of the answer by the conversation, whose last message of the
// assistant it is: the session's next run, if there is one, has not ended yet.
func (a *asking) last(history ChatHistoryResult) Piece {
	for _, m := range slices.Backward(history.Messages) {
		switch {
		case m.Role != "assistant":
			continue
		case m.StopReason == "aborted":
			return a.piece(m.Text(), "aborted", "")
		}
		return a.piece(m.Text(), "final", "")
	}
	return a.piece(a.said, "final", "")
}

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
)

// steerWait is how long sessions.steer waits for the end of the old run.
const steerWait = 15 * time.Second

// sessionsSendResult is the answer of chat.send and more.
type sessionsSendResult struct {
	sendResult
	MessageSeq           int  `json:"messageSeq,omitzero"`
	InterruptedActiveRun bool `json:"interruptedActiveRun,omitzero"`
}

// sessionsSend sends a message to a session that is there.
func (g *Gateway) sessionsSend(ctx context.Context, c *call, p protocol.SessionsSendParams) (sessionsSendResult, error) {
	f, err := g.sendTarget(p.Key)
	if err != nil {
		return sessionsSendResult{}, err
	}
	return g.sendTo(ctx, c, f, p, runs.Aborted{})
}

// sessionsSteer interrupts what goes on in a session and sends a message that
// has its turn next.
func (g *Gateway) sessionsSteer(ctx context.Context, c *call, p protocol.SessionsSendParams) (sessionsSendResult, error) {
	f, err := g.sendTarget(p.Key)
	if err != nil {
		return sessionsSendResult{}, err
	}
	ended, err := g.engine.Steer(ctx, abortRequest(c, f.Key, "", false), steerWait)
	if errors.Is(err, runs.ErrStillActive) {
		return sessionsSendResult{}, protocol.Unavailablef("Session %s is still active; try again in a moment.", jstext.Trim(p.Key))
	}
	if err != nil {
		return sessionsSendResult{}, err
	}
	return g.sendTo(ctx, c, f, p, ended)
}

// sendTarget is the session that a client's key means; it must be there.
func (g *Gateway) sendTarget(given string) (sessions.Found, error) {
	key, err := requireKey(given)
	if err != nil {
		return sessions.Found{}, err
	}
	f, ok, err := g.stores.Lookup(key)
	if err == nil && !ok {
		err = protocol.Invalidf("session not found: %s", key)
	}
	return f, err
}

// sendTo sends to a session in which runs have been ended for it, or none.
func (g *Gateway) sendTo(ctx context.Context, c *call, f sessions.Found, p protocol.SessionsSendParams, ended runs.Aborted) (sessionsSendResult, error) {
	r := sessionsSendResult{InterruptedActiveRun: len(ended.RunIDs) > 0}
	before, err := g.transcripts.Count(runs.Ref(f.Store, f.Key, f.Entry))
	if err != nil {
		g.log.Warn("messages cannot be counted", "session", f.Key, "err", err)
	}
	reason, sent := "send", false
	if r.InterruptedActiveRun {
		reason = "steer"
	}
	// Registered first: the session is told of before its run begins.
	c.After(func() {
		if sent {
			g.publishChanged(f.Key, reason)
		}
		ended.Release()
	})
	runID := jstext.Trim(p.IdempotencyKey)
	if runID == "" {
		runID = uuid.NewString()
	}
	r.sendResult, err = g.send(ctx, c, sendRequest{
		Key: f.Key, Message: p.Message, RunID: runID,
		Thinking: p.Thinking, Attachments: p.Attachments, TimeoutMs: (*int64)(p.TimeoutMs),
	})
	if err != nil {
		return sessionsSendResult{}, err
	}
	if sent = true; r.started() {
		r.MessageSeq = before + 1
	}
	return r, nil
}

type sessionsAbortResult struct {
	OK           bool    `json:"ok"`
	AbortedRunID *string `json:"abortedRunId"`
	Status       string  `json:"status"`
}

// sessionsAbort ends a session's runs, or the run with an id wherever it is.
func (g *Gateway) sessionsAbort(ctx context.Context, c *call, p protocol.SessionsAbortParams) (sessionsAbortResult, error) {
	given, err := requireKey(p.Key)
	if err != nil {
		return sessionsAbortResult{}, err
	}
	q := abortRequest(c, g.keys().Canonical(given), jstext.Trim(p.RunID), false)
	q.AnySession = true
	a, err := g.engine.Abort(ctx, q)
	if err != nil {
		return sessionsAbortResult{}, err
	}
	if len(a.RunIDs) == 0 {
		return sessionsAbortResult{OK: true, Status: "no-active-run"}, nil
	}
	c.After(func() {
		g.publishChanged(a.Key, "abort")
		a.Release()
	})
	return sessionsAbortResult{OK: true, AbortedRunID: &a.RunIDs[0], Status: "aborted"}, nil
}

package gateway

import (
	"context"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"golang.org/x/text/unicode/norm"
)

// sendRequest is a message to a session, from whatever method.
type sendRequest struct {
	Key         string // in any spelling
	Message     string
	RunID       string
	Thinking    *string
	Attachments []rawjson.Value
	TimeoutMs   *int64
}

// sendResult is the answer to a message: a run, or what a stop phrase stopped.
type sendResult struct {
	OK      bool      `json:"ok,omitzero"`
	Aborted *bool     `json:"aborted,omitzero"`
	RunIDs  *[]string `json:"runIds,omitzero"`

	RunID  string `json:"runId,omitzero"`
	Status string `json:"status,omitzero"`
}

// started reports whether the message started a run.
func (r sendResult) started() bool { return r.Status == "started" }

// sendFailure is the payload of the answer to a repeat of a run that failed.
type sendFailure struct {
	RunID   string `json:"runId"`
	Status  string `json:"status"`
	Summary string `json:"summary"`
}

// chatSend sends a message to a session.
func (g *Gateway) chatSend(ctx context.Context, c *call, p protocol.ChatSendParams) (sendResult, error) {
	if !rawjson.Null(p.SystemInputProvenance) || !jstext.Blank(p.SystemProvenanceReceipt) {
		return sendResult{}, protocol.Invalidf("system provenance fields are reserved for the ACP bridge")
	}
	c.conn.spelt.learn(g.keys().Canonical(p.SessionKey), p.SessionKey)
	return g.send(ctx, c, sendRequest{
		Key: p.SessionKey, Message: p.Message, RunID: p.IdempotencyKey,
		Thinking: p.Thinking, Attachments: p.Attachments, TimeoutMs: (*int64)(p.TimeoutMs),
	})
}

// send judges a message and starts its run (spec: chat 2). The run's events
// come once c's answer is queued.
func (g *Gateway) send(ctx context.Context, c *call, r sendRequest) (sendResult, error) {
	text, media, err := g.readMessage(r)
	if err != nil {
		return sendResult{}, err
	}
	key := g.keys().Canonical(r.Key)
	if stopPhrase(text) {
		return g.stop(ctx, c, key)
	}
	if err := sessions.CheckKey(key); err != nil {
		return sendResult{}, err
	}
	cmd, isCommand := parseCommand(text)
	// The way out of a session that refuses messages stays open.
	if !isCommand || cmd.name != "send" {
		if err := g.maySend(key); err != nil {
			return sendResult{}, err
		}
	}
	if ticket, known := g.engine.Known(runs.Chat, r.RunID); known {
		return answerTicket(ticket)
	}
	t := runs.Turn{
		Kind: runs.Chat, Key: key, RunID: r.RunID, Message: text,
		Timeout: timeLimit(r.TimeoutMs), Owner: owner(c.conn), Trace: c.span, Queued: c.Yield,
	}
	if r.Thinking != nil && !strings.HasPrefix(text, "/") {
		t.Thinking, _ = sessions.NormalizeThinking(*r.Thinking) // an unknown level is ignored
	}
	if isCommand {
		answered := g.commandTurn(&t, cmd)
		if answered || t.Fresh {
			if err := g.mayCommand(c.conn, cmd); err != nil {
				return sendResult{}, err
			}
		}
		if answered {
			return g.runCommand(c, key, r.RunID, text, cmd)
		}
	}
	t.Media = media
	ticket, err := g.startWithMedia(t)
	if err != nil {
		return sendResult{}, err
	}
	g.onlookers.look(c.conn, t, ticket)
	c.After(ticket.Begin)
	return answerTicket(ticket)
}

// readMessage is the text and the pictures of a message; one without either is
// refused.
func (g *Gateway) readMessage(r sendRequest) (string, []runs.Media, error) {
	text, err := cleanMessage(r.Message)
	if err != nil {
		return "", nil, err
	}
	attached := readAttachments(r.Attachments)
	if jstext.Blank(text) && len(attached) == 0 {
		return "", nil, protocol.Invalidf("message or attachment required")
	}
	media, err := parseAttachments(attached, g.log)
	return text, media, err
}

// cleanMessage is a message as it is stored and sent on: in NFC, without
// control characters.
func cleanMessage(text string) (string, error) {
	text = norm.NFC.String(text)
	if strings.ContainsRune(text, 0) {
		return "", protocol.Invalidf("message must not contain null bytes")
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7F {
			return -1
		}
		return r
	}, text), nil
}

// maySend refuses messages to sessions whose policy denies them.
func (g *Gateway) maySend(key string) error {
	f, _, err := g.stores.Lookup(key)
	if err != nil {
		return err
	}
	target := config.SendTarget{
		Key: key, SendPolicy: f.Entry.Text("sendPolicy"), Channel: f.Entry.Text("channel"),
		LastChannel: f.Entry.Text("lastChannel"), ChatType: f.Entry.Text("chatType"),
	}
	if !g.cfg().SendAllowed(target) {
		return protocol.Invalidf("send blocked by session policy")
	}
	return nil
}

const maxTimeoutMs = 2_147_000_000

// timeLimit is the time limit that a client gave: absent is the configured one,
// 0 is none.
func timeLimit(ms *int64) time.Duration {
	switch {
	case ms == nil:
		return 0
	case *ms == 0:
		return runs.NoLimit
	}
	return time.Duration(min(*ms, maxTimeoutMs)) * time.Millisecond
}

// owner is who may abort the runs that a connection starts.
func owner(c *conn) runs.Owner { return runs.Owner{Conn: c.id, Device: c.deviceID} }

// answerTicket is the answer to a message whose run is known.
func answerTicket(t runs.Ticket) (sendResult, error) {
	r := sendResult{RunID: t.RunID}
	switch {
	case t.State == runs.Started:
		r.Status = "started"
	case t.State == runs.InFlight:
		r.Status = "in_flight"
	case t.Outcome.Failed():
		return sendResult{}, withPayload(protocol.Unavailablef("%s", t.Outcome.Error),
			sendFailure{RunID: t.RunID, Status: "error", Summary: t.Outcome.Error})
	default:
		r.Status = "ok"
	}
	return r, nil
}

// stop aborts what goes on in a session because a message asked for it.
func (g *Gateway) stop(ctx context.Context, c *call, key string) (sendResult, error) {
	a, err := g.engine.Abort(ctx, abortRequest(c, key, "", true))
	if err != nil {
		return sendResult{}, err
	}
	c.After(a.Release)
	ids := append([]string{}, a.RunIDs...)
	return sendResult{OK: true, Aborted: new(len(ids) > 0), RunIDs: &ids}, nil
}

package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
)

// agentResult is an answer of the method agent, of which there are two: one
// when the run is accepted, one when it has ended.
type agentResult struct {
	RunID      string       `json:"runId"`
	Status     string       `json:"status"`
	AcceptedAt int64        `json:"acceptedAt,omitzero"`
	Summary    string       `json:"summary,omitzero"`
	Result     *agentAnswer `json:"result,omitzero"`
}

type agentAnswer struct {
	Payloads []agentText `json:"payloads"`
	Meta     agentMeta   `json:"meta"`
}

type agentText struct {
	Text     string  `json:"text"`
	MediaURL *string `json:"mediaUrl"`
}

type agentMeta struct {
	DurationMs int64     `json:"durationMs"`
	Agent      agentUsed `json:"agentMeta"`
	Aborted    bool      `json:"aborted"`
}

type agentUsed struct {
	SessionID string      `json:"sessionId"`
	Provider  string      `json:"provider"`
	Model     string      `json:"model"`
	Usage     *tokenUsage `json:"usage,omitzero"`
}

type tokenUsage struct {
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cacheRead"`
	CacheWrite int64 `json:"cacheWrite"`
	Total      int64 `json:"total"`
}

// agent sends a message to a session and waits for the end of its run. The
// waiting ends with the connection, the run does not.
func (g *Gateway) agent(ctx context.Context, c *call, p protocol.AgentParams) (agentResult, error) {
	act := context.WithoutCancel(ctx)
	if (p.Provider != "" || p.Model != "") && !c.conn.scopes.Allows(protocol.ScopeAdmin) {
		return agentResult{}, protocol.Invalidf("provider/model overrides are not authorized for this caller.")
	}
	if t, known := g.engine.Known(runs.Agent, p.IdempotencyKey); known {
		if t.State == runs.Ended {
			return agentEnd(t.Outcome)
		}
		return agentResult{RunID: t.RunID, Status: "accepted", AcceptedAt: t.AcceptedAt}, nil
	}
	t, err := g.agentTurn(c, p)
	if err != nil {
		return agentResult{}, err
	}
	ticket, created, err := g.startAgent(act, t)
	if err != nil {
		return agentResult{}, err
	}
	g.onlookers.look(c.conn, t, ticket)
	c.Answer(agentResult{RunID: t.RunID, Status: "accepted", AcceptedAt: nowIfZero(ticket.AcceptedAt)}, nil)
	if created {
		g.publishUse(t.Key, "create")
	}
	g.publishUse(t.Key, "send")
	ticket.Begin()
	o, err := g.engine.Wait(ctx, t.RunID)
	if err != nil {
		return agentResult{}, protocol.Unavailablef("the connection ended before the run")
	}
	return agentEnd(o)
}

func nowIfZero(ms int64) int64 {
	if ms == 0 {
		return time.Now().UnixMilli()
	}
	return ms
}

// agentTurn judges the params of agent and makes a turn of them.
func (g *Gateway) agentTurn(c *call, p protocol.AgentParams) (runs.Turn, error) {
	media, err := parseAttachments(readAttachments(p.Attachments), g.log)
	if err != nil {
		return runs.Turn{}, err
	}
	for _, channel := range []string{p.Channel, p.ReplyChannel} {
		if name := jstext.Lower(jstext.Trim(channel)); name != "" && name != "last" && name != "webchat" {
			return runs.Turn{}, protocol.Invalidf("invalid agent params: unknown channel: %s", jstext.Lower(jstext.Trim(channel)))
		}
	}
	key, err := g.agentKey(p)
	if err != nil {
		return runs.Turn{}, err
	}
	t := runs.Turn{
		Kind: runs.Agent, Key: key, RunID: p.IdempotencyKey, Message: jstext.Trim(p.Message), Media: media,
		System: p.ExtraSystemPrompt, Model: g.agentModel(key, p), Owner: owner(c.conn), Trace: c.span,
	}
	if p.Thinking != nil {
		t.Thinking, _ = sessions.NormalizeThinking(*p.Thinking)
	}
	if p.Timeout != nil {
		ms := int64(min(*p.Timeout, maxTimeoutMs/1000)) * 1000
		t.Timeout = timeLimit(&ms)
	}
	if cmd, ok := parseCommand(t.Message); ok && (cmd.name == "new" || cmd.name == "reset") && p.SessionKey != "" {
		if err := g.mayCommand(c.conn, cmd); err != nil {
			return runs.Turn{}, err
		}
		t.Fresh, t.Message = true, cmd.text
	}
	return t, g.maySend(key)
}

// agentKey is the session that agent means: by key, by session id, by agent.
func (g *Gateway) agentKey(p protocol.AgentParams) (string, error) {
	agent := ""
	if given := jstext.Trim(p.AgentID); given != "" {
		agent = sessions.NormalizeAgentID(given)
		if agent != g.cfg().DefaultAgent() && !slices.Contains(g.cfg().AgentIDs(), agent) {
			return "", protocol.Invalidf("invalid agent params: unknown agent id %q", given)
		}
	}
	if given := jstext.Trim(p.SessionKey); given != "" {
		if sessions.Malformed(given) {
			return "", protocol.Invalidf("invalid agent params: malformed session key %q", given)
		}
		if of, _, ok := sessions.ParseKey(given); ok && agent != "" && sessions.NormalizeAgentID(of) != agent {
			return "", protocol.Invalidf("invalid agent params: agent %q does not match session key agent %q", jstext.Trim(p.AgentID), of)
		}
		return g.keys().Canonical(given), nil
	}
	if id := jstext.Trim(p.SessionID); id != "" {
		if key, ok := g.sessionWithID(id); ok {
			return key, nil
		}
	}
	if agent != "" {
		return g.keys().Canonical("agent:" + agent + ":main"), nil
	}
	return g.keys().Main(), nil
}

// sessionWithID is the session whose transcript has this id, of several the
// first in the files.
func (g *Gateway) sessionWithID(id string) (key string, ok bool) {
	found := g.stores.Combined().WithSessionID(id)
	if len(found) == 0 {
		return "", false
	}
	return slices.MinFunc(found, sessions.FileOrder).Key, true
}

// agentModel is the model that the call asks for, or none.
func (g *Gateway) agentModel(key string, p protocol.AgentParams) config.ModelRef {
	byDefault := g.cfg().DefaultModel(g.keys().Agent(key))
	switch {
	case p.Provider == "" && p.Model == "":
		return config.ModelRef{}
	case p.Provider == "":
		if ref, ok := g.cfg().ParseModel(g.keys().Agent(key), p.Model); ok {
			return ref
		}
		return config.ModelRef{Provider: byDefault.Provider, Model: p.Model}
	case p.Model == "":
		return config.ModelRef{Provider: p.Provider, Model: byDefault.Model}
	}
	return config.ModelRef{Provider: p.Provider, Model: p.Model}
}

// startAgent starts the run of a turn, and makes its session when it is new.
func (g *Gateway) startAgent(ctx context.Context, t runs.Turn) (ticket runs.Ticket, created bool, err error) {
	if _, exists, err := g.stores.Lookup(t.Key); err != nil {
		return ticket, false, err
	} else if created = !exists; created {
		if err := sessions.CheckKey(t.Key); err != nil {
			return ticket, false, err
		}
		if err := g.engine.Touch(ctx, runs.Agent, t.Key); err != nil {
			return ticket, false, err
		}
	}
	if t.Fresh && t.Message == "" {
		ticket, err = g.engine.Do(runs.Agent, t.Key, t.RunID, func(ctx context.Context) string {
			if err := g.engine.BeginAnew(ctx, runs.Agent, t.Key); err != nil {
				return err.Error()
			}
			return ""
		})
		return ticket, created, err
	}
	ticket, err = g.startWithMedia(t)
	return ticket, created, err
}

// useFields are the fields of a row that the events of agent carry.
var useFields = []string{
	"totalTokens", "totalTokensFresh", "contextTokens", "estimatedCostUsd", "modelProvider", "model",
	"status", "startedAt", "endedAt", "runtimeMs",
}

// publishUse tells that agent used a session.
func (g *Gateway) publishUse(key, reason string) {
	if !g.hub.SessionsHeard() {
		return
	}
	var o rawjson.Object
	o.Put("sessionKey", key)
	o.Put("reason", reason)
	o.Put("ts", time.Now().UnixMilli())
	if row, ok := g.row(key); ok {
		rowFields(&o, &row, useFields)
	}
	g.hub.Publish(changedEvent(o))
}

// agentEnd is the last answer to agent.
func agentEnd(o runs.Outcome) (agentResult, error) {
	if o.Failed() {
		return agentResult{}, withPayload(protocol.Unavailablef("%s", o.Error),
			agentResult{RunID: o.RunID, Status: "error", Summary: o.Error})
	}
	a := &agentAnswer{Payloads: []agentText{}, Meta: agentMeta{
		DurationMs: max(o.EndedAt-o.StartedAt, 0), Aborted: o.Aborted,
		Agent: agentUsed{SessionID: o.SessionID, Provider: o.Model.Provider, Model: o.Model.Model},
	}}
	if o.Text != "" {
		a.Payloads = append(a.Payloads, agentText{Text: o.Text})
	}
	if u := o.Usage; u != nil {
		a.Meta.Agent.Usage = &tokenUsage{u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Total()}
	}
	return agentResult{RunID: o.RunID, Status: "ok", Summary: "completed", Result: a}, nil
}

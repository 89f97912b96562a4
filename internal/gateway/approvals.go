package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/acp"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// approvalTimeout is how long a question waits for somebody's decision; then it
	// is denied.
	approvalTimeout = 2 * time.Minute
	// approvalLimit is how many questions may wait; further ones are denied at once.
	approvalLimit = 256
)

// approvals are the questions of agents that wait for somebody's decision.
type approvals struct {
	mu      sync.Mutex // guards pending
	pending map[string]*approval
}

// approval is one question, as clients read it.
type approval struct {
	ID          string          `json:"id"`
	Request     approvalRequest `json:"request"`
	CreatedAtMs int64           `json:"createdAtMs"`
	ExpiresAtMs int64           `json:"expiresAtMs"`

	decided chan acp.Decision // gets one
}

// approvalRequest is what is to be permitted. Host, where clients know a computer,
// says that it is an agent which asks.
type approvalRequest struct {
	Command    string `json:"command"`
	Cwd        string `json:"cwd"`
	Host       string `json:"host"`
	AgentID    string `json:"agentId"`
	SessionKey string `json:"sessionKey"`
	Provider   string `json:"provider"`
	RunID      string `json:"runId"`
	ToolCallID string `json:"toolCallId"`
	Kind       string `json:"kind,omitzero"`
}

type approvalResolved struct {
	ID         string          `json:"id"`
	Decision   acp.Decision    `json:"decision"`
	ResolvedBy string          `json:"resolvedBy,omitzero"`
	TS         int64           `json:"ts"`
	Request    approvalRequest `json:"request"`
}

// askApproval lets those who may decide. It denies when ctx ends or nobody does in
// time.
func (g *Gateway) askApproval(ctx context.Context, q acp.Question) acp.Decision {
	a := newApproval(q)
	if !g.approvals.add(a) {
		g.log.Warn("too many questions wait for a decision; one more is denied", "run", q.RunID, "session", q.Key, "limit", approvalLimit)
		return acp.Deny
	}
	g.hub.Publish(approvalEvent("exec.approval.requested", a))
	t := time.NewTimer(time.Until(time.UnixMilli(a.ExpiresAtMs)))
	defer t.Stop()
	select {
	case d := <-a.decided:
		return d
	case <-t.C:
	case <-ctx.Done():
	}
	if !g.approvals.take(a) {
		return <-a.decided // somebody was just before
	}
	g.publishDecision(a, acp.Deny, "")
	return acp.Deny
}

func newApproval(q acp.Question) *approval {
	now := time.Now().UnixMilli()
	return &approval{
		ID: uuid.NewString(), CreatedAtMs: now, ExpiresAtMs: now + approvalTimeout.Milliseconds(), decided: make(chan acp.Decision, 1),
		Request: approvalRequest{
			Command: q.Command, Cwd: q.Dir, Host: "acp", AgentID: q.Agent, SessionKey: q.Key,
			Provider: q.Provider, RunID: q.RunID, ToolCallID: q.CallID, Kind: q.Kind,
		},
	}
}

// add lets a question wait; it reports false when too many do.
func (s *approvals) add(a *approval) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) >= approvalLimit {
		return false
	}
	if s.pending == nil {
		s.pending = map[string]*approval{}
	}
	s.pending[a.ID] = a
	return true
}

// take ends the waiting of a question; it reports false when that has ended.
func (s *approvals) take(a *approval) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, waits := s.pending[a.ID]
	delete(s.pending, a.ID)
	return waits
}

// find is the question with this id, nil when none waits.
func (s *approvals) find(id string) *approval {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[id]
}

// list is all that wait, in the order in which they came.
func (s *approvals) list() []*approval {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []*approval{}
	for _, a := range s.pending {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *approval) int {
		return cmp.Or(cmp.Compare(x.CreatedAtMs, y.CreatedAtMs), cmp.Compare(x.ID, y.ID))
	})
	return all
}

func approvalEvent(name string, payload any) hub.Event {
	return hub.Event{Name: name, To: hub.All(), Policy: hub.DropIfSlow, Payload: rawjson.MustMarshal(payload)}
}

// publishDecision tells how a question was decided; by is "" when its time was
// over.
func (g *Gateway) publishDecision(a *approval, d acp.Decision, by string) {
	g.hub.Publish(approvalEvent("exec.approval.resolved", approvalResolved{a.ID, d, by, time.Now().UnixMilli(), a.Request}))
}

// execApprovalList lists the questions that wait, for who was not there when they
// were asked.
func (g *Gateway) execApprovalList(context.Context, *call, protocol.NoParams) ([]*approval, error) {
	return g.approvals.list(), nil
}

// execApprovalResolve decides a question.
func (g *Gateway) execApprovalResolve(_ context.Context, c *call, p protocol.ExecApprovalResolveParams) (okResult, error) {
	d := acp.Decision(p.Decision)
	if d != acp.AllowOnce && d != acp.AllowAlways && d != acp.Deny {
		return okResult{}, protocol.Invalidf("invalid decision")
	}
	a := g.approvals.find(p.ID)
	if a == nil || !g.approvals.take(a) {
		return okResult{}, protocol.Invalidf("unknown or expired approval id")
	}
	by := cmp.Or(c.conn.client.DisplayName, c.conn.client.ID)
	g.log.Info("question of an agent decided", "conn", c.conn.id, "client", by, "device", c.conn.deviceID, "session", a.Request.SessionKey,
		"run", a.Request.RunID, "decision", string(d))
	a.decided <- d
	c.After(func() { g.publishDecision(a, d, by) })
	return okResult{true}, nil
}

package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

type statusResult struct {
	RuntimeVersion     string          `json:"runtimeVersion"`
	Heartbeat          statusHeartbeat `json:"heartbeat"`
	ChannelSummary     []string        `json:"channelSummary"`
	QueuedSystemEvents []string        `json:"queuedSystemEvents"`
	Sessions           statusSessions  `json:"sessions"`
}

type statusHeartbeat struct {
	DefaultAgentID string           `json:"defaultAgentId"`
	Agents         []agentHeartbeat `json:"agents"`
}

type agentHeartbeat struct {
	AgentID string `json:"agentId"`
	heartbeatHealth
}

type statusSessions struct {
	Paths    []string       `json:"paths"`
	Count    int            `json:"count"`
	Defaults statusDefaults `json:"defaults"`
	Recent   []statusRow    `json:"recent"`
	ByAgent  []agentStatus  `json:"byAgent"`
}

type statusDefaults struct {
	Model         *string `json:"model"`
	ContextTokens *int64  `json:"contextTokens"`
}

type agentStatus struct {
	AgentID string      `json:"agentId"`
	Path    string      `json:"path"`
	Count   int         `json:"count"`
	Recent  []statusRow `json:"recent"`
}

// statusRow is a session as status shows it (spec: protocol 15.2).
type statusRow struct {
	AgentID          string        `json:"agentId,omitzero"`
	Key              string        `json:"key"`
	Kind             string        `json:"kind"`
	SessionID        string        `json:"sessionId,omitzero"`
	UpdatedAt        *int64        `json:"updatedAt"`
	Age              *int64        `json:"age"`
	ThinkingLevel    rawjson.Value `json:"thinkingLevel,omitempty"`
	FastMode         rawjson.Value `json:"fastMode,omitempty"`
	VerboseLevel     rawjson.Value `json:"verboseLevel,omitempty"`
	ReasoningLevel   rawjson.Value `json:"reasoningLevel,omitempty"`
	ElevatedLevel    rawjson.Value `json:"elevatedLevel,omitempty"`
	SystemSent       rawjson.Value `json:"systemSent,omitempty"`
	AbortedLastRun   rawjson.Value `json:"abortedLastRun,omitempty"`
	InputTokens      rawjson.Value `json:"inputTokens,omitempty"`
	OutputTokens     rawjson.Value `json:"outputTokens,omitempty"`
	CacheRead        rawjson.Value `json:"cacheRead,omitempty"`
	CacheWrite       rawjson.Value `json:"cacheWrite,omitempty"`
	TotalTokens      *float64      `json:"totalTokens"`
	TotalTokensFresh bool          `json:"totalTokensFresh"`
	RemainingTokens  *float64      `json:"remainingTokens"`
	PercentUsed      *int64        `json:"percentUsed"`
	Model            string        `json:"model"`
	ContextTokens    int64         `json:"contextTokens"`
	Flags            []string      `json:"flags"`
}

// status is the gateway at a glance; paths and sessions are for
// administrators.
func (g *Gateway) status(_ context.Context, c *call, _ rawParams) (statusResult, error) {
	def := g.cfg().DefaultAgent()
	out := statusResult{
		RuntimeVersion: g.version,
		Heartbeat:      statusHeartbeat{DefaultAgentID: def, Agents: []agentHeartbeat{}},
		ChannelSummary: []string{}, QueuedSystemEvents: []string{},
		Sessions: statusSessions{Paths: []string{}, Recent: []statusRow{}, ByAgent: []agentStatus{}},
	}
	admin := c.conn.scopes.Allows(protocol.ScopeAdmin)
	model := g.cfg().DefaultModel(def)
	window := g.contextTokens(model)
	if admin {
		out.Sessions.Defaults = statusDefaults{Model: &model.Model, ContextTokens: &window}
	}
	for _, id := range g.agentIDs() {
		out.Heartbeat.Agents = append(out.Heartbeat.Agents, agentHeartbeat{AgentID: id, heartbeatHealth: heartbeatHealth{Every: "disabled"}})
		a := g.agentStatus(id)
		out.Sessions.Count += a.Count
		if !admin {
			a.Path, a.Recent = "[redacted]", []statusRow{}
		} else {
			out.Sessions.Paths = append(out.Sessions.Paths, a.Path)
			out.Sessions.Recent = append(out.Sessions.Recent, a.Recent...)
		}
		out.Sessions.ByAgent = append(out.Sessions.ByAgent, a)
	}
	out.Sessions.Recent = newestRows(out.Sessions.Recent, 10)
	return out, nil
}

func (g *Gateway) agentStatus(id string) agentStatus {
	a := agentStatus{AgentID: id, Recent: []statusRow{}}
	st, err := g.stores.Store("agent:" + id + ":main")
	if err != nil {
		g.log.Warn("status: cannot open the session store", "agent", id, "err", err)
		return a
	}
	a.Path = st.Path()
	err = st.View(func(v *sessions.Snapshot) error {
		a.Count = countAgentSessions(v)
		for key, e := range v.Recent(0) {
			if len(a.Recent) == 10 {
				break
			}
			if noAgents(key) {
				continue
			}
			a.Recent = append(a.Recent, g.statusRow(id, key, e))
		}
		return nil
	})
	if err != nil {
		g.log.Warn("status: cannot read the session store", "path", st.Path(), "err", err)
	}
	return a
}

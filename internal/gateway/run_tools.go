package gateway

import (
	"slices"
	"sync"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

// toolEvents is the cap by which a client asks for the tools of its runs.
const toolEvents = "tool-events"

// onlookers are the connections that hear of the tools of runs: the one that
// started a run, and those that later sent something to its session, where they
// have the cap.
type onlookers struct {
	mu   sync.Mutex // guards runs
	runs map[string]*onlooked
}

type onlooked struct {
	key   string
	conns []string
}

// look notes that a connection has started a run. It comes before the run begins.
func (o *onlookers) look(c *conn, t runs.Turn, ticket runs.Ticket) {
	if ticket.State != runs.Started || t.Fresh && t.Message == "" { // that is no run but a command
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.runs == nil {
		o.runs = map[string]*onlooked{}
	}
	o.runs[t.RunID] = &onlooked{key: t.Key}
	if !slices.Contains(c.caps, toolEvents) {
		return
	}
	for _, r := range o.runs {
		if r.key == t.Key && !slices.Contains(r.conns, c.id) {
			r.conns = append(r.conns, c.id)
		}
	}
}

// of are the connections that hear of the tools of a run.
func (o *onlookers) of(runID string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.runs[runID]; r != nil {
		return slices.Clone(r.conns)
	}
	return nil
}

// ended forgets a run.
func (o *onlookers) ended(runID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.runs, runID)
}

// toolStep is the data of an agent event of the stream tool.
type toolStep struct {
	Phase         string        `json:"phase"`
	Name          string        `json:"name"`
	Title         string        `json:"title,omitzero"`
	ToolCallID    string        `json:"toolCallId"`
	Args          rawjson.Value `json:"args,omitzero"`
	PartialResult rawjson.Value `json:"partialResult,omitzero"`
	IsError       *bool         `json:"isError,omitzero"`
	Result        rawjson.Value `json:"result,omitzero"`
}

// Used tells of a step of a tool: those who look on at the run, and those who
// follow all sessions.
func (o runEvents) Used(u runs.ToolUse) {
	var events []hub.Event
	if u.Chat != nil {
		events = append(events, deltaEvent(chatPayload{RunID: u.RunID, SessionKey: u.Key, Seq: u.Seq, Message: chatText(u.Text), line: u.MessageID}, u.Chat))
	}
	conns, heard := o.g.onlookers.of(u.RunID), o.g.hub.SessionsHeard()
	if len(conns) > 0 || heard {
		step := agentEvent(u.RunID, "tool", u.Key, u.Seq, u.At, o.g.toolData(u.Key, u.Step))
		step.To = hub.Conns(conns...)
		told := hub.Event{Name: "session.tool", Payload: step.Payload, To: hub.Sessions(), Policy: hub.DropIfSlow}
		events = append(events, step, told)
	}
	o.g.hub.Publish(events...)
}

// toolData is what is told of a step. What the tool gave is only for sessions
// that are verbose to the full.
func (g *Gateway) toolData(key string, s model.ToolStep) toolStep {
	d := toolStep{Phase: string(s.Phase), Name: s.Name, Title: s.Title, ToolCallID: s.CallID}
	full := s.Result != nil && g.verboseLevel(key) == "full"
	switch s.Phase {
	case model.ToolStart:
		d.Args = s.Args
	case model.ToolUpdate:
		if full {
			d.PartialResult = s.Result
		}
	case model.ToolResult:
		d.IsError = &s.Failed
		if full {
			d.Result = s.Result
		}
	}
	return d
}

// verboseLevel is how much a session tells of tools.
func (g *Gateway) verboseLevel(key string) string {
	if f, ok, err := g.stores.Lookup(key); err == nil && ok {
		if level := f.Entry.Text("verboseLevel"); level != "" {
			return level
		}
	}
	return g.cfg().Agents.Defaults.VerboseDefault
}

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

type agentWaitResult struct {
	RunID     string `json:"runId"`
	Status    string `json:"status"`
	StartedAt int64  `json:"startedAt,omitzero"`
	EndedAt   int64  `json:"endedAt,omitzero"`
	Error     string `json:"error,omitzero"`
}

const agentWaitDefault = 30 * time.Second

var errWaited = errors.New("the run did not end in time")

// agentWait answers when a run has ended, or after a while. It waits for a run
// that is not known yet, too.
func (g *Gateway) agentWait(ctx context.Context, _ *call, p protocol.AgentWaitParams) (agentWaitResult, error) {
	wait := agentWaitDefault
	if p.TimeoutMs != nil {
		wait = time.Duration(min(int64(*p.TimeoutMs), maxTimeoutMs)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	runID := jstext.Trim(p.RunID)
	o, err := g.engine.Wait(ctx, runID)
	if err != nil {
		return agentWaitResult{RunID: runID, Status: "timeout"}, nil
	}
	r := agentWaitResult{RunID: runID, Status: "ok", StartedAt: o.StartedAt, EndedAt: o.EndedAt, Error: o.Error}
	if o.Failed() {
		r.Status = "error"
	}
	return r, nil
}

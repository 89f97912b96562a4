package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
)

type chatAbortResult struct {
	OK      bool     `json:"ok"`
	Aborted bool     `json:"aborted"`
	RunIDs  []string `json:"runIds"`
}

// chatAbort ends a session's runs, or one of them. What was said so far is
// told and saved before the answer, the end of the runs behind it.
func (g *Gateway) chatAbort(ctx context.Context, c *call, p protocol.ChatAbortParams) (chatAbortResult, error) {
	a, err := g.engine.Abort(ctx, abortRequest(c, g.keys().Canonical(p.SessionKey), p.RunID, false))
	if err != nil {
		return chatAbortResult{}, err
	}
	c.After(a.Release)
	return chatAbortResult{OK: true, Aborted: len(a.RunIDs) > 0, RunIDs: a.RunIDs}, nil
}

// abortRequest asks, in the name of a connection, to abort runs of a session.
func abortRequest(c *call, key, runID string, stopPhrase bool) runs.AbortRequest {
	return runs.AbortRequest{
		Key: key, RunID: runID, StopPhrase: stopPhrase,
		Owner: owner(c.conn), Admin: c.conn.scopes.Allows(protocol.ScopeAdmin),
	}
}

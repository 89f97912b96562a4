package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
)

type sessionsDescribeResult struct {
	// Session is the row, null when there is no such session.
	Session *protocol.Row `json:"session"`
}

// sessionsDescribe answers with the row of one session, as sessions.list has
// it. Unlike a list it also shows runs of scheduled jobs, "global" and
// "unknown".
func (g *Gateway) sessionsDescribe(_ context.Context, _ *call, p protocol.SessionsDescribeParams) (sessionsDescribeResult, error) {
	var none sessionsDescribeResult
	key, err := requireKey(p.Key)
	if err != nil {
		return none, err
	}
	all := g.stores.Combined()
	s, ok := all.Get(g.keys().Canonical(key))
	if !ok {
		return none, nil
	}
	look := g.transcripts.Look(runs.Ref(s.Store, s.Key, s.Entry))
	row := g.makeRow(s.Key, s.Entry, look, all.Children(s.Key))
	addTitles(&row, s.Entry, look, p.IncludeDerivedTitles, p.IncludeLastMessage)
	return sessionsDescribeResult{&row}, nil
}

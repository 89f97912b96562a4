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
	f, ok, err := g.stores.Lookup(key)
	if err != nil || !ok {
		return none, err
	}
	if s, listed := all.Get(f.Key); listed { // as the list has it: all spellings merged
		f.Store, f.Entry = s.Store, s.Entry
	}
	look := g.transcripts.Look(runs.Ref(f.Store, f.Key, f.Entry))
	row := g.makeRow(f.Key, f.Entry, look, all.Children(f.Key))
	addTitles(&row, f.Entry, look, p.IncludeDerivedTitles, p.IncludeLastMessage)
	return sessionsDescribeResult{&row}, nil
}

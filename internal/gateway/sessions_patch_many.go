package gateway

import (
	"context"
	"errors"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

type sessionsPatchManyResult struct {
	Outcomes []patchOutcome `json:"outcomes"`
}

// patchOutcome is what came of one target.
type patchOutcome struct {
	OK    bool            `json:"ok"`
	Key   string          `json:"key"` // as given
	Error *protocol.Error `json:"error,omitzero"`
}

// sessionsPatchMany makes the same changes in several sessions, with one commit
// for all of a store: each target is changed or refused by itself, as if
// sessions.patch had been called for one after the other.
func (g *Gateway) sessionsPatchMany(ctx context.Context, c *call, p protocol.SessionsPatchManyParams) (sessionsPatchManyResult, error) {
	if err := refuseWebchat(c.conn, "patch"); err != nil {
		return sessionsPatchManyResult{}, err
	}
	all := make([]patching, len(p.Targets))
	inStore := map[*sessions.Store][]*patching{}
	var order []*sessions.Store
	for i, t := range p.Targets {
		all[i].expected, all[i].given = t.ExpectedSessionID, t.Key
		st, err := g.writable(t.Key, &all[i].key)
		if err != nil {
			all[i].refusal = err
			continue
		}
		if inStore[st] == nil {
			order = append(order, st)
		}
		inStore[st] = append(inStore[st], &all[i])
	}
	for _, st := range order {
		g.patchStore(ctx, st, p.Patch, inStore[st])
	}
	res := sessionsPatchManyResult{Outcomes: make([]patchOutcome, len(all))}
	for i := range all {
		res.Outcomes[i] = g.patched(c, p.Targets[i].Key, &all[i])
	}
	return res, nil
}

// writable is the store of a session that a client names, and its key, if
// something may be written under that.
func (g *Gateway) writable(given string, key *string) (*sessions.Store, error) {
	given, err := requireKey(given)
	if err != nil {
		return nil, err
	}
	if err := sessions.CheckKey(given); err != nil {
		return nil, err
	}
	*key = g.keys().Canonical(given)
	return g.stores.Store(*key)
}

// patchStore changes the sessions of one store. Without the commit none of them
// is changed.
func (g *Gateway) patchStore(ctx context.Context, st *sessions.Store, changes protocol.SessionChanges, all []*patching) {
	err := st.Update(ctx, func(tx *sessions.Tx) error {
		for _, p := range all {
			g.patchIn(tx, changes, p)
		}
		return nil
	})
	if err == nil {
		return
	}
	for _, p := range all {
		p.refusal = err
	}
}

// patched is what a client hears of one session; who listens hears of it when
// the answer is out.
func (g *Gateway) patched(c *call, given string, p *patching) patchOutcome {
	if p.refusal == nil {
		c.After(func() { g.publishChanged(p.key, "patch") })
		return patchOutcome{OK: true, Key: given}
	}
	e, ok := errors.AsType[*protocol.Error](p.refusal)
	if !ok {
		g.log.Error("session cannot be patched", "conn", c.conn.id, "method", c.method, "session", p.key, "err", p.refusal)
		e = protocol.Unavailablef("%v", p.refusal)
	}
	return patchOutcome{Key: given, Error: e}
}

package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

type sessionsResetResult struct {
	OK    bool           `json:"ok"`
	Key   string         `json:"key"`
	Entry sessions.Entry `json:"entry"`
}

// sessionsReset lets a session start over: its transcripts are set aside and
// the entry keeps only what is about the chat and the person's settings. A
// session that is not there yet is made.
func (g *Gateway) sessionsReset(ctx context.Context, c *call, p protocol.SessionsResetParams) (sessionsResetResult, error) {
	var none sessionsResetResult
	given, err := requireKey(p.Key)
	if err != nil {
		return none, err
	}
	if err := sessions.CheckKey(given); err != nil {
		return none, err
	}
	key := g.keys().Canonical(given)
	st, err := g.stores.Store(key)
	if err != nil {
		return none, err
	}
	if err := g.expectNow(st, key, given, p.ExpectedSessionID, "reset"); err != nil {
		return none, err
	}
	release, err := g.endRuns(ctx, key, given)
	if err != nil {
		return none, err
	}
	defer release()
	var old, e sessions.Entry
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		old, _ = tx.Claim(key, given)
		if err := sessions.Expect(key, p.ExpectedSessionID, old, "reset"); err != nil {
			return err
		}
		e = sessions.Reset(old, g.rules(key, tx))
		tx.Put(key, e)
		return nil
	})
	if err != nil {
		return none, err
	}
	g.archive(st, key, old, "reset")
	reason := p.Reason
	if reason == "" {
		reason = "reset"
	}
	c.After(func() { g.publishChanged(key, reason) })
	return sessionsResetResult{true, key, e}, nil
}

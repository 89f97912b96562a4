package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

type sessionsRestoreResult struct {
	OK         bool           `json:"ok"`
	Key        string         `json:"key"`
	SessionID  string         `json:"sessionId"`
	Entry      sessions.Entry `json:"entry"`
	Transcript string         `json:"transcript"`
	Archived   []string       `json:"archived"` // what the session held before
	LabelTaken string         `json:"labelTaken,omitzero"`
}

// sessionsRestore makes an archive the conversation of a session again: of the
// one that it was of, or of a new one.
func (g *Gateway) sessionsRestore(ctx context.Context, c *call, p protocol.SessionsRestoreParams) (sessionsRestoreResult, error) {
	var none sessionsRestoreResult
	if err := refuseWebchat(c.conn, "restore"); err != nil {
		return none, err
	}
	given := jstext.Trim(p.Key)
	if err := sessions.CheckKey(given); err != nil {
		return none, err
	}
	a, err := g.keeper().FindArchive(p.Archive)
	if err != nil {
		return none, err
	}
	if given == "" {
		given = a.Key
	}
	if given == "" {
		return none, protocol.Invalidf("nothing is recorded of this archive: give the key that its session is to have")
	}
	key := g.keys().Canonical(given)
	release, err := g.awaitRun(ctx, key, given, compactWait)
	if err != nil {
		return none, err
	}
	defer release()
	r, err := g.keeper().Restore(ctx, a, key, jstext.Trim(p.ExpectedSessionID))
	if err != nil {
		return none, err
	}
	reason := "create"
	if r.Existed {
		reason = "reset"
	}
	c.After(func() { g.publishChanged(key, reason) })
	return sessionsRestoreResult{
		OK: true, Key: key, SessionID: r.Entry.SessionID(), Entry: r.Entry, Transcript: r.Transcript, Archived: r.Archived, LabelTaken: r.LabelTaken,
	}, nil
}

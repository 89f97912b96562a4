package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
)

// holdWait is how long reset and delete wait for a run that they aborted.
const holdWait = 15 * time.Second

type sessionsDeleteResult struct {
	OK       bool     `json:"ok"`
	Key      string   `json:"key"`
	Deleted  bool     `json:"deleted"`
	Archived []string `json:"archived"`
}

// sessionsDelete removes a session and sets its transcripts aside. A session
// that is not there is no error.
func (g *Gateway) sessionsDelete(ctx context.Context, c *call, p protocol.SessionsDeleteParams) (sessionsDeleteResult, error) {
	var none sessionsDeleteResult
	given, err := requireKey(p.Key)
	if err != nil {
		return none, err
	}
	if err := refuseWebchat(c.conn, "delete"); err != nil {
		return none, err
	}
	key := g.keys().Canonical(given)
	if key == g.keys().Main() {
		return none, protocol.Invalidf("Cannot delete the main session (%s).", key)
	}
	st, err := g.stores.Store(key)
	if err != nil {
		return none, err
	}
	if err := g.expectNow(st, key, given, p.ExpectedSessionID, "deletion"); err != nil {
		return none, err
	}
	release, err := g.endRuns(ctx, key, given)
	if err != nil {
		return none, err
	}
	defer release()
	old, deleted, err := deleteEntry(ctx, st, key, given, p.ExpectedSessionID)
	if err != nil {
		return none, err
	}
	res := sessionsDeleteResult{OK: true, Key: key, Deleted: deleted, Archived: []string{}}
	if !deleted {
		return res, nil
	}
	if p.DeleteTranscript == nil || *p.DeleteTranscript {
		res.Archived = g.archive(st, key, old, "deleted")
	}
	c.After(func() { g.publishChanged(key, "delete") })
	return res, nil
}

// deleteEntry takes a session with all its spellings out of its store, if it is
// there; what is no entry stays in the file.
func deleteEntry(ctx context.Context, st *sessions.Store, key, given, expected string) (old sessions.Entry, deleted bool, err error) {
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		old, deleted = tx.Claim(key, given)
		if err := sessions.Expect(key, expected, old, "deletion"); err != nil {
			return err
		}
		if deleted {
			tx.Delete(key)
		}
		return nil
	})
	return old, deleted, err
}

// expectNow is sessions.Expect for a session that is in its store at present: a run of
// another conversation than the caller saw must not be aborted.
func (g *Gateway) expectNow(st *sessions.Store, key, given, id, change string) error {
	if id == "" {
		return nil
	}
	return st.View(func(v *sessions.Snapshot) error {
		_, e, _ := v.Find(key, given)
		return sessions.Expect(key, id, e, change)
	})
}

// endRuns aborts what the session is doing and keeps new runs away until
// release is called.
func (g *Gateway) endRuns(ctx context.Context, key, given string) (release func(), err error) {
	release, err = g.engine.Hold(ctx, key, runs.HoldOptions{Abort: true, Wait: holdWait})
	if errors.Is(err, runs.ErrStillActive) {
		return nil, protocol.Unavailablef("Session %s is still active; try again in a moment.", given)
	}
	return release, err
}

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	compactLines = 400
	compactWait  = 10 * time.Second // for the end of a run
)

type sessionsCompactResult struct {
	OK        bool   `json:"ok"`
	Key       string `json:"key"`
	Compacted bool   `json:"compacted"`
	Reason    string `json:"reason,omitzero"`
	Archived  string `json:"archived,omitzero"`
	Kept      *int   `json:"kept,omitzero"` // absent when there was nothing to count
}

// sessionsCompact shortens a session's transcript to its last lines.
func (g *Gateway) sessionsCompact(ctx context.Context, c *call, p protocol.SessionsCompactParams) (sessionsCompactResult, error) {
	if jstext.Blank(p.Key) {
		return sessionsCompactResult{}, protocol.Invalidf("key required")
	}
	lines := compactLines
	if p.MaxLines > 0 {
		lines = int(min(p.MaxLines, 1<<30))
	}
	r, err := g.compact(ctx, p.Key, lines)
	if err == nil && r.Compacted {
		c.After(func() {
			g.publishChanged(r.Key, "compact", rawjson.Member{Name: "compacted", Value: rawjson.Value("true")})
		})
	}
	return r, err
}

// compact shortens the transcript of the session that a client's key means. A
// run that goes on is awaited first: it must not lose the file it writes to.
func (g *Gateway) compact(ctx context.Context, given string, lines int) (sessionsCompactResult, error) {
	return g.compactWithin(ctx, given, lines, compactWait)
}

func (g *Gateway) compactWithin(ctx context.Context, given string, lines int, wait time.Duration) (sessionsCompactResult, error) {
	r := sessionsCompactResult{OK: true, Reason: "no sessionId"}
	found, ok, err := g.stores.Lookup(given)
	if r.Key = found.Key; err != nil || !ok {
		return r, err
	}
	release, err := g.awaitRun(ctx, r.Key, given, wait)
	if err != nil {
		return r, err
	}
	defer release()
	entry, err := claim(ctx, found.Store, r.Key, given)
	if err != nil || entry.SessionID() == "" {
		return r, err
	}
	done, err := g.transcripts.Compact(runs.Ref(found.Store, found.Key, entry), lines)
	if errors.Is(err, transcript.ErrLocked) { // by a run of another program
		return r, protocol.Unavailablef("Session %s is still active; try again in a moment.", given)
	}
	if err != nil {
		return r, err
	}
	r.Compacted, r.Reason, r.Archived = done.Compacted, done.Reason, done.Archived
	if r.Reason == "" {
		r.Kept = &done.Kept
	}
	if !done.Compacted {
		return r, nil
	}
	return r, forgetTokens(ctx, found.Store, r.Key, entry.SessionID())
}

// awaitRun waits for the end of the session's run, but not longer than wait, and
// keeps new runs away until release is called.
func (g *Gateway) awaitRun(ctx context.Context, key, given string, wait time.Duration) (release func(), err error) {
	release, err = g.engine.Hold(ctx, key, runs.HoldOptions{Wait: wait})
	if errors.Is(err, runs.ErrStillActive) {
		return nil, protocol.Unavailablef("Session %s is still active; try again in a moment.", given)
	}
	return release, err
}

// claim brings a session under its canonical key and gives its entry; the
// zero entry when there is none.
func claim(ctx context.Context, st *sessions.Store, key, given string) (entry sessions.Entry, err error) {
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		entry, _ = tx.Claim(key, given)
		return nil
	})
	return entry, err
}

// forgetTokens removes from an entry what a compaction made untrue, unless the
// session has begun another transcript meanwhile.
func forgetTokens(ctx context.Context, st *sessions.Store, key, sessionID string) error {
	return st.Update(ctx, func(tx *sessions.Tx) error {
		e, ok := tx.Claim(key)
		if !ok || e.SessionID() != sessionID {
			return nil
		}
		tx.Put(key, e.With(func(o *rawjson.Object) {
			o.Delete("inputTokens", "outputTokens", "totalTokens", "totalTokensFresh")
			o.Put("updatedAt", time.Now().UnixMilli())
		}))
		return nil
	})
}

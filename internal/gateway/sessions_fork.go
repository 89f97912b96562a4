package gateway

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

type sessionsForkResult struct {
	OK         bool           `json:"ok"`
	Key        string         `json:"key"`
	SessionKey string         `json:"sessionKey"` // the same
	SessionID  string         `json:"sessionId"`
	Entry      sessions.Entry `json:"entry"`
}

// sessionsFork makes a session that begins with the conversation of another, up
// to a message or as a whole.
//
// The transcript comes first: a crash then leaves one that no session has,
// never a session with half of one.
func (g *Gateway) sessionsFork(ctx context.Context, c *call, p protocol.SessionsForkParams) (sessionsForkResult, error) {
	var none sessionsForkResult
	source, err := g.forkSource(p.SessionKey)
	if err != nil {
		return none, err
	}
	key := "agent:" + g.keys().Agent(source.Key) + ":dashboard:" + uuid.NewString()
	st, err := g.stores.Store(key)
	if err != nil {
		return none, err
	}
	e, err := sessions.Fork(source.Entry, source.Key, p.Label, sessions.Rules{
		Config: g.cfg(), Keys: g.keys(), Key: key, Now: time.Now(), LabelTaken: labelTaken(st, key),
	})
	if err != nil {
		return none, err
	}
	to := runs.Ref(st, key, e)
	if err := g.forkTranscript(source, p.EntryID, to); err != nil {
		return none, err
	}
	if e, err = g.putFork(ctx, st, key, p.Label, e); err != nil {
		if undo := g.transcripts.Discard(to); undo != nil {
			g.log.Warn("transcript of a session that was not made stays", "session", key, "err", undo)
		}
		return none, err
	}
	c.After(func() { g.publishChanged(key, "create") })
	return sessionsForkResult{OK: true, Key: key, SessionKey: key, SessionID: e.SessionID(), Entry: e}, nil
}

// forkSource is the session that a client's key means; it must have been spoken
// in, or could be.
func (g *Gateway) forkSource(given string) (sessions.Found, error) {
	given, err := requireKey(given)
	if err != nil {
		return sessions.Found{}, err
	}
	f, ok, err := g.stores.Lookup(given)
	if err == nil && (!ok || f.Entry.SessionID() == "") {
		err = protocol.Invalidf("unknown session: %s", given)
	}
	return f, err
}

// labelTaken reports of a label whether another session of a store has it now.
func labelTaken(st *sessions.Store, key string) func(label string) bool {
	return func(label string) (taken bool) {
		_ = st.View(func(v *sessions.Snapshot) error { // fn cannot fail
			taken = v.LabelTaken(label, key)
			return nil
		})
		return taken
	}
}

// forkTranscript copies what the new session begins with.
func (g *Gateway) forkTranscript(source sessions.Found, entryID string, to transcript.Ref) error {
	err := g.transcripts.Fork(runs.Ref(source.Store, source.Key, source.Entry), entryID, to)
	if errors.Is(err, transcript.ErrNotFound) && entryID == "" {
		var cwd string
		if cwd, err = os.Getwd(); err == nil {
			err = g.transcripts.Ensure(to, cwd)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transcript.ErrNotFound), errors.Is(err, transcript.ErrNoLine):
		return protocol.Invalidf("message not found in session %s: %s", source.Key, entryID)
	}
	return protocol.Unavailablef("failed to fork session transcript: %v", err)
}

// putFork stores the entry of the new session. Its label may have been taken
// while the transcript was copied.
func (g *Gateway) putFork(ctx context.Context, st *sessions.Store, key, label string, made sessions.Entry) (e sessions.Entry, err error) {
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		p := protocol.SessionChanges{}
		if label != "" {
			p.Label = protocol.Some(label)
		}
		var err error
		if e, err = sessions.Patch(made, p, g.rules(key, tx)); err != nil {
			return err
		}
		tx.Put(key, e)
		return nil
	})
	return e, err
}

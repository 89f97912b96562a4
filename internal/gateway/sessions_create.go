package gateway

import (
	"context"
	"errors"
	"os"

	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// sessionsCreate makes a session with its transcript, or changes the one that
// is there, and sends a first message if one is given. The answer holds, behind
// what is its own, the members of the answer to chat.send.
func (g *Gateway) sessionsCreate(ctx context.Context, c *call, p protocol.SessionsCreateParams) (rawjson.Object, error) {
	var res rawjson.Object
	key, err := g.keys().CreateKey(p.Key, p.AgentID)
	if err != nil {
		return res, err
	}
	parent, err := g.parentKey(p.ParentSessionKey)
	if err != nil {
		return res, err
	}
	st, e, err := g.createEntry(ctx, key, parent, p)
	if err != nil {
		return res, err
	}
	res.Put("ok", true)
	res.Put("key", key)
	res.Put("sessionId", e.SessionID())
	res.Set("entry", e.Raw())
	started := false
	c.After(func() {
		g.publishChanged(key, "create")
		if started {
			g.publishChanged(key, "send")
		}
	})
	message := p.Task
	if jstext.Blank(message) {
		message = p.Message
	}
	if jstext.Blank(message) {
		res.Put("runStarted", false)
		return res, nil
	}
	started = g.sendFirst(ctx, c, &res, message, key, runs.Ref(st, key, e))
	return res, nil
}

// parentKey is the canonical key of the parent that create is given; it must
// be a session that has been spoken in or could be.
func (g *Gateway) parentKey(given string) (string, error) {
	given = jstext.Trim(given)
	if given == "" {
		return "", nil
	}
	f, ok, err := g.stores.Lookup(given)
	if err != nil {
		return "", err
	}
	if !ok || f.Entry.SessionID() == "" {
		return "", protocol.Invalidf("unknown parent session: %s", given)
	}
	return f.Key, nil
}

// createEntry stores the session and makes its transcript. When that fails the
// store gets back what it had.
func (g *Gateway) createEntry(ctx context.Context, key, parent string, p protocol.SessionsCreateParams) (*sessions.Store, sessions.Entry, error) {
	st, err := g.stores.Store(key)
	if err != nil {
		return nil, sessions.Entry{}, err
	}
	var old, e sessions.Entry
	var existed bool
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		// A label that another spelling of the session has is taken, as in the
		// reference: its spellings become one only afterwards.
		var err error
		_, old, existed = tx.Find(key, p.Key)
		if e, err = sessions.Create(old, existed, p.Label, p.Model, parent, g.rules(key, tx)); err != nil {
			return err
		}
		tx.Claim(key, p.Key)
		tx.Put(key, e)
		return nil
	})
	if err != nil {
		return nil, sessions.Entry{}, err
	}
	cwd, err := os.Getwd()
	if err == nil {
		err = g.transcripts.Ensure(runs.Ref(st, key, e), cwd)
	}
	if err == nil {
		g.keeper().DropStray(st, key, e) // another call may have reset or deleted it meanwhile
		return st, e, nil
	}
	fault := protocol.Unavailablef("failed to create session transcript: %v", err)
	if err := g.undoCreate(ctx, st, key, e, old, existed); err != nil {
		g.log.Error("session without transcript stays in the store", "session", key, "err", err)
	}
	return nil, sessions.Entry{}, fault
}

// undoCreate puts back the entry that create replaced, or none, unless somebody
// changed the session meanwhile.
func (g *Gateway) undoCreate(ctx context.Context, st *sessions.Store, key string, made, old sessions.Entry, existed bool) error {
	return st.Update(ctx, func(tx *sessions.Tx) error {
		now, ok := tx.Get(key)
		switch {
		case !ok || now.SessionID() != made.SessionID() || now.UpdatedAt() != made.UpdatedAt():
		case existed:
			tx.Put(key, old)
		default:
			tx.Delete(key)
		}
		return nil
	})
}

// sendFirst sends the first message of a created session and adds what came of
// it to the answer. It reports whether a run began.
func (g *Gateway) sendFirst(ctx context.Context, c *call, res *rawjson.Object, message, key string, ref transcript.Ref) bool {
	before, err := g.transcripts.Count(ref)
	if err != nil {
		g.log.Warn("messages cannot be counted", "session", key, "err", err)
	}
	sent, err := g.send(ctx, c, sendRequest{Key: key, Message: message, RunID: uuid.NewString()})
	if err != nil {
		res.Put("runStarted", false)
		res.Put("runError", runError(err))
		return false
	}
	res.Put("runStarted", sent.started())
	// The answer of chat.send is made of texts and lists; it encodes.
	if fields, err := rawjson.Parse(rawjson.MustMarshal(sent)); err == nil {
		for name, v := range fields.All() {
			res.Set(name, v)
		}
	}
	if sent.started() {
		res.Put("messageSeq", before+1)
	}
	return sent.started()
}

// runError is an error as the answer of create carries it.
func runError(err error) *protocol.Error {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e
	}
	return protocol.Unavailablef("%v", err)
}

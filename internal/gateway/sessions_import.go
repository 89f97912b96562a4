package gateway

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
)

type sessionsImportPartResult struct {
	Size int64 `json:"size"` // what is there by now
}

// sessionsImportPart takes a part of the transcript of a session that is to be
// imported. Whoever does not go on leaves a temporary file, which the next start
// removes.
func (g *Gateway) sessionsImportPart(_ context.Context, c *call, p protocol.SessionsImportPartParams) (sessionsImportPartResult, error) {
	var none sessionsImportPartResult
	st, _, err := g.importTarget(c, p.Key)
	if err != nil {
		return none, err
	}
	data, err := base64.StdEncoding.DecodeString(p.Data)
	if err != nil {
		return none, protocol.Invalidf("data is not base64")
	}
	size, err := g.transcripts.Receive(st.Dir(), p.Upload, int64(p.Offset), data)
	switch {
	case errors.Is(err, transcript.ErrPart):
		return none, protocol.Invalidf("%v", err)
	case err != nil:
		return none, protocol.Unavailablef("failed to keep a part of the transcript: %v", err)
	}
	return sessionsImportPartResult{size}, nil
}

type sessionsImportResult struct {
	OK         bool           `json:"ok"`
	Key        string         `json:"key"`
	SessionID  string         `json:"sessionId"`
	Entry      sessions.Entry `json:"entry"`
	Transcript string         `json:"transcript,omitzero"`
	Archived   []string       `json:"archived"` // what was in the way
	LabelTaken string         `json:"labelTaken,omitzero"`
}

// sessionsImport takes in a session that was exported elsewhere.
func (g *Gateway) sessionsImport(ctx context.Context, c *call, p protocol.SessionsImportParams) (sessionsImportResult, error) {
	var none sessionsImportResult
	st, key, err := g.importTarget(c, p.Key)
	if err != nil {
		return none, err
	}
	e, err := sessions.ParseEntry(p.Entry)
	if err != nil {
		return none, err
	}
	release, err := g.awaitRun(ctx, key, jstext.Trim(p.Key), compactWait)
	if err != nil {
		return none, err
	}
	defer release()
	r, err := g.keeper().Import(ctx, upkeep.Import{Key: key, Entry: e, Upload: p.Upload, Size: int64(p.Size), Force: p.Force})
	if err != nil {
		if p.Upload != "" {
			err = errors.Join(err, g.transcripts.Abandon(st.Dir(), p.Upload))
		}
		return none, err
	}
	reason := "create"
	if r.Existed {
		reason = "reset"
	}
	c.After(func() { g.publishChanged(key, reason) })
	return sessionsImportResult{
		OK: true, Key: key, SessionID: r.Entry.SessionID(), Entry: r.Entry, Transcript: r.Transcript, Archived: r.Archived, LabelTaken: r.LabelTaken,
	}, nil
}

// importTarget is the store and the canonical key of a session to take in.
func (g *Gateway) importTarget(c *call, given string) (*sessions.Store, string, error) {
	if err := refuseWebchat(c.conn, "import"); err != nil {
		return nil, "", err
	}
	given, err := requireKey(given)
	if err != nil {
		return nil, "", err
	}
	if err := sessions.CheckKey(given); err != nil {
		return nil, "", err
	}
	key := g.keys().Canonical(given)
	st, err := g.stores.Store(key)
	return st, key, err
}

package gateway

import (
	"context"
	"errors"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	// transferPart is how many bytes of a transcript one answer of
	// sessions.export holds if nothing is said, transferMost at most. In base64
	// that is a third more, and must be far less than a frame may be.
	transferPart = 4 << 20
	transferMost = 8 << 20
)

type sessionsExportResult struct {
	Key        string          `json:"key"`
	AgentID    string          `json:"agentId"`
	Entry      sessions.Entry  `json:"entry"`
	Transcript *transcriptPart `json:"transcript"` // null when there is none
}

// transcriptPart is a part of a transcript, byte by byte.
type transcriptPart struct {
	Size       int64  `json:"size"` // of the whole
	Stamp      string `json:"stamp"`
	Offset     int64  `json:"offset"`
	Data       []byte `json:"data"`       // in base64
	NextOffset *int64 `json:"nextOffset"` // null when this is the last part
}

// sessionsExport gives a session as it is stored: its entry, and its transcript
// part by part.
func (g *Gateway) sessionsExport(_ context.Context, _ *call, p protocol.SessionsExportParams) (sessionsExportResult, error) {
	var none sessionsExportResult
	key, err := requireKey(p.Key)
	if err != nil {
		return none, err
	}
	f, ok, err := g.stores.Lookup(key)
	if err != nil {
		return none, err
	}
	if !ok {
		return none, protocol.Invalidf("unknown session: %s", key)
	}
	out := sessionsExportResult{Key: f.Key, AgentID: g.keys().Agent(f.Key), Entry: f.Entry}
	n := int64(transferPart)
	if p.Limit > 0 {
		n = int64(min(p.Limit, transferMost))
	}
	s, err := g.transcripts.Section(runs.Ref(f.Store, f.Key, f.Entry), int64(p.Offset), n, p.Stamp)
	switch {
	case errors.Is(err, transcript.ErrNotFound) && p.Stamp == "":
		return out, nil
	case errors.Is(err, transcript.ErrNotFound), errors.Is(err, transcript.ErrRewritten):
		return none, protocol.Unavailablef("The transcript of session %s was rewritten meanwhile; begin again.", f.Key)
	case err != nil:
		return none, protocol.Unavailablef("failed to read the transcript of session %s: %v", f.Key, err)
	}
	out.Transcript = &transcriptPart{Size: s.Size, Stamp: s.Stamp, Offset: int64(p.Offset), Data: s.Data}
	if next := int64(p.Offset) + int64(len(s.Data)); next < s.Size && len(s.Data) > 0 {
		out.Transcript.NextOffset = &next
	}
	return out, nil
}

package gateway

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Limits of sessions.preview: keys served, messages and UTF-16 units per key.
const (
	previewKeys         = 64
	previewLimit        = 12
	previewLimitMost    = 50
	previewMaxChars     = 240
	previewMaxCharsMost = 2000
)

type sessionsPreviewResult struct {
	TS       int64     `json:"ts"`
	Previews []preview `json:"previews"`
}

// AppendJSON appends {ts, previews}.
func (r sessionsPreviewResult) AppendJSON(dst []byte) []byte {
	n := 64
	for _, p := range r.Previews {
		n += len(p.Key) + len(p.shown) + 16
	}
	dst = slices.Grow(dst, n)
	dst = strconv.AppendInt(append(dst, `{"ts":`...), r.TS, 10)
	dst = append(dst, `,"previews":[`...)
	for i, p := range r.Previews {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(append(dst, `{"key":`...), p.Key)
		dst = append(append(dst, ','), p.shown[1:]...)
	}
	return append(dst, "]}"...)
}

type preview struct {
	Key   string
	shown rawjson.Value // as previewShown
}

// missingPreview is what a preview shows of a session that is not there.
var missingPreview = rawjson.MustMarshal(previewShown{Status: "missing"})

// previewShown is what a preview shows.
type previewShown struct {
	Status string                   `json:"status"`
	Items  []transcript.PreviewLine `json:"items"`
}

// sessionsPreview gives the last messages of several sessions in short form,
// one preview per key that is not blank, in the order given.
func (g *Gateway) sessionsPreview(_ context.Context, _ *call, p protocol.SessionsPreviewParams) (sessionsPreviewResult, error) {
	limit, maxChars := previewLimit, previewMaxChars
	if p.Limit > 0 {
		limit = int(min(p.Limit, previewLimitMost))
	}
	if p.MaxChars > 0 {
		maxChars = int(min(p.MaxChars, previewMaxCharsMost))
	}
	out := sessionsPreviewResult{Previews: make([]preview, 0, min(len(p.Keys), previewKeys))}
	at, dirs := g.stores.Glance(), new(transcript.Dirs)
	for _, key := range p.Keys {
		if key = jstext.Trim(key); key == "" {
			continue
		}
		if len(out.Previews) == previewKeys {
			break
		}
		out.Previews = append(out.Previews, g.preview(key, limit, maxChars, at, dirs))
	}
	out.TS = time.Now().UnixMilli()
	return out, nil
}

// preview is the preview of one session. A session that cannot be read does
// not spoil the others.
func (g *Gateway) preview(key string, limit, maxChars int, at *sessions.Glance, dirs *transcript.Dirs) preview {
	p := preview{key, missingPreview}
	found, ok, err := at.Lookup(key)
	if err == nil && ok && found.Entry.SessionID() != "" {
		ref := runs.Ref(found.Store, found.Key, found.Entry)
		ref.Dirs = dirs
		p.shown, err = g.transcripts.Answer(ref, transcript.Question{Kind: "preview", Last: limit, Chars: maxChars}, func() (rawjson.Value, error) {
			var s previewShown
			var err error
			s.Status, s.Items, err = g.transcripts.Preview(ref, limit, maxChars)
			return rawjson.MustMarshal(s), err
		})
	}
	if err != nil {
		g.log.Warn("no preview of a session", "session", key, "err", err)
		p.shown = rawjson.MustMarshal(previewShown{Status: transcript.PreviewError})
	}
	return p
}

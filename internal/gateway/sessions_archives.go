package gateway

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
)

// archivesLimit is how many archives are listed if nothing is said.
const archivesLimit = 50

type sessionsArchivesResult struct {
	TS         int64        `json:"ts"`
	Count      int          `json:"count"`
	Archives   []archiveRow `json:"archives"`
	TotalCount int          `json:"totalCount"`
	HasMore    bool         `json:"hasMore"`
	NextOffset *int         `json:"nextOffset"` // null when there is no more
}

// archiveRow is one archive. What is not recorded of its session is left out.
type archiveRow struct {
	Archive     string `json:"archive"`
	AgentID     string `json:"agentId"`
	Key         string `json:"key,omitzero"`
	SessionID   string `json:"sessionId,omitzero"`
	Reason      string `json:"reason"`
	ArchivedAt  int64  `json:"archivedAt"`
	Size        int64  `json:"size"`
	Label       string `json:"label,omitzero"`
	DisplayName string `json:"displayName,omitzero"`
	Title       string `json:"title,omitzero"`
}

// sessionsArchives lists the transcripts that resets and deletions have set
// aside, the newest first. Only of those that are returned more is looked at
// than their names.
func (g *Gateway) sessionsArchives(_ context.Context, _ *call, p protocol.SessionsArchivesParams) (sessionsArchivesResult, error) {
	list, err := g.keeper().Archives()
	if err != nil {
		return sessionsArchivesResult{}, err
	}
	if key := jstext.Trim(p.Key); key != "" {
		key = g.keys().Canonical(key)
		list = slices.DeleteFunc(list, func(a upkeep.Archive) bool { return a.Key != key })
	}
	if !jstext.Blank(p.AgentID) {
		agent := sessions.NormalizeAgentID(p.AgentID)
		list = slices.DeleteFunc(list, func(a upkeep.Archive) bool { return a.Agent != agent })
	}
	limit := archivesLimit
	if p.Limit > 0 {
		limit = int(min(p.Limit, protocol.Int(len(list))))
	}
	from := int(min(p.Offset, protocol.Int(len(list))))
	to := min(from+limit, len(list))
	res := sessionsArchivesResult{TS: time.Now().UnixMilli(), TotalCount: len(list), Archives: make([]archiveRow, 0, to-from)}
	for _, a := range list[from:to] {
		res.Archives = append(res.Archives, g.archiveRow(a))
	}
	res.Count = len(res.Archives)
	if res.HasMore = to < len(list); res.HasMore {
		res.NextOffset = &to
	}
	return res, nil
}

// archiveRow is what is told of an archive. One that cannot be read does not
// spoil the others.
func (g *Gateway) archiveRow(a upkeep.Archive) archiveRow {
	row := archiveRow{
		Archive: a.Path, AgentID: a.Agent, Key: a.Key, SessionID: a.SessionID, Reason: a.Reason, ArchivedAt: a.At.UnixMilli(), Size: a.Size,
	}
	e, recorded, err := g.keeper().Recorded(a)
	if err != nil {
		g.log.Warn("what an archive was of cannot be read", "archive", a.Path, "err", err)
	}
	if !recorded {
		e = e.With(func(o *rawjson.Object) {
			o.Put("sessionId", a.SessionID)
			o.Put("updatedAt", row.ArchivedAt)
		})
	}
	if id := e.SessionID(); id != "" {
		row.SessionID = id
	}
	row.Label, row.DisplayName = e.Text("label"), e.Text("displayName")
	first, err := g.transcripts.FirstUser(a.Archived)
	if err != nil && !errors.Is(err, transcript.ErrNotFound) { // then it was restored or removed meanwhile
		g.log.Warn("title of an archive is unknown", "archive", a.Path, "err", err)
	}
	row.Title = derivedTitle(e, first)
	return row
}

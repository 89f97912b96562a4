package gateway

import (
	"context"
	"strconv"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// sessionsListResult is the answer: head, sessions and, if asked for, page. The
// rows are JSON already, for there may be many and each is large.
type sessionsListResult struct {
	head     listHead
	sessions []byte // inside of the array
	page     *listPage
}

// usualRow is about the size of a row, for the first size of a buffer.
const usualRow = 384

type listHead struct {
	TS       int64
	Path     string
	Count    int
	Defaults listDefaults
}

func (a *listAnswer) add(row []byte) {
	if a.count++; a.count > 1 {
		a.sessions = append(a.sessions, ',')
	}
	a.sessions = append(a.sessions, row...)
}

// appendOpen appends the head without its closing brace.
func (h listHead) appendOpen(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"ts":`...), h.TS, 10)
	dst = rawjson.AppendString(append(dst, `,"path":`...), h.Path)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(h.Count), 10)
	dst = rawjson.AppendString(append(dst, `,"defaults":{"modelProvider":`...), h.Defaults.ModelProvider)
	dst = rawjson.AppendString(append(dst, `,"model":`...), h.Defaults.Model)
	return append(strconv.AppendInt(append(dst, `,"contextTokens":`...), h.Defaults.ContextTokens, 10), '}')
}

// AppendJSON appends {ts, path, count, defaults, sessions} and the members of the
// page.
func (r *sessionsListResult) AppendJSON(dst []byte) []byte {
	dst = r.head.appendOpen(dst)
	dst = append(append(dst, `,"sessions":[`...), r.sessions...)
	if r.page == nil {
		return append(dst, "]}"...)
	}
	page := rawjson.MustMarshal(r.page)
	return append(append(dst, "],"...), page[1:]...)
}

// listPage is where the rows stand among all that pass the filters. An answer has
// it when the request named an offset.
type listPage struct {
	TotalCount int  `json:"totalCount"`
	HasMore    bool `json:"hasMore"`
	NextOffset *int `json:"nextOffset"` // null behind the last row
}

type listDefaults struct {
	ModelProvider string
	Model         string
	ContextTokens int64
}

// sessionsList answers with the rows of the sessions that pass all filters,
// newest first. Only the rows that are returned are built.
func (g *Gateway) sessionsList(_ context.Context, _ *call, p protocol.SessionsListParams) (*sessionsListResult, error) {
	now, cfg, all := time.Now(), g.cfg(), g.stores.Combined()
	model := cfg.DefaultsModel()
	q, lasting := listQuestionOf(p)
	a, ok := listAnswer{}, false
	if lasting {
		a, ok = g.lists.get(q, all, cfg)
	}
	if !ok || !g.transcripts.Unchanged(a.files) {
		if a, ok = g.makeList(p, all, now); ok && lasting {
			g.lists.put(q, all, cfg, a)
		}
	}
	return &sessionsListResult{listHead{
		TS: now.UnixMilli(), Path: g.stores.Path(), Count: a.count, Defaults: listDefaults{model.Provider, model.Model, g.contextTokens(model)},
	}, a.sessions, a.page}, nil
}

// makeList makes a list of a view; ok is false when not all transcripts could be
// looked at.
func (g *Gateway) makeList(p protocol.SessionsListParams, all *sessions.Combined, now time.Time) (a listAnswer, ok bool) {
	if p.Limit > 0 {
		a.sessions = make([]byte, 0, usualRow*int(min(p.Limit, 200)))
	}
	filter, offset := listFilter(p, now), 0
	if p.Offset != nil {
		offset = int(*p.Offset)
	}
	var dirs transcript.Dirs
	ok = true
	for s := range all.List(filter, offset) {
		ref := runs.Ref(s.Store, s.Key, s.Entry)
		ref.Dirs = &dirs
		look := g.transcripts.Look(ref)
		q := rowQuestion{s.Key, p.IncludeDerivedTitles, p.IncludeLastMessage}
		a.add(g.listedRow(q, s.Entry, look, all.Children(s.Key)))
		seen, was := look.Sighting()
		if ok = ok && was; seen.Looked() {
			a.files = append(a.files, seen)
		}
		if p.Limit > 0 && a.count >= int(p.Limit) {
			break
		}
	}
	if p.Offset != nil {
		a.page = newListPage(offset, a.count, all.Count(filter))
	}
	return a, ok
}

// listedRow is the row of a session in JSON, which must not be changed.
func (g *Gateway) listedRow(q rowQuestion, e sessions.Entry, look *transcript.Look, children []string) []byte {
	cfg := g.cfg()
	if known := g.rows.get(q, e, cfg, children, look); known != nil {
		return known
	}
	row := g.makeRow(q.key, e, look, children)
	addTitles(&row, e, look, q.title, q.words)
	made := row.AppendJSON(make([]byte, 0, usualRow))
	if seen, ok := look.Seen(); ok {
		g.rows.put(q, listedRow{e, cfg, children, seen, made})
	}
	return made
}

// newListPage is the page of count rows behind offset others, of total.
func newListPage(offset, count, total int) *listPage {
	p := &listPage{TotalCount: total}
	if next := offset + count; next < total {
		p.HasMore, p.NextOffset = true, &next
	}
	return p
}

// listFilter is the filter of a list.
func listFilter(p protocol.SessionsListParams, now time.Time) sessions.Filter {
	f := sessions.Filter{
		Global: p.IncludeGlobal, Unknown: p.IncludeUnknown,
		SpawnedBy: p.SpawnedBy, Label: jstext.Trim(p.Label), Search: jstext.Lower(jstext.Trim(p.Search)),
	}
	if p.AgentID != "" {
		f.Agent = sessions.NormalizeAgentID(p.AgentID)
	}
	if p.ActiveMinutes > 0 {
		f.Since = float64(now.UnixMilli()) - float64(p.ActiveMinutes)*60000
	}
	return f
}

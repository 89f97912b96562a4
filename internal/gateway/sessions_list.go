package gateway

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

type sessionsListResult struct {
	TS       int64          `json:"ts"`
	Path     string         `json:"path"`
	Count    int            `json:"count"`
	Defaults listDefaults   `json:"defaults"`
	Sessions []protocol.Row `json:"sessions"`

	*listPage
}

// listPage is where the rows stand among all that pass the filters. An answer has
// it when the request named an offset.
type listPage struct {
	TotalCount int  `json:"totalCount"`
	HasMore    bool `json:"hasMore"`
	NextOffset *int `json:"nextOffset"` // null behind the last row
}

type listDefaults struct {
	ModelProvider string `json:"modelProvider"`
	Model         string `json:"model"`
	ContextTokens int64  `json:"contextTokens"`
}

// sessionsList answers with the rows of the sessions that pass all filters,
// newest first. Only the rows that are returned are built.
func (g *Gateway) sessionsList(_ context.Context, _ *call, p protocol.SessionsListParams) (sessionsListResult, error) {
	now := time.Now()
	model := g.cfg.DefaultsModel()
	res := sessionsListResult{
		TS: now.UnixMilli(), Path: g.stores.Path(), Sessions: []protocol.Row{},
		Defaults: listDefaults{model.Provider, model.Model, g.contextTokens(model)},
	}
	all := g.stores.Combined()
	filter := newListFilter(p, now)
	offset := 0
	if p.Offset != nil {
		offset = int(*p.Offset)
	}
	var dirs transcript.Dirs
	n := 0
	for s := range filter.list(all) {
		if n++; n <= offset {
			continue
		}
		ref := runs.Ref(s.Store, s.Key, s.Entry)
		ref.Dirs = &dirs
		look := g.transcripts.Look(ref)
		row := g.makeRow(s.Key, s.Entry, look, all.Children(s.Key))
		addTitles(&row, s.Entry, look, p.IncludeDerivedTitles, p.IncludeLastMessage)
		if res.Sessions = append(res.Sessions, row); p.Limit > 0 && len(res.Sessions) >= int(p.Limit) {
			break
		}
	}
	res.Count = len(res.Sessions)
	if p.Offset != nil {
		res.listPage = newListPage(offset, res.Count, filter.count(all))
	}
	return res, nil
}

// newListPage is the page of count rows behind offset others, of total.
func newListPage(offset, count, total int) *listPage {
	p := &listPage{TotalCount: total}
	if next := offset + count; next < total {
		p.HasMore, p.NextOffset = true, &next
	}
	return p
}

// listFilter decides which sessions a list shows (spec: sessions 6).
type listFilter struct {
	global, unknown         bool
	agent, spawnedBy, label string
	search                  string
	since                   float64 // ms; 0: any age
}

func newListFilter(p protocol.SessionsListParams, now time.Time) listFilter {
	f := listFilter{
		global: p.IncludeGlobal, unknown: p.IncludeUnknown,
		spawnedBy: p.SpawnedBy, label: jstext.Trim(p.Label), search: jstext.Lower(jstext.Trim(p.Search)),
	}
	if p.AgentID != "" {
		f.agent = sessions.NormalizeAgentID(p.AgentID)
	}
	if p.ActiveMinutes > 0 {
		f.since = float64(now.UnixMilli()) - float64(p.ActiveMinutes)*60000
	}
	return f
}

// list yields the sessions of the view that pass, newest first.
func (f listFilter) list(all *sessions.Combined) iter.Seq[*sessions.Session] {
	some := all.Recent()
	switch {
	case f.label != "":
		some = slices.Values(all.WithLabel(f.label))
	case f.spawnedBy != "":
		some = slices.Values(all.SpawnedBy(f.spawnedBy))
	}
	return func(yield func(*sessions.Session) bool) {
		for s := range some {
			if f.tooOld(s) || f.passes(s) && !yield(s) {
				return
			}
		}
	}
}

// count is the number of sessions that list yields.
func (f listFilter) count(all *sessions.Combined) int {
	n := 0
	for range f.list(all) {
		n++
	}
	return n
}

// tooOld reports whether s, and so all that come behind it, are too old.
func (f listFilter) tooOld(s *sessions.Session) bool { return f.since != 0 && s.UpdatedAt < f.since }

func (f listFilter) passes(s *sessions.Session) bool {
	special := s.Key == "global" || s.Key == "unknown"
	switch {
	case sessions.CronRun(s.Key),
		s.Key == "global" && !f.global,
		s.Key == "unknown" && !f.unknown,
		special && (f.agent != "" || f.spawnedBy != ""),
		f.spawnedBy != "" && s.Entry.Text("spawnedBy") != f.spawnedBy,
		f.label != "" && s.Entry.Text("label") != f.label:
		return false
	}
	if f.agent != "" {
		agent, _, ok := sessions.ParseKey(s.Key)
		if !ok || sessions.NormalizeAgentID(agent) != f.agent {
			return false
		}
	}
	return f.search == "" || f.finds(s)
}

// finds reports whether the search text is in one of the names of s.
func (f listFilter) finds(s *sessions.Session) bool {
	name, _ := rawjson.Text(displayName(s.Key, channelOf(s.Key, s.Entry), s.Entry))
	for _, text := range []string{name, s.Entry.Text("label"), s.Entry.Text("subject"), s.Entry.SessionID(), s.Key} {
		if strings.Contains(jstext.Lower(text), f.search) {
			return true
		}
	}
	return false
}

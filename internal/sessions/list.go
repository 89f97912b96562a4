package sessions

import (
	"iter"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Filter says which sessions a list shows (spec: sessions 6). The zero Filter
// shows all but "global", "unknown" and the runs of scheduled jobs.
type Filter struct {
	Global, Unknown bool
	Agent           string  // normalised id; "": all agents
	SpawnedBy       string  // exactly this canonical spawnedBy
	Label           string  // exactly this label
	Search          string  // lower case; in one of the names of a session
	Since           float64 // least updatedAt in ms; 0: any
}

// List yields the sessions that pass, newest first, equal ones in the order of
// the files, without the first skip of them. It makes what it yields: of the
// others it looks at a few decoded fields.
func (c *Combined) List(f Filter, skip int) iter.Seq[*Session] {
	switch {
	case f.Label != "":
		return f.among(slices.Values(c.WithLabel(f.Label)), skip)
	case f.SpawnedBy != "":
		return f.among(slices.Values(c.SpawnedBy(f.SpawnedBy)), skip)
	case !c.disjoint:
		return f.among(c.Recent(), skip)
	}
	return func(yield func(*Session) bool) {
		for m := range c.passing(f, skip) {
			if !yield(c.session(m)) {
				return
			}
		}
	}
}

// Count is how many sessions List yields.
func (c *Combined) Count(f Filter) int {
	n := 0
	switch {
	case !c.disjoint || f.Label != "" || f.SpawnedBy != "":
		for range c.List(f, 0) {
			n++
		}
	case f.Agent == "" && f.Search == "" && f.Since == 0:
		for _, v := range c.views {
			n += v.Len() - v.jobs
		}
		n -= c.hidden(globalKey, f.Global) + c.hidden(unknownKey, f.Unknown)
	default:
		for range c.passing(f, 0) {
			n++
		}
	}
	return n
}

// hidden is how many sessions a special key hides, when it is not shown.
func (c *Combined) hidden(key string, shown bool) int {
	if shown {
		return 0
	}
	return len(c.spellings(key))
}

// passing yields the entries that pass, newest first, without the first skip;
// each is a session of its own.
func (c *Combined) passing(f Filter, skip int) iter.Seq[member] {
	return func(yield func(member) bool) {
		from := 0
		if f.all(c) {
			from, skip = skip, 0
		}
		for m := range c.members(from) {
			if f.tooOld(m.updated) {
				return
			}
			if !f.passes(m.record) {
				continue
			}
			if skip--; skip < 0 && !yield(m) {
				return
			}
		}
	}
}

// all reports whether every entry passes, as the fields that are counted tell,
// and there is one store: then a place in the list is one in the tree.
func (f Filter) all(c *Combined) bool {
	return f.Agent == "" && f.Search == "" && f.Since == 0 && len(c.views) == 1 && c.views[0].jobs == 0 &&
		c.hidden(globalKey, f.Global)+c.hidden(unknownKey, f.Unknown) == 0
}

// among yields those of some sessions that pass, which are newest first, without
// the first skip.
func (f Filter) among(some iter.Seq[*Session], skip int) iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for s := range some {
			if f.tooOld(s.UpdatedAt) {
				return
			}
			if !f.Passes(s) {
				continue
			}
			if skip--; skip < 0 && !yield(s) {
				return
			}
		}
	}
}

// tooOld reports whether what was updated at this time, and so all that come
// behind it, are too old.
func (f Filter) tooOld(updated float64) bool { return f.Since != 0 && updated < f.Since }

// Passes reports whether a list shows the session, its age aside.
func (f Filter) Passes(s *Session) bool {
	agent := ""
	if f.Agent != "" {
		agent = agentOf(s.Key, f.Agent)
	}
	return f.shows(s.Key, CronRun(s.Key), agent) &&
		(f.SpawnedBy == "" || s.Entry.Text("spawnedBy") == f.SpawnedBy) &&
		(f.Label == "" || s.Entry.Text("label") == f.Label) &&
		(f.Search == "" || strings.Contains(searchText(s.Key, s.Entry), f.Search))
}

// passes is Passes for an entry of one store, for a filter without label and
// spawnedBy.
func (f Filter) passes(r *record) bool {
	return f.shows(r.canon, r.job, r.agent) && (f.Search == "" || strings.Contains(r.entry.e.searchText(r.canon), f.Search))
}

// shows reports whether a list shows sessions with this key, which is that of a
// job's run or not, and belongs to the agent.
func (f Filter) shows(key string, job bool, agent string) bool {
	switch {
	case job:
		return false
	case key == globalKey:
		return f.Global && f.Agent == "" && f.SpawnedBy == ""
	case key == unknownKey:
		return f.Unknown && f.Agent == "" && f.SpawnedBy == ""
	}
	return f.Agent == "" || f.Agent == agent
}

// nameEnd ends each name in a searchText: no text holds this byte, for it is
// none of UTF-8.
const nameEnd = "\xff"

// searchText is everything that a search looks at, in lower case.
func searchText(key string, e Entry) string {
	name, _ := rawjson.Text(DisplayName(key, e))
	texts := []string{name, e.Text("label"), e.Text("subject"), e.SessionID(), key}
	for i, t := range texts {
		texts[i] = jstext.Lower(t)
	}
	return strings.Join(texts, nameEnd)
}

// found is the searchText of an entry under a key.
type found struct{ key, text string }

// searchText is searchText of the entry, which is made once.
func (e *entry) searchText(key string) string {
	if f := e.found.Load(); f != nil && f.key == key {
		return f.text
	}
	m := Entry{e}
	if e.fields.Load() == nil {
		m = e.migrated() // for this the fields need not be kept
	}
	f := &found{key, searchText(key, m)}
	e.found.Store(f)
	return f.text
}

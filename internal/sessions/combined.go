package sessions

import (
	"cmp"
	"iter"
	"slices"

	"github.com/tidwall/btree"

	"github.com/parleyd/parley/internal/rawjson"
)

// Combined is the view over all stores that list and resolve work on: every
// key canonical, the entries of one key merged, spawnedBy canonical. It is
// immutable. Making one costs nothing: its methods work by the indexes of the
// stores, and make the sessions that they return.
type Combined struct {
	keys   Keys
	stores []*Store    // those that have entries
	views  []*Snapshot // their contents
	// disjoint: each entry is a session of its own, because no key has two
	// spellings, nor entries in two stores.
	disjoint bool
}

// Session is one session of the combined view.
type Session struct {
	Key   string // canonical
	Store *Store // of the entry that was updated last
	Entry Entry  // merged; spawnedBy canonical
	// UpdatedAt is the entry's, 0 when it has none.
	UpdatedAt float64

	first place // of its entries
}

// place is where an entry stands in the files.
type place struct {
	store int
	pos   uint64
}

// member is an entry of one of the stores.
type member struct {
	*record
	store int
}

func (m member) place() place { return place{m.store, m.pos} }

// Combined is the present combined view. As long as nothing changes it is the same
// one.
func (s *Stores) Combined() *Combined {
	stores := s.known()
	views := make([]*Snapshot, len(stores))
	for i, st := range stores {
		views[i] = st.snapshot()
	}
	if last := s.last.Load(); last != nil && slices.Equal(last.of, stores) && slices.Equal(last.with, views) {
		return last.Combined
	}
	c := combine(s.keys, stores, views)
	s.last.Store(&madeOf{c, stores, views})
	return c
}

// madeOf is a combined view and all that it was made of.
type madeOf struct {
	*Combined
	of   []*Store
	with []*Snapshot
}

func combine(keys Keys, stores []*Store, views []*Snapshot) *Combined {
	c := &Combined{keys: keys}
	for i, v := range views {
		if v.Len() > 0 {
			c.stores, c.views = append(c.stores, stores[i]), append(c.views, v)
		}
	}
	c.disjoint = c.apart()
	return c
}

// apart is Combined.disjoint as the counts of the stores tell it.
func (c *Combined) apart() bool {
	agents := map[string]bool{}
	for _, v := range c.views {
		if v.respelt > 0 || len(c.views) > 1 && (v.aliens > 0 || agents[v.agent]) {
			return false
		}
		agents[v.agent] = true
	}
	return true
}

// FileOrder compares two sessions of one view by where they stand first in the
// files.
func FileOrder(a, b *Session) int {
	return cmp.Or(cmp.Compare(a.first.store, b.first.store), cmp.Compare(a.first.pos, b.first.pos))
}

func newestFirst(a, b *Session) int {
	return cmp.Or(cmp.Compare(b.UpdatedAt, a.UpdatedAt), FileOrder(a, b))
}

// All yields the sessions in the order of the files.
func (c *Combined) All() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		more := true
		for i, v := range c.views {
			v.order.Scan(func(r *record) bool {
				if !r.object {
					return true
				}
				m := member{r, i}
				if all := c.entries(m); all[0].place() == m.place() {
					more = yield(c.merged(all))
				}
				return more
			})
			if !more {
				return
			}
		}
	}
}

// Recent yields the sessions newest first, equal ones in the order of the
// files.
func (c *Combined) Recent() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		if c.disjoint {
			for m := range c.members(0) {
				if !yield(c.session(m)) {
					return
				}
			}
			return
		}
		// Equally new ones come in any order here, and one that has an older entry
		// belongs where that stands.
		var equal []*Session
		flush := func() bool {
			slices.SortFunc(equal, FileOrder)
			for _, s := range equal {
				if !yield(s) {
					return false
				}
			}
			equal = equal[:0]
			return true
		}
		for m := range c.members(0) {
			if len(equal) > 0 && equal[0].UpdatedAt != m.updated && !flush() {
				return
			}
			if all := c.entries(m); newest(all).place() == m.place() {
				equal = append(equal, c.merged(all))
			}
		}
		flush()
	}
}

// newest is the member that was updated last, the first of equal ones.
func newest(all []member) member {
	return slices.MaxFunc(all, func(a, b member) int { return cmp.Compare(a.updated, b.updated) })
}

// members yields the entries of all stores newest first, equal ones in the order
// of the files; of a single store without the first from.
func (c *Combined) members(from int) iter.Seq[member] {
	return func(yield func(member) bool) {
		if len(c.views) == 1 {
			pivot, ok := c.views[0].recent.GetAt(from)
			if ok {
				c.views[0].recent.Ascend(pivot, func(r *record) bool { return yield(member{r, 0}) })
			}
			return
		}
		var heads []*head
		for i, v := range c.views {
			if h := (&head{left: v.recent.Iter(), member: member{store: i}}); h.next() {
				heads = append(heads, h)
			}
		}
		slices.SortFunc(heads, compareHeads)
		for len(heads) > 0 {
			h := heads[0]
			if !yield(h.member) {
				return
			}
			if !h.next() {
				heads = heads[1:]
				continue
			}
			// The others are in order: this one sinks to its place.
			for i := 1; i < len(heads) && compareHeads(heads[i], h) < 0; i++ {
				heads[i-1], heads[i] = heads[i], h
			}
		}
	}
}

// head is the newest entry of a store that has not been yielded yet.
type head struct {
	member
	left btree.IterG[*record]
}

func (h *head) next() bool {
	more := h.left.Next()
	h.record = h.left.Item()
	return more
}

func compareHeads(a, b *head) int {
	return cmp.Or(cmp.Compare(b.updated, a.updated), cmp.Compare(a.store, b.store))
}

// Get is the session with this canonical key.
func (c *Combined) Get(key string) (*Session, bool) {
	all := c.spellings(key)
	if len(all) == 0 {
		return nil, false
	}
	return c.merged(all), true
}

// Stores are the stores of which some session is, in their order.
func (c *Combined) Stores() []*Store {
	var out []*Store
	for i, v := range c.views {
		v.recent.Scan(func(r *record) bool {
			// Mostly true of the first one.
			its := c.merged(c.entries(member{r, i})).Store == c.stores[i]
			if its {
				out = append(out, c.stores[i])
			}
			return !its
		})
	}
	return out
}

// Children are the canonical keys of the sessions that name key as their
// parent, in the order of the files.
func (c *Combined) Children(key string) []string {
	var keys []string
	if len(c.views) == 1 && c.disjoint {
		for child := range c.views[0].children(key) {
			if child != key {
				keys = append(keys, child)
			}
		}
		return keys
	}
	found := c.find(func(v *Snapshot) iter.Seq[string] { return v.children(key) }, func(s *Session) bool {
		return s.Key != key && slices.Contains(parentsOf(s.Entry), key)
	})
	slices.SortFunc(found, FileOrder)
	for _, s := range found {
		keys = append(keys, s.Key)
	}
	return keys
}

// SpawnedBy are the sessions that have this spawnedBy, newest first.
func (c *Combined) SpawnedBy(key string) []*Session {
	found := c.find(func(v *Snapshot) iter.Seq[string] { return v.children(key) }, func(s *Session) bool {
		return s.Entry.Text("spawnedBy") == key
	})
	slices.SortFunc(found, newestFirst)
	return found
}

// WithLabel are the sessions that have this label, newest first. It must not be
// empty.
func (c *Combined) WithLabel(label string) []*Session {
	found := c.find(func(v *Snapshot) iter.Seq[string] { return v.withLabel(label) }, func(s *Session) bool {
		return s.Entry.Text("label") == label
	})
	slices.SortFunc(found, newestFirst)
	return found
}

// WithSessionID are the sessions that have this session id, newest first. It
// must not be empty.
func (c *Combined) WithSessionID(id string) []*Session {
	found := c.find(func(v *Snapshot) iter.Seq[string] { return v.withSessionID(id) }, func(s *Session) bool {
		return s.Entry.SessionID() == id
	})
	slices.SortFunc(found, newestFirst)
	return found
}

// Identified are the sessions whose session id or canonical key this is, newest
// first.
func (c *Combined) Identified(id string) []*Session {
	found := c.WithSessionID(id)
	if s, ok := c.Get(id); ok && s.Entry.SessionID() != id {
		found = append(found, s)
		slices.SortFunc(found, newestFirst)
	}
	return found
}

// find makes the sessions of the keys that an index of the stores names, those
// of them that are meant: the entry that an index names may have lost what it
// is found by to a newer one.
func (c *Combined) find(index func(*Snapshot) iter.Seq[string], meant func(*Session) bool) []*Session {
	var out []*Session
	seen := map[string]bool{}
	for _, v := range c.views {
		for key := range index(v) {
			if seen[key] {
				continue
			}
			seen[key] = true
			if s, ok := c.Get(key); ok && meant(s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// entries are the entries of m's session, in the order of the files.
func (c *Combined) entries(m member) []member {
	if c.disjoint {
		return []member{m}
	}
	return c.spellings(m.canon)
}

// spellings are the entries that a canonical key has in all stores, in the
// order of the files.
func (c *Combined) spellings(key string) []member {
	var out []member
	for i, v := range c.views {
		for r := range v.spellings(key) {
			out = append(out, member{r, i})
		}
	}
	return out
}

// merged is the session of these entries. Of two the fields of the newer win,
// those of the later one when they are equally old.
func (c *Combined) merged(all []member) *Session {
	s := c.session(all[0])
	for _, m := range all[1:] {
		winner, loser := c.session(m), s
		if loser.UpdatedAt > winner.UpdatedAt {
			winner, loser = loser, winner
		}
		e := loser.Entry.With(func(o *rawjson.Object) {
			for name, v := range winner.Entry.Fields().All() {
				o.Set(name, v)
			}
		})
		s = &Session{Key: s.Key, Store: winner.Store, Entry: e, UpdatedAt: winner.UpdatedAt, first: s.first}
	}
	return s
}

// session is the session of one entry.
func (c *Combined) session(m member) *Session {
	return &Session{
		Key: m.canon, Store: c.stores[m.store], Entry: canonicalSpawner(c.keys, m.record, c.views[m.store].agent),
		UpdatedAt: m.updated, first: m.place(),
	}
}

// canonicalSpawner is the entry of a member in the file of an agent with a
// canonical spawnedBy.
func canonicalSpawner(keys Keys, r *record, agent string) Entry {
	if len(r.parents) == 0 {
		return r.entry // need not be split to see that it has none
	}
	was := r.entry.Text("spawnedBy")
	if was == "" {
		return r.entry
	}
	now := keys.spawner(was, agent)
	if now == was {
		return r.entry
	}
	return r.entry.With(func(o *rawjson.Object) { o.Put("spawnedBy", now) })
}

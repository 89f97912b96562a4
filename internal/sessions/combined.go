package sessions

import (
	"iter"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// Combined is the view over all stores that list and resolve work on: every
// key canonical, the entries of one key merged, spawnedBy canonical. It is
// immutable.
type Combined struct {
	snapshots []*Snapshot // what it was made of
	stores    []*Store

	sessions []*Session
	byKey    map[string]*Session
	recent   []*Session
	children map[string][]string
}

// Session is one session of the combined view.
type Session struct {
	Key   string // canonical
	Store *Store // of the entry that was updated last
	Entry Entry  // merged; spawnedBy canonical
	// UpdatedAt is the entry's, 0 when it has none.
	UpdatedAt float64
}

// Combined is the present combined view. It is made anew only when one of the
// stores changed.
func (s *Stores) Combined() (*Combined, error) {
	stores := s.known()
	snapshots := make([]*Snapshot, len(stores))
	for i, st := range stores {
		snapshots[i] = st.snapshot()
	}
	if c := s.merged.Load(); c != nil && slices.Equal(c.snapshots, snapshots) {
		return c, nil
	}
	c := combine(s.keys, stores, snapshots)
	s.merged.Store(c)
	return c, nil
}

func combine(keys Keys, stores []*Store, snapshots []*Snapshot) *Combined {
	c := &Combined{snapshots: snapshots, stores: stores, byKey: map[string]*Session{}, children: map[string][]string{}}
	for i, v := range snapshots {
		v.order.Scan(func(r *record) bool {
			if r.object {
				c.add(&Session{Key: r.canon, Store: stores[i], Entry: canonicalSpawner(keys, r.entry, v.agent), UpdatedAt: r.updated})
			}
			return true
		})
	}
	for _, s := range c.sessions {
		for _, p := range parentsOf(s.Entry) {
			if p != s.Key {
				c.children[p] = append(c.children[p], s.Key)
			}
		}
	}
	c.recent = slices.Clone(c.sessions)
	slices.SortStableFunc(c.recent, func(a, b *Session) int {
		switch {
		case a.UpdatedAt > b.UpdatedAt:
			return -1
		case a.UpdatedAt < b.UpdatedAt:
			return 1
		}
		return 0
	})
	return c
}

// add takes in one entry; of two with one key the fields of the newer win,
// those of the later read when they are equally old.
func (c *Combined) add(s *Session) {
	old, ok := c.byKey[s.Key]
	if !ok {
		c.byKey[s.Key] = s
		c.sessions = append(c.sessions, s)
		return
	}
	winner, loser := s, old
	if old.UpdatedAt > s.UpdatedAt {
		winner, loser = old, s
	}
	e := loser.Entry.With(func(o *rawjson.Object) {
		for name, v := range winner.Entry.Fields().All() {
			o.Set(name, v)
		}
	})
	*old = Session{Key: s.Key, Store: winner.Store, Entry: e, UpdatedAt: winner.UpdatedAt}
}

func canonicalSpawner(keys Keys, e Entry, agent string) Entry {
	was := e.Text("spawnedBy")
	if was == "" {
		return e
	}
	now := keys.spawner(was, agent)
	if now == was {
		return e
	}
	return e.With(func(o *rawjson.Object) { o.Put("spawnedBy", now) })
}

// All yields the sessions in the order of the files.
func (c *Combined) All() iter.Seq[*Session] { return slices.Values(c.sessions) }

// Recent yields the sessions newest first, equal ones in the order of the
// files.
func (c *Combined) Recent() iter.Seq[*Session] { return slices.Values(c.recent) }

// Get is the session with this canonical key.
func (c *Combined) Get(key string) (*Session, bool) {
	s, ok := c.byKey[key]
	return s, ok
}

// Children are the canonical keys of the sessions that name key as their
// parent, in the order of the files; the caller must not change them.
func (c *Combined) Children(key string) []string { return c.children[key] }

// Children are the keys of the sessions that name key as their parent, as in
// Combined, without building the whole view.
func (s *Stores) Children(key string) []string {
	var out []string
	seen := map[string]bool{key: true}
	for _, st := range s.known() {
		for child := range st.snapshot().children(key) {
			if !seen[child] {
				seen[child] = true
				out = append(out, child)
			}
		}
	}
	return out
}

package sessions

import (
	"errors"
	"fmt"
)

// Found is a session that Lookup found.
type Found struct {
	// Key is canonical, StoredKey as it stands in the file.
	Key, StoredKey string
	Store          *Store
	Entry          Entry
}

// Lookup finds the session that a key in any spelling means. When there is
// none, Found still says which key and which store it would have.
func (s *Stores) Lookup(key string) (Found, bool, error) {
	g := Glance{stores: s}
	return g.Lookup(key)
}

// Store is the store that a canonical key belongs to: where it is found if
// several files may hold it, else where it would be written.
func (s *Stores) Store(canonicalKey string) (*Store, error) {
	g := Glance{stores: s}
	return g.store(canonicalKey)
}

// Glance looks up many sessions at one moment: the files are looked at once and
// not once for each session. It must not outlive the call that it serves, and is
// for one goroutine.
type Glance struct {
	stores *Stores

	oddly  []foundFile
	looked bool // for those
	seen   []view
}

// view is what a store held when it was looked at.
type view struct {
	store *Store
	*Snapshot
}

// Glance begins a look.
func (s *Stores) Glance() *Glance { return &Glance{stores: s} }

// Lookup is Stores.Lookup.
func (g *Glance) Lookup(key string) (Found, bool, error) {
	f := Found{Key: g.stores.keys.Canonical(key)}
	st, err := g.store(f.Key)
	if err != nil {
		return f, false, fmt.Errorf("look up session %q: %w", key, err)
	}
	f.Store = st
	var ok bool
	f.StoredKey, f.Entry, ok = g.snapshot(st).Find(f.Key, key)
	return f, ok, nil
}

func (g *Glance) store(canonicalKey string) (*Store, error) {
	if canonicalKey == "" {
		return nil, errors.New("find session store: empty key")
	}
	best, others := g.candidates(g.stores.keys.Agent(canonicalKey))
	if len(others) == 0 {
		return best, nil
	}
	newest := -1.0
	for _, st := range append([]*Store{best}, others...) {
		if _, e, ok := g.snapshot(st).Find(canonicalKey); ok {
			if at, _ := e.Number("updatedAt"); at >= newest {
				best, newest = st, at
			}
		}
	}
	return best, nil
}

func (g *Glance) snapshot(st *Store) *Snapshot {
	for _, v := range g.seen {
		if v.store == st {
			return v.Snapshot
		}
	}
	v := st.snapshot()
	g.seen = append(g.seen, view{st, v})
	return v
}

// candidates are the stores that an agent's sessions may lie in, the
// configured one first.
func (g *Glance) candidates(agent string) (configured *Store, others []*Store) {
	s := g.stores
	if s.fixed() {
		return s.at(s.path(""), s.keys.DefaultAgent), nil
	}
	configured = s.usualStore(agent)
	if s.template() {
		if usual := s.usual(agent); usual != configured.path && storeInside(usual, s.root) {
			others = append(others, s.at(usual, agent))
		}
	}
	if !g.looked {
		g.oddly, g.looked = s.oddlyNamed(), true
	}
	for _, f := range g.oddly {
		if f.agent == agent && f.path != configured.path {
			others = append(others, s.at(f.path, agent))
		}
	}
	return configured, others
}

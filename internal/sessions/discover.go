package sessions

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyd/parley/internal/watch"
)

// foundFile is a store file that lies on the disk.
type foundFile struct{ path, agent string }

// known are the stores of the combined view: the fixed file; or those of all
// configured agents (of the default agent when none is configured), then those
// found on the disk, each once.
func (s *Stores) known() []*Store {
	if s.fixed() {
		return []*Store{s.at(s.path(""), s.keys.DefaultAgent)}
	}
	agents := s.o.live.Now().AgentIDs()
	if len(agents) == 0 {
		agents = []string{s.keys.DefaultAgent}
	}
	var out []*Store
	for _, agent := range agents {
		if st := s.usualStore(agent); !slices.Contains(out, st) {
			out = append(out, st)
		}
	}
	has := func(path string) bool {
		return slices.ContainsFunc(out, func(st *Store) bool { return st.path == path })
	}
	for _, f := range append(s.inState(has), s.inTemplate(has)...) {
		if !has(f.path) {
			out = append(out, s.at(f.path, f.agent))
		}
	}
	return out
}

// inState are the store files in the layout of the state directory, without those
// that need not be looked at.
func (s *Stores) inState(skip func(path string) bool) []foundFile {
	return find(s.root, s.names.in(s.root).all, skip, func(dir string) (string, string) { return s.usual(dir), dir })
}

// inTemplate are the store files that match the template of session.store, without
// those that need not be looked at.
func (s *Stores) inTemplate(skip func(path string) bool) []foundFile {
	root, part, ok := s.templateRoot()
	if !ok {
		return nil
	}
	before, after, _ := strings.Cut(part, agentPlaceholder)
	names, _ := readNames(root) // a directory that cannot be read holds no stores for us
	return find(root, names, skip, func(dir string) (string, string) {
		agent, begins := strings.CutPrefix(dir, before)
		agent, ends := strings.CutSuffix(agent, after)
		if !begins || !ends || agent == "" {
			return "", ""
		}
		return s.path(agent), agent
	})
}

// templateRoot is the directory whose entries differ by agent in the template,
// and how their names are made.
func (s *Stores) templateRoot() (root, part string, ok bool) {
	if !s.template() {
		return "", "", false
	}
	dir, rest := "", s.path(agentPlaceholder)
	for {
		dir, part = filepath.Split(strings.TrimSuffix(rest, string(filepath.Separator)))
		if !strings.Contains(dir, agentPlaceholder) {
			return filepath.Clean(dir), part, dir != ""
		}
		rest = dir
	}
}

// find looks at the names in root. path says which store file the name stands
// for ("" for none) and which text its agent id is made of; files that skip names
// are left out.
func find(root string, names []string, skip func(path string) bool, path func(name string) (file, agent string)) []foundFile {
	var out []foundFile
	for _, n := range names {
		file, agent := path(n)
		if file == "" || skip(file) {
			continue
		}
		id := NormalizeAgentID(agent)
		if id == mainRest && agent != mainRest || !storeInside(file, root) {
			continue
		}
		out = append(out, foundFile{file, id})
	}
	return out
}

// oddlyNamed are the stores in the state directory whose directory is not
// named like their agent.
func (s *Stores) oddlyNamed() []foundFile {
	var out []foundFile
	for _, f := range s.names.in(s.root).odd {
		if file := s.usual(f.name); storeInside(file, s.root) {
			out = append(out, foundFile{file, f.agent})
		}
	}
	return out
}

// dirNames are the names in the directory of agents, of which there are few and
// which hardly ever change, and every look at a session asks: so the directory is
// read again only when it has changed.
type dirNames struct {
	kept atomic.Pointer[nameList]
}

type nameList struct {
	root string
	as   stamp // of root as it was when it was read
	all  []string
	odd  []oddName

	watched *watch.Dir // root, nil when it is not
	version uint64     // of watched
}

// oddName is the name of a directory that is not named like its agent.
type oddName struct{ name, agent string }

// settled is how long ago a directory must have changed for the next change to
// have another time: clocks of file systems are coarse.
const settled = 2 * time.Second

// in are the names in root, none when it cannot be read.
func (d *dirNames) in(root string) *nameList {
	kept := d.kept.Load()
	watched := watch.At(root)
	version, ok := watched.Version()
	if ok && kept != nil && kept.watched == watched && kept.version == version {
		return kept
	}
	info, err := os.Stat(root)
	if err != nil {
		return &nameList{}
	}
	as := stampOf(info)
	if !ok && kept != nil && kept.root == root && kept.as.same(as) {
		return kept
	}
	k := &nameList{root: root, as: as, watched: watched, version: version}
	k.all, err = readNames(root)
	for _, n := range k.all {
		if id := NormalizeAgentID(n); id != n && id != mainRest {
			k.odd = append(k.odd, oddName{n, id})
		}
	}
	if err == nil && (ok || time.Since(as.mtime) > settled) {
		d.kept.Store(k)
	}
	return k
}

// readNames are the names in a directory in their order.
func readNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

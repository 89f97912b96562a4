package sessions

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
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
	seen := map[string]bool{}
	add := func(path, agent string) {
		if !seen[path] {
			seen[path] = true
			out = append(out, s.at(path, agent))
		}
	}
	for _, agent := range agents {
		add(s.path(agent), agent)
	}
	for _, f := range append(s.inState(), s.inTemplate()...) {
		add(f.path, f.agent)
	}
	return out
}

// inState are the store files in the layout of the state directory.
func (s *Stores) inState() []foundFile {
	return find(s.agentsRoot(), func(dir string) (string, string) { return s.usual(dir), dir })
}

// inTemplate are the store files that match the template of session.store.
func (s *Stores) inTemplate() []foundFile {
	root, part, ok := s.templateRoot()
	if !ok {
		return nil
	}
	before, after, _ := strings.Cut(part, agentPlaceholder)
	return find(root, func(dir string) (string, string) {
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

// find looks at every name in root. path says which store file the name stands
// for ("" for none) and which text its agent id is made of.
func find(root string, path func(name string) (file, agent string)) []foundFile {
	// A directory that cannot be read holds no stores for us.
	names, _ := os.ReadDir(root)
	var out []foundFile
	for _, n := range names {
		file, agent := path(n.Name())
		id := NormalizeAgentID(agent)
		if file == "" || id == mainRest && agent != mainRest || !storeInside(file, root) {
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
	for _, f := range s.odd.in(s.agentsRoot()) {
		if file := s.usual(f.name); storeInside(file, s.agentsRoot()) {
			out = append(out, foundFile{file, f.agent})
		}
	}
	return out
}

// oddNames are the directories of agents that are not named like them. There are
// hardly ever any, and every look at a session asks: so the directory is read
// again only when it has changed.
type oddNames struct {
	kept atomic.Pointer[oddList]
}

type oddList struct {
	root  string
	as    time.Time // when root had changed last
	names []oddName
}

type oddName struct{ name, agent string }

// settled is how long ago a directory must have changed for the next change to
// have another time: clocks of file systems are coarse.
const settled = 2 * time.Second

// in are the odd names in root, none when it cannot be read.
func (o *oddNames) in(root string) []oddName {
	info, err := os.Stat(root)
	if err != nil {
		return nil
	}
	if k := o.kept.Load(); k != nil && k.root == root && k.as.Equal(info.ModTime()) {
		return k.names
	}
	names, err := os.ReadDir(root)
	k := &oddList{root: root, as: info.ModTime()}
	for _, n := range names {
		if id := NormalizeAgentID(n.Name()); id != n.Name() && id != mainRest {
			k.names = append(k.names, oddName{n.Name(), id})
		}
	}
	if err == nil && time.Since(k.as) > settled {
		o.kept.Store(k)
	}
	return k.names
}

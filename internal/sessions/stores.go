package sessions

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
)

// agentPlaceholder is replaced by the agent id in a template of session.store.
const agentPlaceholder = "{agentId}"

// Stores are all session stores of one configuration: one fixed file, or one
// file per agent. All methods may be called concurrently.
type Stores struct {
	o    Options
	keys Keys

	root  string // of the agents in the state directory
	names dirNames
	last  atomic.Pointer[madeOf] // the combined view that was asked for last

	mu    sync.Mutex        // guards the rest
	open  map[string]*Store // by path
	named map[string]*Store // the configured ones, by agent
}

// Options configure OpenStores.
type Options struct {
	Config *config.Config
	// Log is optional.
	Log *slog.Logger
	// ReadOnly leaves everything as it is: no file is made, cut, merged or owned,
	// and every change fails. KeepLeftovers leaves temporary files to others.
	ReadOnly, KeepLeftovers bool
	// Disk is the way to the files; nil is the plain system.
	Disk *disk.FS
	// Removed is told what maintenance took out of a store, after the change
	// is durable, on a goroutine of its own; Close waits for it. It is optional
	// and must not call Update of the same store. Cleanup does not call it: its
	// caller gets the report.
	Removed func(st *Store, removed []Removed)
	// Swept is told that maintenance removed archives or transcripts from the
	// directory of a store. It is optional and must not call Update of the store.
	Swept func(st *Store)
	// Protected reports that maintenance must keep a session, for example
	// because it has a run. The key is canonical. It is optional.
	Protected func(key string) bool
	// Committed is told of each batch of changes that was written, or could not
	// be, Checkpointed of each time that the file was brought up to date; both are
	// optional and must not block.
	Committed    func(took time.Duration, changes int, err error)
	Checkpointed func(took time.Duration, bytes int64, err error)

	live *config.Live // Config, or what came after it
}

// OpenStores gives access to the stores. It removes temporary files that a
// crash left behind, unless the options say otherwise, and changes nothing else.
func OpenStores(o Options) (*Stores, error) {
	if o.Config == nil {
		return nil, errors.New("open session stores: no configuration")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.live = config.NewLive(o.Config)
	s := &Stores{
		o:    o,
		keys: Keys{DefaultAgent: o.Config.DefaultAgent(), Global: o.Config.Session.Global},
		root: filepath.Join(o.Config.StateDir, "agents"),
		open: map[string]*Store{}, named: map[string]*Store{},
	}
	if o.ReadOnly || o.KeepLeftovers {
		return s, nil
	}
	for _, st := range s.known() {
		if err := atomicfile.RemoveLeftovers(st.path, leftoverAge); err != nil {
			o.Log.Warn("temporary files cannot be removed", "path", st.path, "err", err)
		}
	}
	return s, nil
}

// Configure makes c the configuration from now on: its agents and its rules of
// maintenance. Where the stores lie and how keys are read stays as it was.
func (s *Stores) Configure(c *config.Config) { s.o.live.Set(c) }

// Close waits for background work and gives up the ownership of all files.
func (s *Stores) Close() error {
	s.mu.Lock()
	stores := slices.Collect(maps.Values(s.open))
	s.mu.Unlock() // background work still looks things up
	var faults []error
	for _, st := range stores {
		faults = append(faults, st.close())
	}
	return errors.Join(faults...)
}

// All are the stores of the combined view, whether their files exist or not.
func (s *Stores) All() []*Store { return s.known() }

// Keys is the key grammar of the configuration.
func (s *Stores) Keys() Keys { return s.keys }

// Path is where the stores lie, as sessions.list tells it: the fixed file, the
// template as configured, or "(multiple)".
func (s *Stores) Path() string {
	switch {
	case s.o.Config.Session.Store == "":
		return "(multiple)"
	case s.template():
		return s.o.Config.Session.Store
	}
	return s.path("")
}

func (s *Stores) template() bool { return strings.Contains(s.o.Config.Session.Store, agentPlaceholder) }

func (s *Stores) fixed() bool { return s.o.Config.Session.Store != "" && !s.template() }

// path is the configured path of an agent's store.
func (s *Stores) path(agent string) string {
	c := s.o.Config
	if c.Session.Store == "" {
		return s.usual(agent)
	}
	path := strings.ReplaceAll(c.Session.Store, agentPlaceholder, agent)
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = c.Home + path[1:]
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// usual is an agent's store in the layout of the state directory.
func (s *Stores) usual(dir string) string {
	return filepath.Join(s.root, dir, "sessions", "sessions.json")
}

// usualStore is the store that the configuration gives an agent.
func (s *Stores) usualStore(agent string) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.named[agent]
	if !ok {
		st = s.atLocked(s.path(agent), agent)
		s.named[agent] = st
	}
	return st
}

// at is the one Store for a path.
func (s *Stores) at(path, agent string) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.atLocked(path, agent)
}

// atLocked is at for a caller that holds mu.
func (s *Stores) atLocked(path, agent string) *Store {
	st, ok := s.open[path]
	if !ok {
		st = openStore(path, agent, s.keys, s.o)
		st.all = s.known
		s.open[path] = st
	}
	return st
}

// storeInside reports whether path is a store: a regular file, no symbolic link,
// that really lies inside root. A new store has only its journal until the first
// checkpoint, and after a crash before it.
func storeInside(path, root string) bool {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path += journalEnd
		info, err = os.Lstat(path)
	}
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if noLinkBetween(root, path) {
		return true
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(realRoot, real)
	return err == nil && filepath.IsLocal(rel)
}

// noLinkBetween reports whether the directories below root that path names are
// no links. Then it lies inside, whatever root is.
func noLinkBetween(root, path string) bool {
	for dir := filepath.Dir(path); dir != root; dir = filepath.Dir(dir) {
		if info, err := os.Lstat(dir); len(dir) <= len(root) || err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

package sessions

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/parleyd/parley/internal/config"
)

// Store is one sessions.json. All methods may be called concurrently.
//
// The file is the truth: it is looked at (by stat) before every reading and
// every change, so edits of other programs are seen. Reading creates nothing.
type Store struct {
	// Static after construction.
	path    string
	agent   string
	keys    Keys
	rules   config.Maintenance
	log     *slog.Logger
	removed func(*Store, []Removed)
	protect func(key string) bool

	current atomic.Pointer[Snapshot]
	pending atomic.Pointer[stamp] // of the file that Update is about to put in place

	turn   chan struct{} // holds one token: who takes it may commit
	owner  *flock.Flock  // guarded by turn; held from the first write to close
	closed bool          // guarded by turn

	sweeper  sweeper
	archived atomic.Bool  // entries were removed since the last sweep
	warned   atomic.Int64 // when the last warning about a limit was logged, ms
	broken   atomic.Bool  // the last reading failed and was logged
}

// Removed is an entry that maintenance took out of a store.
type Removed struct {
	Key   string // canonical
	Entry Entry
	// Discarded is true when the disk budget removed the entry together with
	// its transcript; else the transcript is still there, to be archived.
	Discarded bool

	stored string // the key in the file
}

func openStore(path, agent string, keys Keys, o Options) *Store {
	s := &Store{
		path: path, agent: agent, keys: keys, rules: o.Config.Session.Maintenance,
		log: o.Log, removed: o.Removed, protect: o.Protected, turn: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.turn <- struct{}{}
	return s
}

// Path is the path of the file.
func (s *Store) Path() string { return s.path }

// Dir is the directory of the file, where the transcripts lie too.
func (s *Store) Dir() string { return filepath.Dir(s.path) }

// Agent is the agent that bare keys in the file belong to.
func (s *Store) Agent() string { return s.agent }

// AgentOf is the agent that a session of the store belongs to: that which its
// key names, stored or canonical, else Agent. In a fixed store these are many.
func (s *Store) AgentOf(key string) string {
	if agent, _, ok := ParseKey(stored(key, s.agent)); ok {
		return NormalizeAgentID(agent)
	}
	return s.agent
}

// View calls fn with the present content. A file that is missing, damaged or
// unreadable reads as empty (unreadable: as it was before); so the only errors
// are fn's. View never waits for an Update.
func (s *Store) View(fn func(*Snapshot) error) error {
	return fn(s.snapshot())
}

// snapshot is the present content as far as it can be read.
func (s *Store) snapshot() *Snapshot {
	v, err := s.refresh()
	if err != nil {
		if s.broken.CompareAndSwap(false, true) {
			s.log.Error("session store cannot be read", "path", s.path, "err", err)
		}
		if v = s.current.Load(); v == nil {
			v = newSnapshot(s.keys, s.agent)
		}
		return v
	}
	s.broken.Store(false)
	return v
}

// refresh takes in the file if it is not what was last seen.
func (s *Store) refresh() (*Snapshot, error) {
	for {
		at, err := statFile(s.path)
		if err != nil {
			return nil, err
		}
		cur := s.current.Load()
		if cur != nil && cur.stamp.same(at) {
			return cur, nil
		}
		// Our own new file, which is not durable yet: nobody may see it before
		// the commit is through.
		if p := s.pending.Load(); p != nil && p.same(at) && cur != nil {
			return cur, nil
		}
		v, err := readSnapshot(s.path, s.keys, s.agent)
		if err != nil {
			return nil, err
		}
		if s.current.CompareAndSwap(cur, v) {
			return v, nil
		}
		// Somebody published meanwhile; look again what the file says.
	}
}

// Update runs fn on the present content and makes its changes durable: all of
// them, or none when fn returns an error, which Update returns as it is. When
// fn changes nothing, nothing is written. Updates of one store run one after
// another; one that cannot begin within 10 s of being called fails. When
// another program changes the file at the same moment, fn runs a second time
// on the new content: it must set what it returns, not add to it.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	deadline := time.Now().Add(lockWait)
	timeout := time.NewTimer(lockWait)
	defer timeout.Stop()
	select {
	case <-s.turn:
	case <-timeout.C:
		return fileLock{lockPath(s.path)}.held()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	removed, wrote, err := s.commit(ctx, deadline, fn)
	s.turn <- struct{}{}
	if wrote {
		s.maintained(removed)
	}
	return err
}

// close waits for what goes on in the background and gives the store up.
func (s *Store) close() error {
	s.sweeper.close()
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.closed = true
	if s.owner == nil {
		return nil
	}
	err := s.owner.Close()
	s.owner = nil
	return err
}

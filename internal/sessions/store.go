package sessions

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/tracing"
)

// Store is one sessions.json. All methods may be called concurrently.
//
// The file is looked at (by stat) before every reading and every change, so
// edits of other programs are seen. Reading creates nothing, except that who
// reads a store that exists owns it until Close.
type Store struct {
	// Static after construction.
	path    string
	dir     string
	agent   string
	keys    Keys
	rules   func() config.Maintenance // that hold now
	log     *slog.Logger
	removed func(*Store, []Removed)
	swept   func(*Store)
	protect func(key string) bool
	all     func() []*Store // of the configuration; nil when there is only this one
	commits *fileLog
	// committed and checkpointed are those of Options, never nil.
	committed    func(took time.Duration, changes int, err error)
	checkpointed func(took time.Duration, bytes int64, err error)

	mu         sync.Mutex // guards the queue
	queue      []*update
	committing bool // commitLoop runs
	closed     bool
	work       sync.WaitGroup // commitLoop and checkpointLoop

	lines []byte // commitLoop's buffer

	checkpoints checkpoints

	sweeper sweeper
	broken  atomic.Bool           // the last reading failed and was logged
	trouble atomic.Pointer[error] // of the last commit, nil when it was well
}

func openStore(path, agent string, keys Keys, o Options) *Store {
	if o.live == nil {
		o.live = config.NewLive(o.Config)
	}
	s := &Store{
		path: path, dir: filepath.Dir(path), agent: agent, keys: keys, rules: rulesOf(o.live),
		log: o.Log, removed: o.Removed, swept: o.Swept, protect: o.Protected,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.committed = o.Committed; s.committed == nil {
		s.committed = func(time.Duration, int, error) {}
	}
	if s.checkpointed = o.Checkpointed; s.checkpointed == nil {
		s.checkpointed = func(time.Duration, int64, error) {}
	}
	s.commits = &fileLog{files: o.Disk, path: path, keys: keys, agent: agent, log: s.log, poke: s.poke, dirty: map[string]change{}, staged: map[string]bool{}}
	s.commits.look, s.commits.keep = o.ReadOnly, o.KeepLeftovers
	s.checkpoints.stop = make(chan struct{})
	return s
}

// rulesOf are the rules of maintenance that hold now, whenever it is asked.
func rulesOf(live *config.Live) func() config.Maintenance {
	return func() config.Maintenance { return live.Now().Session.Maintenance }
}

// Path is the path of the file.
func (s *Store) Path() string { return s.path }

// Dir is the directory of the file, where the transcripts lie too.
func (s *Store) Dir() string { return s.dir }

// Agent is the agent that bare keys in the file belong to.
func (s *Store) Agent() string { return s.agent }

// AgentOf is the agent that a session of the store belongs to: that which its
// key names, stored or canonical, else Agent. In a fixed store these are many.
func (s *Store) AgentOf(key string) string {
	return cmp.Or(agentOf(stored(key, s.agent), s.agent), s.agent)
}

// View calls fn with the present content. A file that is missing, damaged or
// unreadable reads as empty (unreadable: as it was before); so the only errors
// are fn's. View never waits for an Update.
func (s *Store) View(fn func(*Snapshot) error) error {
	return fn(s.snapshot())
}

// snapshot is the present content as far as it can be read.
func (s *Store) snapshot() *Snapshot {
	v, err := s.commits.follow()
	if err != nil {
		if s.broken.CompareAndSwap(false, true) {
			s.log.Error("session store cannot be read", "path", s.path, "err", err)
		}
		if v = s.commits.current.Load(); v == nil {
			v = newSnapshot(s.keys, s.agent)
		}
		return v
	}
	s.broken.Store(false)
	return v
}

// Update runs fn on the present content and makes its changes durable: all of
// them, or none when fn returns an error, which Update returns as it is. When
// fn changes nothing, nothing is written. The functions of one store run one
// after another, on a goroutine of the store; those that wait together are
// made durable together. A change that another program's lock keeps waiting
// for 10 s fails. fn must not call Update of the same
// store, nor end its goroutine (as FailNow of a test does). It may be called
// again when another program changed the file meanwhile: it must set what it
// gives its caller, not add to it.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	_, span := tracing.Start(ctx, "store.commit", "store", s.path)
	err := s.submit(&update{ctx: ctx, fn: fn})
	span.End(failure(err))
	return err
}

// failure is the text of an error, "" without one.
func failure(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// submit queues a change and waits for its end.
func (s *Store) submit(u *update) error {
	u.deadline, u.done = time.Now().Add(lockWait), make(chan struct{})
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return protocol.Unavailablef("session store %s is closed", s.path)
	}
	s.queue = append(s.queue, u)
	if !s.committing {
		s.committing = true
		s.work.Go(s.commitLoop)
	}
	s.mu.Unlock()
	<-u.done
	if u.panicked != nil {
		panic(u.panicked)
	}
	return u.err
}

// Trouble is why the store takes no changes: its journal is damaged, or the last
// change could not be made durable; damaged tells which. It is nil when changes
// are taken, as far as that is known.
func (s *Store) Trouble() (err error, damaged bool) {
	s.commits.turn.Lock()
	refused := s.commits.refused
	s.commits.turn.Unlock()
	if refused != nil {
		return refused, true
	}
	if last := s.trouble.Load(); last != nil {
		return *last, false
	}
	return nil, false
}

// close waits for what goes on in the background, writes the file and gives
// the store up.
func (s *Store) close() error {
	s.sweeper.close()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		close(s.checkpoints.stop)
	}
	s.work.Wait()
	return s.release()
}

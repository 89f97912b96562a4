package sessions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
)

const (
	// restShare is how much longer than a checkpoint took the next one waits:
	// checkpoints take at most 5 % of the time.
	restShare = 20
	// quietTime is how long nothing changed when the store counts as idle.
	quietTime = 10 * time.Millisecond
	// visibleTime is how long a store that is never idle waits: other programs
	// see a change within a second, or when the rest is over.
	visibleTime = 500 * time.Millisecond
	// retryTime is the pause after a checkpoint that failed.
	retryTime = time.Second
	// journalLimit is how large a journal may become, if the store is smaller.
	journalLimit = 16 << 20
	// checkpointTries is how often a checkpoint begins again because another
	// program wrote the file.
	checkpointTries = 10
)

// checkpoints decides when the next checkpoint of a store begins.
type checkpoints struct {
	stop   chan struct{} // closed by Close
	one    sync.Mutex    // held during a checkpoint
	byHand bool          // only Checkpoint and Close make one; for tests

	mu      sync.Mutex       // guards the rest
	running bool             // checkpointLoop runs
	first   time.Time        // first change since the last checkpoint
	last    time.Time        // last change
	begun   time.Time        // when the last checkpoint began
	took    [3]time.Duration // of the last ones, without waiting for others
	failed  bool
	warned  time.Time
}

// prepared notes how long writing a new file took.
func (c *checkpoints) prepared(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took[2], c.took[1], c.took[0] = c.took[1], c.took[0], took
}

// poke says that there is something to write.
func (s *Store) poke() {
	c := &s.checkpoints
	now := time.Now()
	c.mu.Lock()
	c.last = now
	if c.first.IsZero() {
		c.first = now
	}
	start := !c.running && !c.byHand
	c.running = true
	c.mu.Unlock()
	if !start {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return // Close writes the file itself
	}
	s.work.Go(s.checkpointLoop)
}

// due is when the next checkpoint may begin; full says that the journal is at
// its limit.
func (c *checkpoints) due(full bool) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.last.Add(quietTime)
	if busy := c.first.Add(visibleTime); busy.Before(at) {
		at = busy
	}
	// The least of three: a disk that was busy once must not delay the next.
	if rest := c.begun.Add(restShare * min(c.took[0], c.took[1], c.took[2])); rest.After(at) && !full {
		at = rest
	}
	if retry := c.begun.Add(retryTime); c.failed && retry.After(at) {
		at = retry
	}
	return at
}

// checkpointLoop makes checkpoints until there is nothing to write.
func (s *Store) checkpointLoop() {
	c := &s.checkpoints
	for {
		for wait := time.Until(c.due(s.journalFull())); wait > 0; wait = time.Until(c.due(s.journalFull())) {
			select {
			case <-c.stop:
				return
			case <-time.After(min(wait, visibleTime)):
			}
		}
		c.mu.Lock()
		c.first, c.begun = time.Time{}, time.Now()
		c.mu.Unlock()
		err := s.checkpoint(context.Background(), false)
		c.mu.Lock()
		c.failed = err != nil
		again := err != nil || !c.first.IsZero()
		c.running = again
		tell := err != nil && time.Since(c.warned) > warnEvery
		if tell {
			c.warned = time.Now()
		}
		c.mu.Unlock()
		if tell {
			s.log.Error("session store file could not be brought up to date; its journal has what is missing", "path", s.path, "err", err)
		}
		if !again {
			return
		}
	}
}

// journalFull reports whether the journal has reached its limit.
func (s *Store) journalFull() bool {
	l := s.commits
	l.turn.Lock()
	defer l.turn.Unlock()
	v := l.current.Load()
	return l.journal != nil && v != nil && l.journal.size > max(journalLimit, v.stamp.size)
}

// Checkpoint writes all changes into the file, where other programs see them.
// It happens by itself soon after a change; who must know calls it.
func (s *Store) Checkpoint(ctx context.Context) error {
	if err := s.checkpoint(ctx, false); err != nil {
		return s.unavailable("write", err)
	}
	return nil
}

// errChanged is why a checkpoint must begin again: another program wrote the
// file.
var errChanged = errors.New("the file is being changed by another program")

// checkpoint writes the file. With last no journal is begun after it.
func (s *Store) checkpoint(ctx context.Context, last bool) error {
	s.checkpoints.one.Lock()
	defer s.checkpoints.one.Unlock()
	for try := 1; ; try++ {
		err := s.tryCheckpoint(ctx, last)
		if !errors.Is(err, errChanged) || try == checkpointTries {
			return err
		}
	}
}

func (s *Store) tryCheckpoint(ctx context.Context, last bool) error {
	l := s.commits
	v, err := l.follow()
	if err != nil {
		return err
	}
	if !l.behind(v) {
		return l.settle(last)
	}
	s.tidy()
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	began := time.Now()
	f, err := v.prepareFile(root, filepath.Base(l.path))
	if err != nil {
		s.checkpointed(time.Since(began), 0, err)
		return err
	}
	prepared := time.Since(began)
	s.checkpoints.prepared(prepared)
	release, err := l.lock.acquire(ctx, time.Now().Add(lockWait))
	if err != nil {
		return errors.Join(err, f.Discard())
	}
	began = time.Now() // the wait for others is not ours
	err = s.install(root, v, f, last)
	if !errors.Is(err, errChanged) {
		s.checkpointed(prepared+time.Since(began), f.id.size, err)
	}
	l.mu.Lock()
	l.recent.locked = false
	l.mu.Unlock()
	if err := release(); err != nil {
		s.log.Error("session store lock cannot be removed", "path", s.path, "err", err)
	}
	return err
}

// tidy removes the temporary files of a checkpoint that failed, which may not
// have been able to do so.
func (s *Store) tidy() {
	c, l := &s.checkpoints, s.commits
	c.mu.Lock()
	failed := c.failed
	c.mu.Unlock()
	if failed {
		l.turn.Lock() // so that no file of ours is being written
		defer l.turn.Unlock()
		l.removeLeftovers()
	}
}

// install puts the prepared content of v in the place of the file, and a new
// journal beside it, or none with last. The caller holds the lock file.
func (s *Store) install(root *disk.Root, v *Snapshot, f *newFile, last bool) error {
	l := s.commits
	l.turn.Lock()
	defer l.turn.Unlock()
	if err := s.swap(root, v, f); err != nil {
		return err
	}
	if !last {
		if err := l.renew(); err != nil {
			return err
		}
	}
	// What was saved while we hold the lock file is told from what comes later.
	if _, err := l.follow(); err != nil {
		return err
	}
	if l.lacking.Load() {
		return errChanged
	}
	if last {
		return l.removeJournal()
	}
	return nil
}

// behind reports whether the file lacks changes.
func (l *fileLog) behind(v *Snapshot) bool {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owned.Load() && !v.damaged && l.refused == nil && len(l.dirty) > 0
}

// settle is a checkpoint when the file has all changes: only the journal may
// need one that can be trusted, or at the end none.
func (l *fileLog) settle(last bool) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	switch {
	case l.journal == nil || l.refused != nil || l.current.Load().damaged:
		return nil
	case last:
		return l.removeJournal()
	case l.journal.broken != nil:
		return l.renew()
	}
	return nil
}

// newFile is a content that is about to become the store file.
type newFile struct {
	*atomicfile.Temp
	id        identity
	unsettled []*record // that readers see in another form than the file has them
}

// prepareFile writes the content beside the file.
func (v *Snapshot) prepareFile(root *disk.Root, name string) (*newFile, error) {
	h := xxhash.New()
	var size countingWriter
	var f newFile
	var err error
	f.Temp, err = atomicfile.Create(root, name, func(w io.Writer) (err error) {
		f.unsettled, err = v.render(io.MultiWriter(w, h, &size))
		return err
	})
	f.id = identity{int64(size), h.Sum64()}
	return &f, err
}

type countingWriter int64

func (c *countingWriter) Write(b []byte) (int, error) {
	*c += countingWriter(len(b))
	return len(b), nil
}

// swap puts the prepared content of v in the place of the file. The caller
// holds turn and the lock file.
func (s *Store) swap(root *disk.Root, v *Snapshot, f *newFile) error {
	l := s.commits
	at, err := statFile(l.path)
	if err == nil && !v.stamp.same(at) {
		err = errChanged
	}
	if err == nil {
		s.rotate(v, time.Now())
		err = l.announce(v, f.id)
	}
	if err != nil {
		return errors.Join(err, f.Discard())
	}
	mine := stampOf(f.Info)
	l.pending.Store(&mine)
	defer l.pending.Store(nil)
	if err := l.exchange(root, f.Temp, at); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written(v, f)
	return nil
}

// announce writes into the journal what is about to become the file. A journal
// that cannot be trusted is written anew; its lines have other numbers, so the
// checkpoint then begins again.
func (l *fileLog) announce(v *Snapshot, id identity) error {
	if l.journal == nil || l.journal.broken != nil || l.lacking.Load() || !l.journal.inPlace() {
		return cmp.Or(l.renew(), errChanged)
	}
	return l.journal.append(checkpointLine(id, v.n))
}

// exchange puts the temporary file in the place of the one that was last seen.
// An editor without a lock may have saved in the last instant: then its file
// stays.
func (l *fileLog) exchange(root *disk.Root, t *atomicfile.Temp, seen stamp) error {
	name := filepath.Base(l.path)
	err := fs.ErrNotExist
	if seen != (stamp{}) {
		err = root.Exchange(t.Name, name)
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) {
		return t.Commit()
	}
	if err != nil {
		return errors.Join(err, t.Discard())
	}
	if was, err := root.Lstat(t.Name); err == nil && !seen.same(stampOf(was)) {
		if err := root.Exchange(t.Name, name); err != nil {
			return fmt.Errorf("put another program's file back, which is %s now: %w", t.Name, err)
		}
		return errors.Join(errChanged, t.Discard())
	}
	if err := root.SyncDir("."); err != nil {
		return err
	}
	return t.Discard() // now the old file
}

// written notes that the file holds the changes up to v. The caller holds mu.
func (l *fileLog) written(v *Snapshot, f *newFile) {
	now := time.Now()
	for key, c := range l.dirty {
		if c.n <= v.n {
			l.recent.add(c, now)
			delete(l.dirty, key)
			continue
		}
		c.was = ""
		if r := v.record(key); r != nil {
			c.was = hashOf(r.text())
		}
		l.dirty[key] = c
	}
	l.recent.locked = true
	l.base = f.id
	next := l.current.Load().clone()
	next.stamp, next.own, next.blank = stampOf(f.Info), true, false
	for _, r := range f.unsettled {
		// From now on readers see what the file has.
		if now := next.record(r.key); now == r {
			next.replace(r, &record{slot: r.slot, entry: lazyEntry(r.text(), nil), updated: r.updated, dated: r.dated})
		}
	}
	l.publish(next)
}

// renew begins a new journal with the changes that the file does not have. The
// caller holds turn.
func (l *fileLog) renew() error {
	l.mu.Lock()
	h := header{base: l.base}
	changes := slices.SortedFunc(maps.Values(l.dirty), func(a, b change) int { return cmp.Compare(a.order, b.order) })
	h.n = l.current.Load().n - int64(len(changes))
	l.lacking.Store(false)
	l.mu.Unlock()
	var lines []byte
	for i, c := range changes {
		n := h.n + int64(i) + 1
		set := []change{c}
		if c.moved {
			set = []change{{key: c.key, was: c.was}, c}
		}
		// Each counts as written by itself: all of them are durable at once.
		lines = appendChanges(lines, n, n, c.t, set)
	}
	j, err := l.writeJournal(h, lines)
	if err != nil {
		l.lacking.Store(true)
		if l.journal != nil && l.journal.broken == nil {
			l.journal.broken = err
		}
		return err
	}
	if err := l.dropJournal(); err != nil {
		l.log.Warn("old journal cannot be closed", "path", l.path, "err", err)
	}
	l.journal = j
	return nil
}

// release makes the last checkpoint and gives the store up.
func (s *Store) release() error {
	l := s.commits
	var err error
	if l.owned.Load() {
		err = s.checkpoint(context.Background(), true)
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if len(l.dirty) == 0 {
		err = nil // nothing is missing in the file, whatever is wrong with it now
	}
	err = errors.Join(err, l.dropJournal())
	if l.owner != nil {
		err = errors.Join(err, l.owner.Close())
		l.owner = nil
		l.owned.Store(false)
	}
	return err
}

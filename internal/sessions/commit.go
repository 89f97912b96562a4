package sessions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/protocol"
)

// makeTime is how long a first change waits for the file.
const makeTime = time.Second

// update is one call of Update.
type update struct {
	ctx      context.Context
	fn       func(*Tx) error
	deadline time.Time
	done     chan struct{}
	sweeping bool // of the sweep: no other one need follow

	// Set before done is closed.
	err      error
	panicked any

	set     []change
	removed []Removed
}

func (u *update) finish(err error) {
	u.err = err
	close(u.done)
}

// commitLoop commits what waits, batch by batch, until nothing does.
func (s *Store) commitLoop() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.committing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		err := s.prepare()
		if err == nil {
			err = s.commit()
		}
		if err == nil || errors.Is(err, errChanged) {
			continue
		}
		s.fail(err)
		for _, u := range s.take() {
			u.finish(err)
		}
	}
}

// fail remembers why a commit failed, see Trouble. It is apart so that only an
// error that is kept is put on the heap.
func (s *Store) fail(err error) { s.trouble.Store(&err) }

// take empties the queue.
func (s *Store) take() []*update {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	s.queue = nil
	return batch
}

// putBack queues a batch again, before those who came later.
func (s *Store) putBack(batch []*update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(batch, s.queue...)
}

// prepare makes the store ready for changes: the present content is known, what
// cannot be read is set aside, and the journal can be trusted.
func (s *Store) prepare() error {
	l := s.commits
	v, err := l.follow()
	if err != nil {
		return s.unavailable("read", err)
	}
	if !l.owned.Load() {
		return nil // until there is something to write
	}
	if err := s.own(); err != nil {
		return err
	}
	l.turn.Lock()
	if l.refused != nil {
		err = l.refused
	}
	sound := v.damaged || err != nil || l.checkJournal()
	l.turn.Unlock()
	if !sound {
		err = s.checkpoint(context.Background(), false)
	}
	if err != nil {
		return s.unavailable("write", err)
	}
	return nil
}

// own takes the store for this process before its first change.
func (s *Store) own() error {
	l := s.commits
	if l.look {
		return protocol.Unavailablef("session store %s is open for reading only", s.path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.owned.Load()
	err := l.files.MkdirAll(s.Dir())
	if err == nil {
		err = l.own()
	}
	if errors.Is(err, errInUse) {
		return protocol.Unavailablef("session store %s is in use by another parley process", s.path)
	}
	if err == nil && !had {
		_, err = l.load() // what was read before may be older than the lock
	}
	if err != nil {
		return s.unavailable("open", err)
	}
	return nil
}

// mayWrite reports whether a change staged on base can be written: the store is
// ours, no other program is writing the file, and the file is not damaged.
func (s *Store) mayWrite(base *Snapshot) bool {
	return s.commits.owned.Load() && !base.damaged && !base.blank && !s.commits.lock.Foreign()
}

// makeWay does what mayWrite found missing, while those who wait are queued.
func (s *Store) makeWay(base *Snapshot) error {
	l := s.commits
	if !l.owned.Load() {
		return s.own()
	}
	s.awaitLock(l.lock)
	l.turn.Lock()
	defer l.turn.Unlock()
	var err error
	switch {
	case base.damaged:
		err = l.setAside(base, time.Now())
	case base.blank:
		err = l.removeBlank(base)
	}
	if err != nil {
		return s.unavailable("write", err)
	}
	return nil
}

// awaitLock waits until no other program holds the lock file, as long as
// somebody waits with it. Those whose time is over are told so.
func (s *Store) awaitLock(lock fileLock) {
	for attempt := 1; lock.Foreign(); attempt++ {
		if lock.Break() {
			continue
		}
		s.expire(lock)
		if len(s.waiting()) == 0 {
			return
		}
		time.Sleep(min(time.Second, time.Duration(attempt)*50*time.Millisecond, s.untilDeadline()))
	}
}

func (s *Store) waiting() []*update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue
}

// expire ends the waiting of those whose time is over or who gave up.
func (s *Store) expire(lock fileLock) {
	now := time.Now()
	var over []*update
	s.mu.Lock()
	s.queue = slices.DeleteFunc(s.queue, func(u *update) bool {
		if u.ctx.Err() == nil && now.Before(u.deadline) {
			return false
		}
		over = append(over, u)
		return true
	})
	s.mu.Unlock()
	for _, u := range over {
		if u.ctx.Err() != nil {
			u.finish(context.Cause(u.ctx))
		} else {
			u.finish(lock.held())
		}
	}
}

// untilDeadline is how long the first of those who wait may go on waiting.
func (s *Store) untilDeadline() time.Duration {
	least := lockWait
	for _, u := range s.waiting() {
		least = min(least, time.Until(u.deadline))
	}
	return max(least, time.Millisecond)
}

// commit stages what waits, writes it as one batch, and publishes it. It is
// errChanged when the store must be prepared again.
func (s *Store) commit() error {
	l := s.commits
	base := l.current.Load()
	batch := s.take()
	next, lines := s.stage(base, batch)
	if next.n == base.n {
		s.answer(batch)
		return nil
	}
	if !s.mayWrite(base) {
		s.putBack(batch)
		return cmp.Or(s.makeWay(base), errChanged)
	}
	l.turn.Lock()
	if now := l.current.Load(); now != base || l.journal != nil && l.journal.broken != nil {
		// A checkpoint or another program came in between.
		l.turn.Unlock()
		s.putBack(batch)
		return errChanged
	}
	began := time.Now()
	err := s.write(base, next, lines, batch)
	s.committed(time.Since(began), written(batch), err)
	s.trouble.Store(nil)
	if err != nil {
		err = s.unavailable("write", err)
		s.fail(err)
		for _, u := range batch {
			if len(u.set) > 0 && u.err == nil {
				u.err = err
			}
		}
	}
	l.turn.Unlock()
	if base.stamp == (stamp{}) && !s.checkpoints.byHand {
		s.makeFile()
	}
	s.answer(batch)
	return nil
}

// written is how many updates of a batch have something to write.
func written(batch []*update) (n int) {
	for _, u := range batch {
		if len(u.set) > 0 && u.err == nil {
			n++
		}
	}
	return n
}

// makeFile writes the file of a store that had none, so that other programs
// find it from the first change on.
func (s *Store) makeFile() {
	ctx, cancel := context.WithTimeout(context.Background(), makeTime)
	defer cancel()
	if err := s.checkpoint(ctx, false); err != nil {
		s.log.Debug("session store file is not there yet", "path", s.path, "err", err) // checkpointLoop tries again
	}
}

// write makes staged changes durable and then publishes them. The caller holds
// turn.
func (s *Store) write(base, next *Snapshot, lines []byte, batch []*update) error {
	l := s.commits
	if l.journal == nil {
		l.mu.Lock()
		h := header{l.base, base.n}
		l.mu.Unlock()
		j, err := l.writeJournal(h, nil)
		if err != nil {
			return err
		}
		l.journal = j
	}
	if err := l.journal.append(lines); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range batch {
		for _, c := range u.set {
			l.mark(c)
		}
	}
	now := l.current.Load()
	switch {
	case now == base:
		l.publish(next)
	case !now.damaged:
		// A reader took in another program's file meanwhile.
		_, err := l.takeIn(next.n)
		return err
	}
	return nil // what is damaged is set aside with the journal, which has the changes
}

// answer tells those who wait what became of their changes, and has done what
// follows from them.
func (s *Store) answer(batch []*update) {
	wrote := false
	for _, u := range batch {
		if len(u.set) > 0 && u.err == nil {
			wrote = true
			s.maintained(u.removed, !u.sweeping)
		}
		close(u.done)
	}
	if wrote {
		s.poke()
	}
}

// unavailable is the answer for a failure that is not the client's.
func (s *Store) unavailable(doing string, err error) error {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return protocol.Unavailablef("%s session store %s: %v", doing, s.path, err)
}

package transcript

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/lockfile"
)

// renewEvery is how often a lock that is held gets a new time: other programs
// take one that is half an hour old.
const renewEvery = 5 * time.Minute

// transcriptLock is the lock file of a transcript: whoever runs on it holds it
// for the length of the run.
func transcriptLock(key string) lockfile.Lock {
	return lockfile.Lock{Path: key + ".lock", Stale: 30 * time.Minute, Stuck: 30 * time.Minute}
}

// lockedError is an ErrLocked in the words that clients of OpenClaw know.
type lockedError struct{ text string }

func (e *lockedError) Error() string { return e.text }
func (e *lockedError) Unwrap() error { return ErrLocked }

// Hold tells other programs that a run goes on which writes to the transcript
// of r, whose file need not exist yet, until release is called. It does not
// keep out anybody in this process: all who hold a transcript here share its
// lock file. The error is an ErrLocked when another program's run did not end
// within wait, or the cause of ctx. A lock file that cannot be made is logged
// only: neither can other programs make theirs then.
func (l *Library) Hold(ctx context.Context, r Ref, wait time.Duration) (release func(), err error) {
	p, err := l.target(r)
	if err != nil {
		return nil, err
	}
	root, err := l.openRoot(p)
	if err == nil {
		root.Close()
		release, err = l.take(ctx, p.key(), wait)
	}
	switch {
	case err == nil:
		return release, nil
	case errors.Is(err, ErrLocked):
		return nil, err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	l.log.Warn("a transcript cannot be locked: other programs may write to it during a run", "path", p.path(), "err", err)
	return func() {}, nil
}

// openRoot opens the directory that bounds p, and makes those that p lies in.
func (l *Library) openRoot(p place) (*disk.Root, error) {
	if err := l.disk.MkdirAll(p.base); err != nil {
		return nil, err
	}
	root, err := l.disk.OpenRoot(p.base)
	if err != nil {
		return nil, err
	}
	if err := root.MkdirAll(filepath.Dir(p.name)); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// claim keeps other programs from starting a run on a transcript that is about
// to be rewritten; it waits for one that goes on.
func (l *Library) claim(key string) (release func(), err error) {
	return l.take(context.Background(), key, claimWait)
}

// holds are the lock files that this process has, or is about to take or to
// remove, by the keys of their transcripts.
type holds struct {
	mu   sync.Mutex // guards list and users
	list map[string]*hold
}

type hold struct {
	lock  lockfile.Lock
	users int
	// turn is full while somebody takes, renews or removes the file; so it
	// guards the rest.
	turn    chan struct{}
	release func() error // nil while the file is not ours
	renewal *time.Timer
}

// take takes the lock file of a transcript, or shares it with those in this
// process that have it.
func (l *Library) take(ctx context.Context, key string, wait time.Duration) (release func(), err error) {
	h := l.holds.join(key)
	if err := l.acquire(ctx, h, wait); err != nil {
		l.holds.leave(key, h)
		l.holds.forget(key, h)
		if held, ok := errors.AsType[*lockfile.HeldError](err); ok {
			err = &lockedError{held.Told(wait)}
		}
		return nil, err
	}
	return sync.OnceFunc(func() { l.giveBack(key, h) }), nil
}

func (l *Library) acquire(ctx context.Context, h *hold, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	if err := h.takeTurn(ctx, wait); err != nil {
		return err
	}
	defer func() { <-h.turn }()
	if h.release != nil {
		return nil
	}
	release, err := h.lock.Acquire(ctx, deadline)
	if err != nil {
		return err
	}
	h.release = release
	h.renewal = time.AfterFunc(renewEvery, func() { l.renew(h) })
	return nil
}

func (h *hold) takeTurn(ctx context.Context, wait time.Duration) error {
	select {
	case h.turn <- struct{}{}: // also when there is no time to wait
		return nil
	default:
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-limit.C:
		return &lockfile.HeldError{Path: h.lock.Path, PID: h.lock.Owner()}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// renew gives a lock file a new time, and again after a while.
func (l *Library) renew(h *hold) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	if h.release == nil {
		return // it was given back meanwhile
	}
	if err := h.lock.Refresh(); err != nil {
		l.log.Warn("lock of a transcript cannot be renewed", "lock", h.lock.Path, "err", err)
	}
	h.renewal.Reset(renewEvery)
}

// giveBack removes the lock file when nobody here needs it any more.
func (l *Library) giveBack(key string, h *hold) {
	h.turn <- struct{}{}
	if l.holds.leave(key, h) == 0 {
		h.renewal.Stop()
		if err := h.release(); err != nil {
			l.log.Warn("lock of a transcript stays behind", "lock", h.lock.Path, "err", err)
		}
		h.release = nil
	}
	<-h.turn
	l.holds.forget(key, h)
}

func (s *holds) join(key string) *hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.list[key]
	if h == nil {
		if s.list == nil {
			s.list = map[string]*hold{}
		}
		h = &hold{lock: transcriptLock(key), turn: make(chan struct{}, 1)}
		s.list[key] = h
	}
	h.users++
	return h
}

func (s *holds) leave(key string, h *hold) (users int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.users--
	return h.users
}

// forget drops a hold without users. Whoever joined since keeps it.
func (s *holds) forget(key string, h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users == 0 && s.list[key] == h {
		delete(s.list, key)
	}
}

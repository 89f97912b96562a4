package sessions

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/lockfile"
	"github.com/parleyd/parley/internal/protocol"
)

const (
	// lockWait is how long an Update waits from the moment it was queued.
	lockWait = 10 * time.Second
	// lockStale is the age at which a lock without a living, known owner may be
	// taken, lockStuck that for one whose owner is certainly alive.
	lockStale = 30 * time.Second
	lockStuck = 5 * time.Minute
)

// fileLock is the lock file <store>.lock that OpenClaw uses as well.
type fileLock struct{ lockfile.Lock }

// storeLock is the lock of a store; its directory is resolved through symbolic
// links, so that two names of one directory share it.
func storeLock(store string) fileLock {
	dir := filepath.Dir(store)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	path := filepath.Join(dir, filepath.Base(store)+".lock")
	return fileLock{lockfile.Lock{Path: path, Stale: lockStale, Stuck: lockStuck}}
}

// LockFile is the lock of the store that other programs know.
func (s *Store) LockFile() lockfile.Lock { return storeLock(s.path).Lock }

// acquire waits for the lock until the deadline. The error is then the text
// that clients of OpenClaw know.
func (l fileLock) acquire(ctx context.Context, deadline time.Time) (release func() error, err error) {
	release, err = l.Acquire(ctx, deadline)
	if _, held := errors.AsType[*lockfile.HeldError](err); held {
		return nil, l.held()
	}
	return release, err
}

// held is the error for a lock that could not be had in time.
func (l fileLock) held() *protocol.Error {
	owner := "unknown"
	if pid := l.Owner(); pid > 0 {
		owner = fmt.Sprintf("pid=%d", pid)
	}
	return protocol.Unavailablef("Error: session file locked (timeout %dms): %s %s", lockWait.Milliseconds(), owner, l.Path)
}

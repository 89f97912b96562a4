package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/protocol"
)

// commit is Update for the one whose turn it is. wrote is false when there was
// nothing to write.
func (s *Store) commit(ctx context.Context, deadline time.Time, fn func(*Tx) error) (removed []Removed, wrote bool, err error) {
	if s.closed {
		return nil, false, protocol.Unavailablef("session store %s is closed", s.path)
	}
	base, tx, err := s.stage(fn)
	if err != nil || !tx.changed {
		return nil, false, err
	}
	release, err := s.lock(ctx, deadline)
	if err != nil {
		return nil, false, s.unavailable("lock", err)
	}
	defer func() {
		if err := release(); err != nil {
			s.log.Error("session store lock cannot be removed", "path", s.path, "err", err)
		}
	}()
	if v, err := s.refresh(); err != nil {
		return nil, false, s.unavailable("read", err)
	} else if v != base {
		if base, tx, err = s.stage(fn); err != nil || !tx.changed {
			return nil, false, err
		}
	}
	removed = s.prepare(base, tx)
	if err := s.write(base, tx.Snapshot); err != nil {
		return nil, false, s.unavailable("write", err)
	}
	return removed, true, nil
}

// stage runs fn on a copy of the present content.
func (s *Store) stage(fn func(*Tx) error) (*Snapshot, *Tx, error) {
	base, err := s.refresh()
	if err != nil {
		return nil, nil, s.unavailable("read", err)
	}
	tx := newTx(base)
	if err := fn(tx); err != nil {
		return nil, nil, err
	}
	return base, tx, nil
}

// prepare brings a changed store into the form that is written: entries in
// order, and within its limits.
func (s *Store) prepare(base *Snapshot, tx *Tx) []Removed {
	v := tx.Snapshot
	if base.normal {
		for key := range tx.touched {
			v.normalizeKey(key)
		}
	} else {
		for key := range base.All() {
			v.normalizeKey(key)
		}
		for key := range tx.touched {
			v.normalizeKey(key)
		}
		v.normal = true
	}
	return s.limit(tx, time.Now())
}

func (v *Snapshot) normalizeKey(key string) {
	if e, ok := v.Get(key); ok {
		if n := normalize(e); n.e != e.e {
			v.put(key, n.Raw(), n)
		}
	}
}

// write replaces the file by v, durably, and then publishes v.
func (s *Store) write(base, v *Snapshot) error {
	now := time.Now()
	if base.damaged {
		to, err := setAside(s.path, now)
		if err != nil {
			return fmt.Errorf("set the damaged file aside: %w", err)
		}
		s.log.Error("session store was damaged; its content is set aside and a new file begun", "path", s.path, "aside", to)
	} else if err := s.rotate(base, now); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	v.damaged = false
	defer s.pending.Store(nil)
	var system *disk.FS
	root, err := system.OpenRoot(s.Dir())
	if err != nil {
		return err
	}
	defer root.Close()
	t, err := atomicfile.Create(root, filepath.Base(s.path), func(w io.Writer) error {
		_, err := w.Write(v.render())
		return err
	})
	if err != nil {
		return err
	}
	v.stamp = stampOf(t.Info)
	s.pending.Store(&v.stamp)
	if err := t.Commit(); err != nil {
		return err
	}
	s.current.Store(v)
	return nil
}

// lock excludes other programs: our own by an OS lock that is kept until
// Close, OpenClaw by its lock file, for this one change.
func (s *Store) lock(ctx context.Context, deadline time.Time) (release func() error, err error) {
	if err := os.MkdirAll(s.Dir(), 0o700); err != nil {
		return nil, err
	}
	if err := s.own(); err != nil {
		return nil, err
	}
	release, err = fileLock{lockPath(s.path)}.acquire(ctx, deadline)
	if errors.Is(err, fs.ErrNotExist) {
		// The directory was removed in between; once more, then give up.
		if err := os.MkdirAll(s.Dir(), 0o700); err != nil {
			return nil, err
		}
		return fileLock{lockPath(s.path)}.acquire(ctx, deadline)
	}
	return release, err
}

// own takes the OS lock, if we do not have it.
func (s *Store) own() error {
	path := s.path + ".flock"
	if s.owner != nil {
		if s.ownerInPlace(path) {
			return nil
		}
		if err := s.owner.Close(); err != nil {
			return err
		}
		s.owner = nil
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		return protocol.Unavailablef("session store %s is in use by another parley process", s.path)
	}
	s.owner = l
	return nil
}

// ownerInPlace reports whether the file that we hold is still the one with
// that name; the directory may have been removed and made anew.
func (s *Store) ownerInPlace(path string) bool {
	held, err := s.owner.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
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

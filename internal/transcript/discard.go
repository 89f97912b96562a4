package transcript

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Discard removes the transcript of a session that is not to be after all.
func (l *Library) Discard(r Ref) error {
	p, err := l.existing(r)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.locks.lock(p.key())()
	return l.remove(p)
}

// DiscardBlank is Discard for a transcript that holds its header and nothing
// else. Any other stays.
func (l *Library) DiscardBlank(r Ref) error {
	s, err := l.open(r)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close()
	defer l.locks.lock(s.key)()
	if err := s.reopen(); errors.Is(err, ErrNotFound) {
		return nil // it was archived meanwhile
	} else if err != nil {
		return err
	}
	ix, err := l.indexLocked(s)
	if err != nil || !ix.head.ok || ix.filled > 1 {
		return err
	}
	return l.remove(s.place)
}

// remove removes a transcript, durably. The caller holds its lock.
func (l *Library) remove(p place) error {
	root, err := l.disk.OpenRoot(p.base)
	if err != nil {
		return err
	}
	defer root.Close()
	defer l.cache.drop(p.key())
	if err := root.Remove(p.name); err != nil {
		return fmt.Errorf("remove transcript: %w", err)
	}
	return root.SyncDir(filepath.Dir(p.name))
}

package sessions

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// warnEvery is the least time between two warnings about one store.
	warnEvery = time.Minute
	// rotateEvery is the least time between two rotations: a store that stays
	// above the limit would else be rotated by every write, and the few backups
	// that are kept would be seconds old.
	rotateEvery = time.Hour
	// keptBackups is how many rotated files are kept.
	keptBackups = 3
)

// limit applies the age and count limits to a change, in mode enforce; in mode
// warn it only says so. The main session, sessions with a run, and those that
// the change is about stay, whatever the limits say.
func (s *Store) limit(tx *Tx, now time.Time) []Removed {
	if !s.rules.Enforce {
		s.warn(tx, now)
		return nil
	}
	var out []Removed
	drop := func(r *record) {
		tx.remove(r)
		out = append(out, Removed{Key: r.canon, Entry: r.entry})
	}
	cutoff := float64(now.Add(-s.rules.PruneAfter).UnixMilli())
	pruned := 0
	for _, r := range tx.oldest(func(r *record) bool { return !r.dated || r.updated < cutoff }) {
		if r.dated && !s.protected(tx, r) {
			drop(r)
			pruned++
		}
	}
	if pruned > 0 {
		s.log.Info("pruned stale session entries", "path", s.path, "count", pruned)
	}
	if over := tx.Len() - s.rules.MaxEntries; over > 0 {
		capped := 0
		for _, r := range tx.oldest(nil) {
			if capped < over && !s.protected(tx, r) {
				drop(r)
				capped++
			}
		}
		s.log.Info("capped session entry count", "path", s.path, "count", capped, "max", s.rules.MaxEntries)
	}
	return out
}

// oldest are the records from the oldest on, as long as more holds.
func (v *Snapshot) oldest(more func(*record) bool) []*record {
	var out []*record
	v.recent.Descend(&record{updated: math.Inf(-1), slot: &slot{pos: math.MaxUint64}}, func(r *record) bool {
		if more != nil && !more(r) {
			return false
		}
		out = append(out, r)
		return true
	})
	return out
}

func (s *Store) protected(tx *Tx, r *record) bool {
	return r.canon == s.keys.Main() || tx != nil && tx.touched[r.key] || s.protect != nil && s.protect(r.canon)
}

func (s *Store) warn(tx *Tx, now time.Time) {
	if over := tx.Len() - s.rules.MaxEntries; over > 0 && s.rules.MaxEntries > 0 && s.mayWarn(now) {
		s.log.Warn("session store holds more entries than its limit (mode warn: nothing is removed)",
			"path", s.path, "entries", tx.Len(), "max", s.rules.MaxEntries)
	}
}

// mayWarn reports whether it is time for another warning.
func (s *Store) mayWarn(now time.Time) bool {
	last := s.warned.Load()
	return now.UnixMilli()-last >= warnEvery.Milliseconds() && s.warned.CompareAndSwap(last, now.UnixMilli())
}

// rotate keeps the present file as a backup when it is larger than allowed. It
// stays in place under its name until the new one replaces it.
func (s *Store) rotate(base *Snapshot, now time.Time) error {
	if !s.rules.Enforce || s.rules.RotateBytes <= 0 || base.stamp.size <= s.rules.RotateBytes {
		return nil
	}
	backups, err := s.backups()
	if err != nil {
		return err
	}
	if n := len(backups); n > 0 && now.UnixMilli()-backups[n-1] < rotateEvery.Milliseconds() {
		return nil
	}
	to := fmt.Sprintf("%s.bak.%d", s.path, now.UnixMilli())
	if err := os.Link(s.path, to); err != nil {
		data, err := os.ReadFile(s.path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return err
		}
	}
	s.log.Info("rotated session store file", "path", s.path, "backup", to)
	return os.Chmod(to, 0o600)
}

// backups are the times of the rotated files, oldest first.
func (s *Store) backups() ([]int64, error) {
	names, err := os.ReadDir(s.Dir())
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, n := range names {
		if at, ok := backupTime(filepath.Base(s.path), n.Name()); ok {
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return out, nil
}

// backupTime is the time in the name of a rotated file, "<store>.bak.<ms>".
func backupTime(store, name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, store+".bak.")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 10, 64)
	return at, err == nil
}

package sessions

import (
	"math"
	"time"
)

// warnEvery is the least time between two warnings about one store.
const warnEvery = time.Minute

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
	v.recent.Descend(&record{updated: math.Inf(-1), pos: math.MaxUint64}, func(r *record) bool {
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

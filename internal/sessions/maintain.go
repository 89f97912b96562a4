package sessions

import (
	"iter"
	"math"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"
)

// warnEvery is the least time between two warnings of one kind about a store.
const warnEvery = time.Minute

// Action is what maintenance does with an entry.
type Action string

// The actions, in the words of the cleanup command.
const (
	Keep         Action = "keep"
	PruneMissing Action = "prune-missing" // its transcript is not there
	PruneStale   Action = "prune-stale"   // it is too old
	CapOverflow  Action = "cap-overflow"  // there are too many
	EvictBudget  Action = "evict-budget"  // they take too much space
)

// Removed is an entry that maintenance took out of a store.
type Removed struct {
	Key   string // canonical
	Entry Entry
	// Action says why. With EvictBudget the transcript is gone, too; else it is
	// still there, to be archived.
	Action Action

	stored string // the key in the file
}

func removedFrom(r *record, why Action) Removed {
	return Removed{Key: r.canon, Entry: r.entry, Action: why, stored: r.key}
}

// limit applies the age and count limits to a change, in mode enforce; in mode
// warn it only says so. Its cost is that of what it removes, not of what the
// store holds.
func (s *Store) limit(tx *Tx, now time.Time) []Removed {
	if !s.rules().Enforce {
		s.warn(tx, now)
		return nil
	}
	written := tx.written()
	if s.rules().Budget {
		s.sweeper.note(written())
	}
	return s.trim(tx, now, s.exempt(func(canon string) bool { return written()[canon] }), tx.remove)
}

// written gives the canonical keys that a change is about. They are gathered
// when first asked for: most changes remove nothing.
func (tx *Tx) written() func() map[string]bool {
	var keys map[string]bool
	return func() map[string]bool {
		if keys == nil {
			keys = make(map[string]bool, len(tx.touched))
			for _, t := range tx.touched {
				keys[stored(t.key, tx.agent)] = true
			}
		}
		return keys
	}
}

// exempt reports which entries maintenance leaves alone, whatever the limits
// say: main sessions, sessions with a run, and those that also names.
func (s *Store) exempt(also func(canon string) bool) func(*record) bool {
	return func(r *record) bool {
		return s.keys.isMain(r.canon) || also(r.canon) || s.protect != nil && s.protect(r.canon)
	}
}

// isMain reports whether a canonical key is the main session of some agent.
func (k Keys) isMain(canonical string) bool {
	_, rest, ok := ParseKey(canonical)
	return canonical == k.Main() || ok && rest == mainRest
}

// trim removes what is too old, then the oldest of what is too much; stays
// says what must not go.
func (s *Store) trim(tx *Tx, now time.Time, stays func(*record) bool, remove func(*record)) []Removed {
	var out []Removed
	drop := func(why Action, from iter.Seq[*record], most int) {
		var victims []*record // gathered first: removing changes what is walked
		for r := range from {
			if len(victims) >= most {
				break
			}
			if !stays(r) {
				victims = append(victims, r)
			}
		}
		for _, r := range victims {
			remove(r)
			out = append(out, removedFrom(r, why))
		}
	}
	drop(PruneStale, tx.stale(s.cutoff(now)), math.MaxInt)
	drop(CapOverflow, oldest(tx.recent), tx.Len()-s.rules().MaxEntries)
	return out
}

// cutoff is the updatedAt before which an entry is too old.
func (s *Store) cutoff(now time.Time) float64 {
	return float64(now.Add(-s.rules().PruneAfter).UnixMilli())
}

// oldest yields the entries from the oldest on. Those without a time come
// before all that have a sensible one; of equally old ones the last in the
// file comes first.
func oldest(recent *btree.BTreeG[*record]) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		recent.Descend(&record{updated: math.Inf(-1), slot: &slot{pos: math.MaxUint64}}, yield)
	}
}

// stale yields the entries with an updatedAt before cutoff, the oldest first.
// Entries without one lie in the index as if they were of the time 0; they are
// jumped over, so that many of them do not make each change slow.
func (v *Snapshot) stale(cutoff float64) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		more := true
		walk := func(from, to float64, most int) {
			to = min(to, cutoff)
			if !more || most <= 0 || from >= to {
				return
			}
			v.recent.Descend(&record{updated: from, slot: &slot{pos: math.MaxUint64}}, func(r *record) bool {
				if r.updated >= to {
					return false
				}
				if r.dated {
					more = yield(r)
					most--
				}
				return more && most > 0
			})
		}
		walk(math.Inf(-1), 0, math.MaxInt)
		walk(0, math.SmallestNonzeroFloat64, v.zeros)
		walk(math.SmallestNonzeroFloat64, math.Inf(1), math.MaxInt)
	}
}

// warn says in mode warn that a session that was just written would not have
// stayed, were it not for the mode.
func (s *Store) warn(tx *Tx, now time.Time) {
	if !s.sweeper.limitWarning.due(now) {
		return
	}
	newestGone, over := tx.recent.GetAt(s.rules().MaxEntries) // the first beyond the limit
	cutoff := s.cutoff(now)
	for _, t := range tx.touched {
		r := tx.record(t.key)
		if r == nil || !r.object || s.keys.isMain(r.canon) {
			continue
		}
		stale, capped := r.dated && r.updated < cutoff, over && !tx.recent.Less(r, newestGone)
		if (stale || capped) && s.sweeper.limitWarning.take(now) {
			s.log.Warn("session maintenance would remove a session that was just written (warn-only mode)", "path", s.path,
				"session", r.canon, "stale", stale, "over the cap", capped, "entries", tx.Len(), "max", s.rules().MaxEntries)
			return
		}
	}
}

// logRemoved tells what the age and count limits removed.
func (s *Store) logRemoved(removed []Removed) {
	counts := map[Action]int{}
	for _, r := range removed {
		counts[r.Action]++
	}
	if n := counts[PruneMissing]; n > 0 {
		s.log.Info("removed session entries without a transcript", "path", s.path, "count", n)
	}
	if n := counts[PruneStale]; n > 0 {
		s.log.Info("pruned stale session entries", "path", s.path, "count", n)
	}
	if n := counts[CapOverflow]; n > 0 {
		s.log.Info("capped session entry count", "path", s.path, "count", n, "max", s.rules().MaxEntries)
	}
}

// pace lets one thing through per warnEvery.
type pace struct{ last atomic.Int64 } // ms

func (p *pace) due(now time.Time) bool {
	return now.UnixMilli()-p.last.Load() >= warnEvery.Milliseconds()
}

func (p *pace) take(now time.Time) bool {
	last := p.last.Load()
	return now.UnixMilli()-last >= warnEvery.Milliseconds() && p.last.CompareAndSwap(last, now.UnixMilli())
}

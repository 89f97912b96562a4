package sessions

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// keptLines is how large a buffer for lines is kept for the next batch.
const keptLines = 1 << 20

// stage runs the functions of a batch one after another on a copy of base. The
// result holds the changes of those that succeeded, lines say so.
func (s *Store) stage(base *Snapshot, batch []*update) (next *Snapshot, lines []byte) {
	next = base.clone()
	first := base.n + 1
	lines = s.lines[:0]
	clear(s.commits.staged)
	for _, u := range batch {
		u.err, u.panicked, u.set, u.removed = nil, nil, nil, nil
		if u.ctx.Err() != nil {
			u.err = context.Cause(u.ctx)
			continue
		}
		tx := newTx(next)
		u.err = u.run(tx)
		if base.changed != nil {
			base.changed.Store(true)
		}
		if u.err != nil || u.panicked != nil {
			tx.undo()
			continue
		}
		if !tx.changed {
			continue
		}
		now := time.Now()
		u.removed = s.limit(tx, now)
		if u.set = s.commits.changes(base, tx, now.UnixMilli()); len(u.set) == 0 {
			continue
		}
		next.n++
		for i := range u.set {
			u.set[i].n = next.n
			s.commits.staged[u.set[i].key] = true
		}
		lines = appendChanges(lines, next.n, first, now.UnixMilli(), u.set)
	}
	if cap(lines) <= keptLines {
		s.lines = lines
	}
	return next, lines
}

// run calls the function; its panic is for the one who called Update.
func (u *update) run(tx *Tx) error {
	defer func() {
		if p := recover(); p != nil {
			u.panicked = p
		}
	}()
	return u.fn(tx)
}

// changes are what a transaction changed, in the form that is written:
// removals, then values by their place, so that new keys come in their order. A
// key that was removed and put again is both.
func (l *fileLog) changes(base *Snapshot, tx *Tx, t int64) []change {
	out := make([]change, 0, len(tx.touched))
	var places map[string]uint64
	if len(tx.touched) > 1 {
		places = map[string]uint64{}
	}
	removals := 0
	for _, k := range tx.touched {
		if !k.changed {
			continue
		}
		old, r := k.before, tx.settle(k)
		if old == nil && r == nil || old != nil && r != nil && old.pos == r.pos && string(old.text()) == string(r.text()) {
			continue
		}
		c := change{key: k.key, was: l.was(base, k), t: t}
		if old != nil && (r == nil || old.pos != r.pos) {
			out = slices.Insert(out, removals, c)
			removals++
		}
		if r != nil {
			c.entry = r.text()
			out = append(out, c)
			if places != nil {
				places[k.key] = r.pos
			}
		}
	}
	slices.SortStableFunc(out[removals:], func(a, b change) int { return cmp.Compare(places[a.key], places[b.key]) })
	return out
}

// settle brings a changed entry into the form that is written.
func (tx *Tx) settle(k touched) *record {
	r := tx.record(k.key)
	if r == nil || !r.object || k.before != nil && k.before.object && k.before.entry.e.settledAs(r.entry.e) {
		return r
	}
	if n := normalize(r.entry); n.e != r.entry.e {
		next := tx.member(r, k.key, n)
		tx.replace(r, next)
		return next
	}
	return r
}

// was is the hash of a changed key's value in the file. The key is in dirty, or
// was changed earlier in the batch, or before is the member that the file has.
func (l *fileLog) was(base *Snapshot, k touched) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.dirty[k.key]; ok {
		return c.was
	}
	if l.staged[k.key] {
		return base.fileHash(base.record(k.key))
	}
	return base.fileHash(k.before)
}

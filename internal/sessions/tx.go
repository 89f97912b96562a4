package sessions

import (
	"slices"
	"time"
)

// Tx is a change in the making: it reads like a Snapshot that already has the
// changes made so far. It must not be used after the function it was given to
// returned, nor by several goroutines.
type Tx struct {
	*Snapshot
	changed bool
	touched []touched
	places  map[string]int // of the keys in touched, once they are many
	first   uint64         // pos of the next new key at the beginning

	// A change looks up the same key several times: what the last search
	// compared with, and what it found, nil for nothing.
	pivot       slot
	pivotRecord record
	found       *record
}

// touched is a stored key that was put, be it unchanged, or deleted.
type touched struct {
	key     string
	changed bool
	before  *record // what a changed key was before
}

// fewKeys is how many keys are searched one by one.
const fewKeys = 16

// newTx begins a change of v, which nobody reads yet.
func newTx(v *Snapshot) *Tx { return &Tx{Snapshot: v, first: v.next} }

// record is Snapshot.record.
func (tx *Tx) record(key string) *record {
	if key == tx.pivot.key && tx.pivot.object {
		return tx.found
	}
	tx.pivot.key, tx.pivot.object = key, true // the search looks at the key alone
	tx.found = nil
	if s, ok := tx.byKey.Get(named{hashKey(key), &tx.pivot}); ok {
		tx.pivotRecord.slot = s.slot
		tx.found, _ = tx.order.Get(&tx.pivotRecord)
	}
	return tx.found
}

// replace is Snapshot.replace.
func (tx *Tx) replace(old, r *record) {
	tx.Snapshot.replace(old, r)
	tx.pivot.object = false
	if r != nil {
		tx.pivot.key, tx.pivot.object, tx.found = r.key, true, r
	}
}

// undo takes back what was changed.
func (tx *Tx) undo() {
	for _, t := range tx.touched {
		if r := tx.record(t.key); r != nil && t.changed {
			tx.replace(r, nil)
		}
	}
	for _, t := range tx.touched {
		if t.before != nil {
			tx.replace(nil, t.before)
		}
	}
	tx.next = tx.first
}

// hold remembers that a key is one that the change is about.
func (tx *Tx) hold(key string) *touched {
	if i := tx.held(key); i >= 0 {
		return &tx.touched[i]
	}
	tx.touched = append(tx.touched, touched{key: key})
	if tx.places != nil {
		tx.places[key] = len(tx.touched) - 1
	}
	return &tx.touched[len(tx.touched)-1]
}

// held is the place of a key in touched, -1 when it is not there.
func (tx *Tx) held(key string) int {
	if len(tx.touched) <= fewKeys {
		return slices.IndexFunc(tx.touched, func(t touched) bool { return t.key == key })
	}
	if tx.places == nil {
		tx.places = make(map[string]int, 2*len(tx.touched))
		for i, t := range tx.touched {
			tx.places[t.key] = i
		}
	}
	if i, ok := tx.places[key]; ok {
		return i
	}
	return -1
}

// touch remembers what a key was before it changed.
func (tx *Tx) touch(key string, old *record) {
	if t := tx.hold(key); !t.changed {
		t.changed, t.before = true, old
	}
	tx.changed = true
}

// Get is the entry with exactly this stored key.
func (tx *Tx) Get(key string) (Entry, bool) {
	r := tx.record(key)
	if r == nil || !r.object {
		return Entry{}, false
	}
	return r.entry, true
}

// Put sets the entry of a stored key; a new key goes to the end of the file.
func (tx *Tx) Put(key string, e Entry) {
	if e.e == nil {
		e = lazyEntry(e.Raw(), nil)
	}
	old := tx.record(key)
	if old != nil && old.object {
		if old.entry == e || string(old.entry.Raw()) == string(e.Raw()) {
			tx.hold(key)
			return
		}
		e = keepACP(old.entry, e)
	}
	tx.touch(key, old)
	tx.replace(old, tx.member(old, key, e))
}

// maxAhead is how far Time may be ahead of the clock.
const maxAhead = 3 * time.Millisecond

// Time is the updatedAt of a change that is made now: of changes within one
// millisecond the later one gets a later time, so that lists, newest first, show
// them in the order in which they were made. At a rate at which the times would
// run away from the clock they are the clock's.
func (tx *Tx) Time(now time.Time) time.Time {
	newest, ok := tx.recent.Min()
	if !ok || newest.updated < float64(now.UnixMilli()) || newest.updated >= float64(now.Add(maxAhead).UnixMilli()) {
		return now
	}
	return time.UnixMilli(int64(newest.updated) + 1)
}

// Delete removes a stored key.
func (tx *Tx) Delete(key string) {
	if r := tx.record(key); r != nil {
		tx.remove(r)
	}
}

// remove removes a member.
func (tx *Tx) remove(r *record) {
	tx.touch(r.key, r)
	tx.replace(r, nil)
}

// Claim brings a session under its canonical key: the freshest of its
// spellings moves there and the others go; given is as for Find. It is the entry
// then, if there is one.
func (tx *Tx) Claim(target string, given ...string) (Entry, bool) {
	from, e, ok := tx.Find(target, given...)
	if !ok {
		return Entry{}, false
	}
	var others []string
	for r := range tx.meant(target, given) {
		if r.key != target {
			others = append(others, r.key)
		}
	}
	for _, key := range others {
		tx.Delete(key)
	}
	if from != target {
		tx.Put(target, e)
	}
	return e, true
}

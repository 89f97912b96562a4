package sessions

// Tx is a change in the making: it reads like a Snapshot that already has the
// changes made so far. It must not be used after the function it was given to
// returned, nor by several goroutines.
type Tx struct {
	*Snapshot
	changed  bool
	touched  map[string]bool    // stored keys put, be it unchanged, or deleted
	before   map[string]*record // what changed keys were before
	sequence []string           // of before, as they were first changed
	first    uint64             // pos of the next new key at the beginning

	// What a search compares with: a change looks up the same key several times.
	pivot       slot
	pivotRecord record
}

// newTx begins a change of v, which nobody reads yet.
func newTx(v *Snapshot) *Tx {
	return &Tx{Snapshot: v, touched: map[string]bool{}, before: map[string]*record{}, first: v.next}
}

// record is Snapshot.record.
func (tx *Tx) record(key string) *record {
	tx.pivot.key = key
	s, ok := tx.byKey.Get(&tx.pivot)
	if !ok {
		return nil
	}
	tx.pivotRecord.slot = s
	r, _ := tx.order.Get(&tx.pivotRecord)
	return r
}

// undo takes back what was changed.
func (tx *Tx) undo() {
	for _, key := range tx.sequence {
		if r := tx.record(key); r != nil {
			tx.replace(r, nil)
		}
	}
	for _, key := range tx.sequence {
		if old := tx.before[key]; old != nil {
			tx.replace(nil, old)
		}
	}
	tx.next = tx.first
}

// touch remembers what a key was before it changed.
func (tx *Tx) touch(key string, old *record) {
	if _, known := tx.before[key]; !known {
		tx.before[key] = old
		tx.sequence = append(tx.sequence, key)
	}
	tx.touched[key] = true
	tx.changed = true
}

// Put sets the entry of a stored key; a new key goes to the end of the file.
func (tx *Tx) Put(key string, e Entry) {
	if e.e == nil {
		e = lazyEntry(e.Raw(), false)
	}
	old := tx.record(key)
	if old != nil && old.object {
		if old.entry == e || string(old.entry.Raw()) == string(e.Raw()) {
			tx.touched[key] = true
			return
		}
		e = keepACP(old.entry, e)
	}
	tx.touch(key, old)
	tx.place(old, key, e)
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
// spellings moves there and the others go. It is the entry then, if there is
// one.
func (tx *Tx) Claim(target string) (Entry, bool) {
	from, e, ok := tx.Find(target)
	if !ok {
		return Entry{}, false
	}
	var others []string
	for r := range tx.spellings(target) {
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

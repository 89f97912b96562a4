package sessions

// Tx is a change in the making: it reads like a Snapshot that already has the
// changes made so far. It must not be used after the function it was given to
// returned, nor by several goroutines.
type Tx struct {
	*Snapshot
	changed bool
	touched map[string]bool // stored keys put or deleted
}

func newTx(v *Snapshot) *Tx {
	return &Tx{Snapshot: v.clone(), touched: map[string]bool{}}
}

// Put sets the entry of a stored key; a new key goes to the end of the file.
func (tx *Tx) Put(key string, e Entry) {
	if e.e == nil {
		e = lazyEntry(e.Raw())
	}
	tx.touched[key] = true
	if old, ok := tx.Get(key); ok {
		if string(old.Raw()) == string(e.Raw()) {
			return
		}
		e = keepACP(old, e)
	}
	tx.changed = true
	tx.put(key, e.Raw(), e)
}

// Delete removes a stored key.
func (tx *Tx) Delete(key string) {
	if r, ok := tx.byKey.Get(&record{key: key}); ok {
		tx.changed = true
		tx.touched[key] = true
		tx.remove(r)
	}
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

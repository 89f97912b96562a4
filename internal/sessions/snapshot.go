package sessions

import (
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/btree"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Snapshot is the content of a store at one moment. It never changes, so any
// number of goroutines may read it for as long as they like.
type Snapshot struct {
	keys  Keys
	agent string // bare keys in the file belong to it
	next  uint64 // pos of the next new key
	zeros int    // entries with an updatedAt of 0 (see stale)
	// respelt counts the entries whose key has another spelling before them.
	respelt int
	jobs    int   // entries that are runs of scheduled jobs
	aliens  int   // entries of other agents than the store's, "global" and "unknown" among them
	n       int64 // number of the last change, see the journal

	// Copy-on-write trees. Only order and recent hold what changes with every
	// change of an entry; the others name places in order, so that most changes
	// leave them alone.
	order     *btree.BTreeG[*record] // by place in the file
	recent    *btree.BTreeG[*record] // newest first, then place; objects only
	byKey     *btree.BTreeG[named]   // by the hash of the stored key
	byCanon   *btree.BTreeG[*slot]   // by canonical key, then place: the spellings of a key
	byLabel   *btree.BTreeG[*slot]   // entries with a label
	bySession *btree.BTreeG[*slot]   // entries with a sessionId
	byFile    *btree.BTreeG[*slot]   // entries with a sessionFile, by its base name
	byParent  *btree.BTreeG[link]

	stamp   stamp // the file that this is the content of, later changes aside
	tail    stamp // the journal of another process that they were read from
	damaged bool  // the file holds something that is no JSON object
	blank   bool  // the file is there and holds nothing
	own     bool  // the file is as we write it: nothing in it is in an old form
	// changed is shared with later snapshots: it becomes true when somebody has
	// tried to change what was read, for its entries in an old form.
	changed *atomic.Bool
}

// slot is a member's place in the file and what it is found by. It is
// immutable, and stays the same as long as these do.
type slot struct {
	pos     uint64
	key     string
	canon   string
	agent   string // of canon; "" for "global", "unknown" and what is no key
	object  bool   // false: not an object; kept in the file, unseen by readers
	job     bool   // canon is a run of a scheduled job
	label   string
	session string
	file    string
	parents []string
}

// record is one member of the file. It is immutable.
type record struct {
	*slot
	raw     rawjson.Value // of what is not an object
	entry   Entry
	updated float64
	dated   bool // there is an updatedAt
}

// zero is 1 for an entry with an updatedAt of 0, else 0.
func (r *record) zero() int {
	if r.dated && r.updated == 0 {
		return 1
	}
	return 0
}

// text is the member's compact JSON in the form that is written.
func (r *record) text() rawjson.Value {
	if r.object {
		return r.entry.e.text()
	}
	return r.raw
}

// named is a member by its key. A search compares the hashes, which lie in the
// tree itself, and looks at one key.
type named struct {
	hash uint64
	*slot
}

func hashKey(key string) uint64 { return xxhash.Sum64String(key) }

// link says that a member names parent as its parent.
type link struct {
	parent string
	*slot
}

func newSnapshot(keys Keys, agent string) *Snapshot {
	v := &Snapshot{keys: keys, agent: agent}
	v.order = tree(func(a, b *record) bool { return a.pos < b.pos })
	v.recent = tree(func(a, b *record) bool { return a.updated > b.updated || a.updated == b.updated && a.pos < b.pos })
	v.byKey = tree(func(a, b named) bool { return a.hash < b.hash || a.hash == b.hash && a.key < b.key })
	v.byCanon = tree(func(a, b *slot) bool { return a.canon < b.canon || a.canon == b.canon && a.pos < b.pos })
	v.byLabel = tree(func(a, b *slot) bool { return a.label < b.label || a.label == b.label && a.pos < b.pos })
	v.bySession = tree(func(a, b *slot) bool { return a.session < b.session || a.session == b.session && a.pos < b.pos })
	v.byFile = tree(func(a, b *slot) bool { return a.file < b.file || a.file == b.file && a.pos < b.pos })
	v.byParent = tree(func(a, b link) bool { return a.parent < b.parent || a.parent == b.parent && a.pos < b.pos })
	return v
}

// tree needs no locks: one writer works on an unpublished copy, readers on
// published ones.
func tree[T any](less func(a, b T) bool) *btree.BTreeG[T] {
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// clone is a copy to be changed; it shares what stays the same.
func (v *Snapshot) clone() *Snapshot {
	c := *v
	c.order, c.recent = v.order.Copy(), v.recent.Copy()
	c.byKey, c.byCanon, c.byLabel = v.byKey.Copy(), v.byCanon.Copy(), v.byLabel.Copy()
	c.bySession, c.byFile, c.byParent = v.bySession.Copy(), v.byFile.Copy(), v.byParent.Copy()
	return &c
}

// record is the member with exactly this stored key, nil when there is none.
func (v *Snapshot) record(key string) *record {
	s, ok := v.byKey.Get(named{hashKey(key), &slot{key: key}})
	if !ok {
		return nil
	}
	return v.at(s.slot)
}

// at is the member in a place.
func (v *Snapshot) at(s *slot) *record {
	r, _ := v.order.Get(&record{slot: s})
	return r
}

// put sets the value of a stored key, an entry: in its place when it is there,
// else at the end.
func (v *Snapshot) put(key string, e Entry) {
	old := v.record(key)
	v.replace(old, v.member(old, key, e))
}

// member is the record of an entry for a key whose present member is old, nil
// for none: it gets a new place then.
func (v *Snapshot) member(old *record, key string, e Entry) *record {
	s := slotOf(v.keys, v.agent, key, e)
	if old != nil {
		if s.pos = old.pos; s.same(old.slot) {
			s = old.slot
		}
	} else {
		s.pos = v.next
		v.next++
	}
	r := &record{slot: s, entry: e}
	r.updated, r.dated = e.Number("updatedAt")
	if f := e.e.fields.Load(); f != nil {
		splits.keep(e.e, f)
	}
	return r
}

// replace puts r into the place of old; either may be nil.
func (v *Snapshot) replace(old, r *record) {
	if old != nil {
		if old.object {
			v.recent.Delete(old)
			v.zeros -= old.zero()
		}
		if r == nil || r.slot != old.slot {
			v.forget(old.slot)
		}
		if r == nil {
			v.order.Delete(old)
			return
		}
	}
	v.order.Set(r)
	if r.object {
		v.recent.Set(r)
		v.zeros += r.zero()
	}
	if old == nil || r.slot != old.slot {
		v.learn(r.slot)
	}
}

// learn adds what a member is found by.
func (v *Snapshot) learn(s *slot) {
	v.byKey.Set(named{hashKey(s.key), s})
	if !s.object {
		return
	}
	if v.spelt(s.canon) {
		v.respelt++
	}
	v.tally(s, 1)
	v.byCanon.Set(s)
	if s.label != "" {
		v.byLabel.Set(s)
	}
	if s.session != "" {
		v.bySession.Set(s)
	}
	if s.file != "" {
		v.byFile.Set(s)
	}
	for _, p := range s.parents {
		v.byParent.Set(link{p, s})
	}
}

// tally counts an entry n times.
func (v *Snapshot) tally(s *slot, n int) {
	if s.job {
		v.jobs += n
	}
	if s.agent != v.agent {
		v.aliens += n
	}
}

// forget undoes learn.
func (v *Snapshot) forget(s *slot) {
	v.byKey.Delete(named{hashKey(s.key), s})
	if !s.object {
		return
	}
	v.byCanon.Delete(s)
	v.tally(s, -1)
	if v.spelt(s.canon) {
		v.respelt--
	}
	if s.label != "" {
		v.byLabel.Delete(s)
	}
	if s.session != "" {
		v.bySession.Delete(s)
	}
	if s.file != "" {
		v.byFile.Delete(s)
	}
	for _, p := range s.parents {
		v.byParent.Delete(link{p, s})
	}
}

// newSlot is the place of a key in an agent's file, its number not set yet.
func newSlot(agent, key string) *slot {
	s := &slot{key: key, canon: stored(key, agent)}
	s.agent, s.job = agentOf(s.canon, agent), CronRun(s.canon)
	return s
}

// slotOf is the place of an entry, its number not set yet.
func slotOf(keys Keys, agent, key string, e Entry) *slot {
	o := e.Fields()
	s := newSlot(agent, key)
	s.object, s.label, s.session = true, o.Text("label"), o.Text("sessionId")
	s.file = fileName(o.Text("sessionFile"))
	s.parents = parents(keys, agent, o.Text("spawnedBy"), o.Text("parentSessionKey"))
	return s
}

// same reports whether t is found by the same as s.
func (s *slot) same(t *slot) bool {
	return s.pos == t.pos && s.key == t.key && s.object == t.object && s.label == t.label && s.session == t.session &&
		s.file == t.file && slices.Equal(s.parents, t.parents)
}

// parents are the sessions that an entry in an agent's file calls its parent.
func parents(keys Keys, agent, spawnedBy, parentKey string) []string {
	if spawnedBy != "" {
		spawnedBy = keys.spawner(spawnedBy, agent)
	}
	return distinct(jstext.Trim(spawnedBy), jstext.Trim(parentKey))
}

// parentsOf are the sessions that an entry calls its parent: spawnedBy and
// parentSessionKey, as they stand.
func parentsOf(e Entry) []string {
	return distinct(jstext.Trim(e.Text("spawnedBy")), jstext.Trim(e.Text("parentSessionKey")))
}

// distinct are those of a and b that are not empty, each once.
func distinct(a, b string) []string {
	switch {
	case a == "" && b == "":
		return nil
	case a == "" || a == b:
		return []string{b}
	case b == "":
		return []string{a}
	}
	return []string{a, b}
}

// fileName is the base name of a sessionFile, "" when there is none.
func fileName(file string) string {
	if file = strings.TrimSpace(file); file == "" {
		return ""
	}
	return filepath.Base(file)
}

// Get is the entry with exactly this stored key.
func (v *Snapshot) Get(key string) (Entry, bool) {
	r := v.record(key)
	if r == nil || !r.object {
		return Entry{}, false
	}
	return r.entry, true
}

// Find is the entry that a canonical key means: of all its spellings in the
// file the one with the newest updatedAt, the canonical spelling in doubt. The
// key as a client gave it, if that is known, counts as a spelling, too.
func (v *Snapshot) Find(target string, given ...string) (storedKey string, e Entry, ok bool) {
	if v.respelt == 0 && target != globalKey {
		if r := v.record(target); r != nil && r.object {
			return r.key, r.entry, true // and there is no other spelling
		}
	}
	var best *record
	for r := range v.meant(target, given) {
		if best == nil || r.updated > best.updated || r.updated == best.updated && r.key == target {
			best = r
		}
	}
	if best == nil {
		return "", Entry{}, false
	}
	return best.key, best.entry, true
}

// meant yields the entries that a canonical key means which was given so: its
// spellings, and where it is an alias, as "main" is for "global", what stands in
// the file under the alias (spec: sessions 3.1).
func (v *Snapshot) meant(target string, given []string) iter.Seq[*record] {
	if target != globalKey || len(given) == 0 {
		return v.spellings(target)
	}
	alias := jstext.Lower(jstext.Trim(given[0]))
	return func(yield func(*record) bool) {
		for r := range v.spellings(target) {
			if !yield(r) {
				return
			}
		}
		if alias == target {
			return
		}
		for r := range v.spellings(stored(alias, v.agent)) {
			if jstext.Lower(r.key) == alias && !yield(r) {
				return
			}
		}
	}
}

// spellings yields the entries whose stored keys become this canonical one.
func (v *Snapshot) spellings(target string) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		v.byCanon.Ascend(&slot{canon: target}, func(s *slot) bool {
			return s.canon == target && yield(v.at(s))
		})
	}
}

// spelt reports whether there is a spelling of a canonical key.
func (v *Snapshot) spelt(target string) (is bool) {
	v.byCanon.Ascend(&slot{canon: target}, func(s *slot) bool {
		is = s.canon == target
		return false
	})
	return is
}

// Len is the number of entries.
func (v *Snapshot) Len() int { return v.recent.Len() }

// All yields stored keys and entries in file order.
func (v *Snapshot) All() iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		v.order.Scan(func(r *record) bool { return !r.object || yield(r.key, r.entry) })
	}
}

// Recent yields stored keys and entries newest first, equal ones in file
// order: those updated before the time given in ms, or all when it is 0.
func (v *Snapshot) Recent(before int64) iter.Seq2[string, Entry] {
	pivot := &record{updated: math.Inf(1), slot: &slot{}}
	if before > 0 {
		pivot = &record{updated: float64(before), slot: &slot{pos: math.MaxUint64}}
	}
	return func(yield func(string, Entry) bool) {
		v.recent.Ascend(pivot, func(r *record) bool { return yield(r.key, r.entry) })
	}
}

// LabelTaken reports whether an entry with another stored key has this label.
func (v *Snapshot) LabelTaken(label, except string) bool {
	taken := false
	v.byLabel.Ascend(&slot{label: label}, func(s *slot) bool {
		taken = s.label == label && s.key != except
		return s.label == label && !taken
	})
	return taken
}

// transcriptUsed reports whether an entry's transcript can be the file with
// this name in the directory of the store.
func (v *Snapshot) transcriptUsed(name string) bool {
	for range v.Naming(name) {
		return true
	}
	return false
}

// Naming yields the stored keys and entries whose transcript can have this file
// name, in whichever directory.
func (v *Snapshot) Naming(name string) iter.Seq2[string, Entry] {
	id, _ := strings.CutSuffix(name, ".jsonl")
	return func(yield func(string, Entry) bool) {
		more := true
		v.bySession.Ascend(&slot{session: id}, func(s *slot) bool {
			more = s.session != id || yield(s.key, v.at(s).entry)
			return more && s.session == id
		})
		if !more {
			return
		}
		v.byFile.Ascend(&slot{file: name}, func(s *slot) bool {
			return s.file == name && yield(s.key, v.at(s).entry)
		})
	}
}

// children yields the canonical keys of the entries that name parent, in file
// order.
func (v *Snapshot) children(parent string) iter.Seq[string] {
	return func(yield func(string) bool) {
		v.byParent.Ascend(link{parent, &slot{}}, func(l link) bool {
			return l.parent == parent && yield(l.canon)
		})
	}
}

// withLabel yields the canonical keys of the entries with a label.
func (v *Snapshot) withLabel(label string) iter.Seq[string] {
	return func(yield func(string) bool) {
		v.byLabel.Ascend(&slot{label: label}, func(s *slot) bool { return s.label == label && yield(s.canon) })
	}
}

// withSessionID yields the canonical keys of the entries with a session id.
func (v *Snapshot) withSessionID(id string) iter.Seq[string] {
	return func(yield func(string) bool) {
		v.bySession.Ascend(&slot{session: id}, func(s *slot) bool { return s.session == id && yield(s.canon) })
	}
}

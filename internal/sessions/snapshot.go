package sessions

import (
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"

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

	// Copy-on-write trees over the same records.
	order     *index // by place in the file
	byKey     *index // by stored key
	byCanon   *index // by canonical key, then place: the spellings of a key
	recent    *index // newest first, then place; objects only
	byLabel   *index // entries with a label
	bySession *index // entries with a sessionId
	byFile    *index // entries with a sessionFile, by its base name
	byParent  *btree.BTreeG[link]

	stamp   stamp // the file that this is the content of
	damaged bool  // the file holds something that is no JSON object
	normal  bool  // every entry is normalised (see normalize)
}

type index = btree.BTreeG[*record]

// record is one member of the file. It is immutable.
type record struct {
	pos     uint64
	key     string
	canon   string
	object  bool // false: not an object; kept in the file, unseen by readers
	raw     rawjson.Value
	entry   Entry
	updated float64
	dated   bool // there is an updatedAt
	label   string
	session string
	file    string
}

// link says that record names parent as its parent.
type link struct {
	parent string
	rec    *record
}

func newSnapshot(keys Keys, agent string) *Snapshot {
	opts := btree.Options{NoLocks: true} // one writer on an unpublished copy, readers on published ones
	make := func(less func(a, b *record) bool) *index { return btree.NewBTreeGOptions(less, opts) }
	return &Snapshot{
		keys:      keys,
		agent:     agent,
		order:     make(func(a, b *record) bool { return a.pos < b.pos }),
		byKey:     make(func(a, b *record) bool { return a.key < b.key }),
		byCanon:   make(func(a, b *record) bool { return a.canon < b.canon || a.canon == b.canon && a.pos < b.pos }),
		recent:    make(func(a, b *record) bool { return a.updated > b.updated || a.updated == b.updated && a.pos < b.pos }),
		byLabel:   make(func(a, b *record) bool { return a.label < b.label || a.label == b.label && a.pos < b.pos }),
		bySession: make(func(a, b *record) bool { return a.session < b.session || a.session == b.session && a.pos < b.pos }),
		byFile:    make(func(a, b *record) bool { return a.file < b.file || a.file == b.file && a.pos < b.pos }),
		byParent: btree.NewBTreeGOptions(func(a, b link) bool {
			return a.parent < b.parent || a.parent == b.parent && a.rec.pos < b.rec.pos
		}, opts),
		normal: true,
	}
}

// clone is a copy to be changed; it shares what stays the same.
func (v *Snapshot) clone() *Snapshot {
	c := *v
	c.order, c.byKey, c.byCanon = v.order.Copy(), v.byKey.Copy(), v.byCanon.Copy()
	c.recent, c.byLabel, c.bySession = v.recent.Copy(), v.byLabel.Copy(), v.bySession.Copy()
	c.byFile, c.byParent = v.byFile.Copy(), v.byParent.Copy()
	return &c
}

// put sets the value of a stored key: in its place when it is there, else at
// the end.
func (v *Snapshot) put(key string, raw rawjson.Value, e Entry) {
	r := &record{pos: v.next, key: key, canon: stored(key, v.agent), raw: raw, entry: e, object: e.e != nil}
	if old, ok := v.byKey.Get(&record{key: key}); ok {
		v.remove(old)
		r.pos = old.pos
	} else {
		v.next++
	}
	v.order.Set(r)
	v.byKey.Set(r)
	if !r.object {
		return
	}
	r.updated, r.dated = e.Number("updatedAt")
	r.label, r.session = e.Text("label"), e.SessionID()
	v.byCanon.Set(r)
	v.recent.Set(r)
	if r.label != "" {
		v.byLabel.Set(r)
	}
	if r.session != "" {
		v.bySession.Set(r)
	}
	if r.file = fileName(e); r.file != "" {
		v.byFile.Set(r)
	}
	for _, p := range v.parents(r) {
		v.byParent.Set(link{p, r})
	}
}

func (v *Snapshot) remove(r *record) {
	v.order.Delete(r)
	v.byKey.Delete(r)
	if !r.object {
		return
	}
	v.byCanon.Delete(r)
	v.recent.Delete(r)
	v.byLabel.Delete(r)
	v.bySession.Delete(r)
	v.byFile.Delete(r)
	for _, p := range v.parents(r) {
		v.byParent.Delete(link{p, r})
	}
}

// parents are the sessions that a record calls its parent.
func (v *Snapshot) parents(r *record) []string {
	return parentsOf(canonicalSpawner(v.keys, r.entry, v.agent))
}

// parentsOf are the sessions that an entry calls its parent: spawnedBy and
// parentSessionKey, as they stand.
func parentsOf(e Entry) []string {
	var out []string
	for _, name := range []string{"spawnedBy", "parentSessionKey"} {
		if p := jstext.Trim(e.Text(name)); p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// Get is the entry with exactly this stored key.
func (v *Snapshot) Get(key string) (Entry, bool) {
	r, ok := v.byKey.Get(&record{key: key})
	if !ok || !r.object {
		return Entry{}, false
	}
	return r.entry, true
}

// Find is the entry that a canonical key means: of all its spellings in the
// file the one with the newest updatedAt, the canonical spelling in doubt.
func (v *Snapshot) Find(target string) (storedKey string, e Entry, ok bool) {
	var best *record
	for r := range v.spellings(target) {
		if best == nil || r.updated > best.updated || r.updated == best.updated && r.key == target {
			best = r
		}
	}
	if best == nil {
		return "", Entry{}, false
	}
	return best.key, best.entry, true
}

func (v *Snapshot) spellings(target string) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		v.byCanon.Ascend(&record{canon: target}, func(r *record) bool {
			return r.canon == target && yield(r)
		})
	}
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
	pivot := &record{updated: math.Inf(1)}
	if before > 0 {
		pivot = &record{updated: float64(before), pos: math.MaxUint64}
	}
	return func(yield func(string, Entry) bool) {
		v.recent.Ascend(pivot, func(r *record) bool { return yield(r.key, r.entry) })
	}
}

// LabelTaken reports whether an entry with another stored key has this label.
func (v *Snapshot) LabelTaken(label, except string) bool {
	taken := false
	v.byLabel.Ascend(&record{label: label}, func(r *record) bool {
		taken = r.label == label && r.key != except
		return r.label == label && !taken
	})
	return taken
}

// Naming yields the stored keys and entries whose transcript can have this file
// name, in whichever directory.
func (v *Snapshot) Naming(name string) iter.Seq2[string, Entry] {
	id, _ := strings.CutSuffix(name, ".jsonl")
	return func(yield func(string, Entry) bool) {
		more := true
		v.bySession.Ascend(&record{session: id}, func(r *record) bool {
			more = r.session != id || yield(r.key, r.entry)
			return more && r.session == id
		})
		if !more {
			return
		}
		v.byFile.Ascend(&record{file: name}, func(r *record) bool {
			return r.file == name && yield(r.key, r.entry)
		})
	}
}

// fileName is the base name of an entry's sessionFile, "" when it has none.
func fileName(e Entry) string {
	file := strings.TrimSpace(e.Text("sessionFile"))
	if file == "" {
		return ""
	}
	return filepath.Base(file)
}

// children yields the canonical keys of the entries that name parent, in file
// order.
func (v *Snapshot) children(parent string) iter.Seq[string] {
	return func(yield func(string) bool) {
		v.byParent.Ascend(link{parent, &record{}}, func(l link) bool {
			return l.parent == parent && yield(l.rec.canon)
		})
	}
}

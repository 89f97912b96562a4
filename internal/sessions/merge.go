package sessions

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// conflict is a key that another program and we both changed.
type conflict struct {
	key  string
	kept string        // whose value stays: keptJournal or keptFile
	lost rawjson.Value // the other value, nil when it was a removal
}

const (
	keptJournal = "journal"
	keptFile    = "file"
)

// merge adds the changes that only the journal has to a file that was read,
// and remembers those that the file still does not have. When the file is not
// the one that the changes were made on, another program may have changed the
// same keys: of two values the newer one stays, ours in doubt, and the other
// one is written to the conflicts file. The caller holds mu.
func (l *fileLog) merge(v *Snapshot, continues bool) (*Snapshot, error) {
	kept := map[string]change{}
	var lost []conflict
	// In the order in which they were made, since new keys go to the end.
	for _, c := range slices.SortedFunc(maps.Values(l.dirty), func(a, b change) int { return cmp.Compare(a.order, b.order) }) {
		r := v.record(c.key)
		there := v.fileHash(r)
		switch {
		case c.is(r) && !c.moved:
			continue
		case continues || c.was == there:
		case r != nil && r.updated > float64(c.t):
			lost = append(lost, conflict{c.key, keptFile, c.entry})
			continue
		default:
			lost = append(lost, conflict{c.key, keptJournal, r.value()})
		}
		c.was = there
		kept[c.key] = c
		v.apply(c)
	}
	if l.owned.Load() {
		if err := l.note(lost); err != nil {
			return nil, err
		}
	}
	l.dirty = kept
	return v, nil
}

// fileHash is the hash that a member has in the file, "" for one that is not
// there. It holds for members that did not change since.
func (v *Snapshot) fileHash(r *record) string {
	switch {
	case r == nil:
		return ""
	case r.object && !v.own:
		return hashOf(r.entry.e.raw)
	}
	return hashOf(r.text())
}

// is reports whether r is what c made of the key.
func (c change) is(r *record) bool {
	if c.entry == nil || r == nil {
		return c.entry == nil && r == nil
	}
	return r.object && string(r.text()) == string(c.entry)
}

// value is the member's text, nil when there is none.
func (r *record) value() rawjson.Value {
	if r == nil {
		return nil
	}
	return r.text()
}

// apply makes a change that a journal tells of.
func (v *Snapshot) apply(c change) {
	if c.entry == nil {
		if r := v.record(c.key); r != nil {
			v.replace(r, nil)
		}
		return
	}
	if r := v.record(c.key); r != nil && c.moved {
		v.replace(r, nil)
	}
	v.put(c.key, lazyEntry(c.entry, nil))
}

// mark remembers a change that the file does not have. The caller holds mu.
func (l *fileLog) mark(c change) {
	l.marked++
	c.order = l.marked
	if before, ok := l.dirty[c.key]; ok && c.entry != nil {
		if before.entry == nil {
			c.moved = true
		} else {
			c.order, c.moved = before.order, before.moved
		}
	}
	l.dirty[c.key] = c
}

// note writes the values that lost to the conflicts file, durably.
func (l *fileLog) note(lost []conflict) error {
	if len(lost) == 0 {
		return nil
	}
	var text []byte
	for _, c := range lost {
		l.log.Warn("another program changed the same session; one of the two values is kept aside", "path", l.path, "key", c.key, "kept", c.kept)
		var o rawjson.Object
		o.Put("t", time.Now().UnixMilli())
		o.Put("key", c.key)
		o.Put("kept", c.kept)
		o.Set("lost", orNull(c.lost))
		text = append(o.AppendJSON(text), '\n')
	}
	if err := l.appendAside(".conflicts", text); err != nil {
		return fmt.Errorf("keep what another program's change replaced: %w", err)
	}
	return nil
}

// appendAside appends to a file beside the store, durably.
func (l *fileLog) appendAside(suffix string, text []byte) error {
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(l.path)+suffix, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close() // synced below
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return root.SyncDir(".")
}

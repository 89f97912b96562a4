package sessions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// Repair brings the files of the store into a state from which all goes on,
// also while the store is in use: changes that were refused are taken again.
//
//   - Of a damaged journal all lines that can be read are kept and merged with
//     the file, as at any start.
//   - A damaged file is set aside, as <store>.corrupt.<ms>. What can be read of
//     it before the damage and of the journal becomes the new file, and what
//     this process knew when another program damaged it.
//   - What a crash left in the journal is written into the file.
//
// The paths are those of the copies of what was there before; none when there
// was nothing to repair.
func (s *Store) Repair(ctx context.Context) (copies []string, err error) {
	c, err := s.Condition()
	switch {
	case err != nil:
		return nil, err
	case c.Journal.Later:
		return nil, s.unavailable("repair", errVersion)
	case c.Fault == nil && !c.Journal.Broken() && (c.Journal.Live || !c.Journal.Torn && c.Journal.Pending == 0):
		return nil, nil
	}
	if s.commits.look {
		return nil, s.own() // which says why not
	}
	// Owning the store cuts a torn journal, so the copies come first.
	suffix := fmt.Sprintf(".doctor.%d", time.Now().UnixMilli())
	if c.Fault != nil {
		suffix = fmt.Sprintf(".corrupt.%d", time.Now().UnixMilli())
	}
	if copies, err = s.copyFiles(c, suffix); err == nil {
		err = s.own()
	}
	if err == nil {
		err = s.commits.mend(c, suffix)
	}
	if err == nil {
		err = s.checkpoint(ctx, false)
	}
	if err != nil {
		return copies, s.unavailable("repair", err)
	}
	return copies, nil
}

// Copy keeps the file under another name, <store>.doctor.<ms>, and tells its
// path; none when there is no file.
func (s *Store) Copy() (copies []string, err error) {
	at, err := statFile(s.path)
	if err == nil && at != (stamp{}) {
		copies, err = s.copyFiles(Condition{Exists: true}, fmt.Sprintf(".doctor.%d", time.Now().UnixMilli()))
	}
	if err != nil {
		return copies, s.unavailable("copy", err)
	}
	return copies, nil
}

// copyFiles keeps the files as they are under other names. That of a damaged
// file it only tells: the file is renamed later.
func (s *Store) copyFiles(c Condition, suffix string) (copies []string, err error) {
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.Base(s.path)
	if c.Journal.Exists {
		// No link: a journal is cut and appended to in place.
		if err := copyTo(root, name+".journal", name+".journal"+suffix); err != nil {
			return nil, fmt.Errorf("copy the journal: %w", err)
		}
		copies = append(copies, s.commits.journalPath()+suffix)
	}
	if c.Exists && c.Fault == nil {
		if err := duplicate(root, name, name+suffix); err != nil {
			return copies, fmt.Errorf("copy the file: %w", err)
		}
	}
	if c.Exists {
		copies = append(copies, s.path+suffix)
	}
	return copies, root.SyncDir(".")
}

// copyTo copies a file in a directory, durably.
func copyTo(root *disk.Root, from, to string) error {
	f, err := root.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	t, err := atomicfile.Create(root, to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	if err != nil {
		return err
	}
	return t.Commit()
}

// mend repairs what c found damaged; somebody may have been faster.
func (l *fileLog) mend(c Condition, suffix string) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	v, err := l.follow()
	switch {
	case err != nil:
		return err
	case v.damaged:
		return l.rebuild(v, suffix)
	case l.refused == nil && (l.journal != nil || !c.Journal.Headless):
		return nil
	}
	refused := l.refused
	l.refused = nil
	if err := l.renew(); err != nil {
		l.refused = refused
		return err
	}
	l.log.Warn("session store journal is repaired: what can be read of it is kept", "path", l.journalPath(), "copy", l.journalPath()+suffix)
	return nil
}

// rebuild begins a new file in the place of a damaged one, with what can be
// read of it and of the journal. The caller holds turn.
func (l *fileLog) rebuild(v *Snapshot, suffix string) error {
	journal, _, err := readStamped(l.files, l.journalPath())
	if err != nil {
		return err
	}
	file, at, err := readStamped(l.files, l.path)
	if err != nil {
		return err
	}
	d := l.detached()
	for _, c := range readJournal(journal).changes {
		d.mark(c)
	}
	next, err := d.merge(l.remembered(salvage(file, l.keys, l.agent)), false)
	if err != nil {
		return err
	}
	changes := next.asChanges(time.Now().UnixMilli())
	var lines []byte
	for _, c := range changes {
		lines = appendChanges(lines, c.n, c.n, c.t, []change{c})
	}
	// First the new journal, which continues no file, then the damaged file goes:
	// a crash in between leaves both, and the repair is done again.
	j, err := l.writeJournal(header{}, lines)
	if err != nil {
		return err
	}
	_ = l.dropJournal() // of the old one nothing is needed any more
	l.journal = j
	l.adopt(changes)
	if err := l.moveAside(suffix, at); err != nil {
		return err
	}
	l.log.Error("session store was damaged; it is set aside and what can be read is kept", "path", l.path, "aside", l.path+suffix, "sessions", next.Len())
	next.n = int64(len(changes))
	l.mu.Lock()
	l.publish(next)
	l.mu.Unlock()
	return l.files.SyncDir(l.dir())
}

// salvage reads the members of a damaged store file before the damage.
func salvage(data []byte, keys Keys, agent string) *Snapshot {
	v := newSnapshot(keys, agent)
	v.changed = new(atomic.Bool)
	// The error says where the damage begins; what comes before is whole.
	_, _ = rawjson.CompactObject(nil, data, func(name []byte, value rawjson.Value) error {
		r := loadRecord(keys, agent, string(name), bytes.Clone(value), v.changed)
		old := v.record(r.key)
		if old != nil {
			r.pos = old.pos
		} else {
			r.pos = v.next
			v.next++
		}
		v.replace(old, r)
		return nil
	})
	return v
}

// remembered is what can be read of a damaged file together with what readers
// saw before it was damaged, if this process was there: of two versions of an
// entry the newer one.
func (l *fileLog) remembered(readable *Snapshot) *Snapshot {
	l.mu.Lock()
	sound := l.sound
	l.mu.Unlock()
	if sound == nil {
		return readable
	}
	v := newSnapshot(l.keys, l.agent)
	add := func(r *record) bool {
		old := v.record(r.key)
		if old != nil && r.updated <= old.updated {
			return true
		}
		s := *r.slot
		c := *r
		c.slot = &s
		if s.pos = v.next; old != nil {
			s.pos = old.pos
		} else {
			v.next++
		}
		v.replace(old, &c)
		return true
	}
	sound.order.Scan(add)
	readable.order.Scan(add)
	return v
}

// asChanges are the entries as changes of an empty store. What is no object
// cannot be one, and is left out.
func (v *Snapshot) asChanges(t int64) (out []change) {
	v.order.Scan(func(r *record) bool {
		if r.object {
			out = append(out, change{key: r.key, entry: r.text(), n: int64(len(out)) + 1, t: t})
		}
		return true
	})
	return out
}

// moveAside gives the file another name, unless it is not the one that was
// seen any more.
func (l *fileLog) moveAside(suffix string, seen stamp) error {
	at, err := statFile(l.path)
	if err != nil {
		return err
	}
	if !at.same(seen) {
		return errChanged
	}
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	name := filepath.Base(l.path)
	if err := root.Rename(name, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = root.Chmod(name+suffix, 0o600) // it keeps the mode it had if this fails
	return nil
}

// adopt makes changes, which a new journal has, those that the file lacks. The
// caller holds turn.
func (l *fileLog) adopt(changes []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base, l.dirty, l.recent, l.refused, l.sound = identity{}, map[string]change{}, recent{}, nil, nil
	l.lacking.Store(false)
	for _, c := range changes {
		l.mark(c)
	}
}

// EndRuns marks the sessions killed that say they run and of which over says
// that they do not. It returns their canonical keys.
func (s *Store) EndRuns(ctx context.Context, over func(canonicalKey string) bool) (keys []string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		keys = nil
		var running []string
		for key, e := range tx.All() {
			if e.Text("status") == "running" && over(tx.Canonical(key)) {
				running = append(running, key)
			}
		}
		for _, key := range running {
			e, _ := tx.Get(key)
			tx.Put(key, killed(e, e.UpdatedAt()))
			keys = append(keys, tx.Canonical(key))
		}
		return nil
	})
	return keys, err
}

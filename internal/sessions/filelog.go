package sessions

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/protocol"
)

// fileLog is the commit log of a store in files: sessions.json, which other
// programs know, and beside it a journal of the changes that are not in it yet
// (see doc/disk.md). A change is durable when its line in the journal is; from
// time to time a checkpoint writes all of them into sessions.json.
//
// What a reader sees is current: the file as it was last taken in, with the
// changes of the journal. Other programs may write the file at any time; so it
// is looked at before each use, and their changes are merged with ours.
type fileLog struct {
	// Static after construction.
	files *disk.FS
	path  string
	keys  Keys
	agent string
	log   *slog.Logger
	poke  func() // there is something for a checkpoint
	look  bool   // nothing is written, and nothing owned
	keep  bool   // temporary files are left to others

	current atomic.Pointer[Snapshot]
	pending atomic.Pointer[stamp] // of the file that a checkpoint is about to put in place
	owned   atomic.Bool           // owner holds the store's OS lock

	turn    sync.Mutex   // guards the journal; held while it is written or the file replaced
	journal *journalFile // nil before the first change
	refused error        // the journal is damaged: no change is taken

	lock fileLock // of other programs; set before the store is owned

	staged map[string]bool // keys that the batch in the making has changed; commitLoop's

	mu     sync.Mutex // guards the rest, and what load sets; held while the file is taken in
	owner  *flock.Flock
	ended  bool              // the store was closed: it is not to be owned again
	base   identity          // of the file as it was last taken in or written
	dirty  map[string]change // the last change of each key that the file does not have
	marked int64             // how many changes were remembered
	recent recent
	sound  *Snapshot // what readers saw before another program damaged the file

	lacking atomic.Bool // the journal has not all that the file does not have
}

func (l *fileLog) dir() string { return filepath.Dir(l.path) }

// journalEnd is what the name of a store's journal adds to the store's.
const journalEnd = ".journal"

func (l *fileLog) journalPath() string { return l.path + journalEnd }

// follow is the present content. Where the file is what was last seen it only
// looks at it.
func (l *fileLog) follow() (*Snapshot, error) {
	at, err := lookAt(l.path)
	if err != nil {
		return nil, err
	}
	if v := l.current.Load(); v != nil && l.known(v, at) {
		return v, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, err = lookAt(l.path); err != nil {
		return nil, err
	}
	v := l.current.Load()
	switch {
	case v != nil && l.known(v, at):
		return v, nil
	case v != nil && l.owned.Load():
		return l.takeIn(v.n)
	}
	return l.load()
}

// known reports whether a look at the file found what v has taken in.
func (l *fileLog) known(v *Snapshot, at stamp) bool {
	// A checkpoint's new file is known before the checkpoint is through.
	if p := l.pending.Load(); !v.stamp.same(at) && (p == nil || !p.same(at)) {
		return false
	}
	if l.owned.Load() {
		return true
	}
	tail, err := statFile(l.journalPath())
	return err == nil && v.tail.same(tail)
}

// load reads the file and the journal of a store that nobody, or another
// process, has open. The caller holds mu.
func (l *fileLog) load() (*Snapshot, error) {
	if err := l.ownExisting(); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		data, tail, err := readStamped(l.files, l.journalPath())
		if err != nil {
			return nil, err
		}
		c, err := readContent(l.files, l.path, l.keys, l.agent)
		if err != nil {
			return nil, err
		}
		// Another process may have made a checkpoint in between.
		if after, err := statFile(l.journalPath()); !l.owned.Load() && try < 5 && (err != nil || !after.same(tail)) {
			continue
		}
		return l.join(c, data, tail)
	}
}

// join makes the present content of the file and the bytes of its journal.
func (l *fileLog) join(c *content, data []byte, tail stamp) (*Snapshot, error) {
	r := readJournal(data)
	if r.foreign != nil {
		return nil, fmt.Errorf("read %s: %w", l.journalPath(), r.foreign)
	}
	v := c.view
	v.n, v.tail = r.n, tail
	l.base, l.dirty = c.base, map[string]change{}
	l.tighten(c)
	l.refused = nil
	if len(r.damaged) > 0 || !r.ok && len(bytes.Trim(data, "\x00")) > 0 {
		l.refused = l.damagedJournal(r)
	}
	if v.damaged {
		return l.publish(v), nil
	}
	for _, c := range r.since(c.base) {
		l.mark(c)
	}
	v, err := l.merge(v, r.continues(c.base))
	if err == nil {
		err = l.openJournal(r)
	}
	if err != nil {
		return nil, err
	}
	return l.publishMerged(v), nil
}

func (l *fileLog) publish(v *Snapshot) *Snapshot {
	l.current.Store(v)
	return v
}

// publishMerged is publish for a content that was read.
func (l *fileLog) publishMerged(v *Snapshot) *Snapshot {
	if len(l.dirty) > 0 && l.owned.Load() {
		l.poke()
	}
	return l.publish(v)
}

// continues reports whether the file of this identity is the one that the
// journal's lines continue, rather than one that another program wrote.
func (r *replay) continues(base identity) bool {
	return r.ok && (r.header.base == base || r.ckpt != nil && r.ckpt.base == base)
}

// since are the changes that a file of this identity does not have.
func (r *replay) since(base identity) []change {
	if r.ckpt == nil || r.ckpt.base != base || r.header.base == base {
		return r.changes
	}
	for i, c := range r.changes {
		if c.n > r.ckpt.n {
			return r.changes[i:]
		}
	}
	return nil
}

// damagedJournal is why no change is taken.
func (l *fileLog) damagedJournal(r replay) error {
	at := int64(0)
	if len(r.damaged) > 0 {
		at = r.damaged[0]
	}
	l.log.Error("session store journal is damaged; sessions can be read but not changed", "path", l.journalPath(), "byte", at, "lines", len(r.damaged))
	return protocol.Unavailablef("the journal %s is damaged at byte %d: sessions can be read but not changed; run \"parley doctor --fix\" to repair it", l.journalPath(), at)
}

// own takes the OS lock, if we do not have it.
func (l *fileLog) own() error {
	path := l.path + ".flock"
	if l.owner != nil {
		if l.ownerInPlace(path) {
			return nil
		}
		if err := l.owner.Close(); err != nil {
			return err
		}
		l.owner = nil
		l.owned.Store(false)
	}
	o := flock.New(path, flock.SetPermissions(0o600))
	ok, err := o.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		return errInUse
	}
	l.owner, l.lock = o, storeLock(l.path)
	l.removeLeftovers()
	l.owned.Store(true)
	return nil
}

// ownTemp are our own temporary files: those of OpenClaw have other names.
var ownTemp = regexp.MustCompile(`^(?:\.journal)?\.[a-z2-7]{26}\.tmp$`)

// removeLeftovers removes the temporary files that a process of ours left. It
// is gone, since we have its lock.
func (l *fileLog) removeLeftovers() {
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return
	}
	for _, n := range names {
		if end, ok := strings.CutPrefix(n.Name(), filepath.Base(l.path)); ok && ownTemp.MatchString(end) && !l.keep {
			_ = root.Remove(n.Name()) // the start tries again when it is old
		}
	}
}

// errInUse is why a store that another process has cannot be changed.
var errInUse = errors.New("in use by another parley process")

// ownExisting is own for a store that exists; another owner is no error, and
// neither is a place where nothing can be written: such a store can be read.
func (l *fileLog) ownExisting() error {
	if l.owner != nil || l.ended || l.look {
		return nil
	}
	for _, path := range []string{l.path, l.journalPath()} {
		if _, err := os.Lstat(path); err == nil {
			_ = l.own() // the first change will say what is wrong
			return nil
		} else if !missing(err) {
			return err
		}
	}
	return nil
}

// ownerInPlace reports whether the file that we hold is still the one with
// that name; the directory may have been removed and made anew.
func (l *fileLog) ownerInPlace(path string) bool {
	held, err := l.owner.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// takeIn merges a file that another program wrote with the changes that are in
// the journal only, up to the one of number n. The caller holds mu.
func (l *fileLog) takeIn(n int64) (*Snapshot, error) {
	c, err := readContent(l.files, l.path, l.keys, l.agent)
	if err != nil {
		return nil, err
	}
	next := c.view
	next.n = n
	if c.stamp == (stamp{}) && l.journalGone() {
		// Not only the file is gone but all that we keep beside it: somebody
		// began anew.
		l.log.Warn("session store was removed by another program", "path", l.path)
		clear(l.dirty)
		l.recent = recent{}
	}
	l.base = c.base
	l.tighten(c)
	if next.damaged {
		if v := l.current.Load(); !v.damaged {
			l.sound = v
		}
		return l.publish(next), nil // what is in the journal stays until the file is set aside
	}
	l.sound = nil
	for _, c := range l.recent.reverted(next, c.stamp.mtime) {
		if _, changed := l.dirty[c.key]; !changed {
			l.mark(c)
			l.lacking.Store(true)
		}
	}
	if next, err = l.merge(next, false); err != nil {
		return nil, err
	}
	return l.publishMerged(next), nil
}

// tighten takes back rights of others on a file that another program wrote; if
// that cannot be done, the next checkpoint's file has none.
func (l *fileLog) tighten(c *content) {
	if !c.open || !l.owned.Load() {
		return
	}
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return
	}
	defer root.Close()
	_ = root.Chmod(filepath.Base(l.path), 0o600)
}

// journalGone reports whether the journal that we write was removed.
func (l *fileLog) journalGone() bool {
	_, err := os.Lstat(l.journalPath())
	return errors.Is(err, fs.ErrNotExist)
}

// setAside keeps a damaged file, and the journal that continued it, under
// other names before a new one is begun. The caller holds turn.
func (l *fileLog) setAside(v *Snapshot, at time.Time) error {
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	suffix := fmt.Sprintf(".corrupt.%d", at.UnixMilli())
	name := filepath.Base(l.path)
	if err := l.dropJournal(); err != nil {
		return err
	}
	// The journal goes first: alone it would be taken for one of the new file.
	for _, name := range []string{name + ".journal", name} {
		if err := root.Rename(name, name+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the damaged file aside: %w", err)
		}
	}
	if err := root.SyncDir("."); err != nil {
		return err
	}
	_ = root.Chmod(name+suffix, 0o600) // it keeps the mode it had if this fails
	l.log.Error("session store was damaged; its content is set aside and a new file begun", "path", l.path, "aside", l.path+suffix)
	l.mu.Lock()
	defer l.mu.Unlock()
	next := newSnapshot(l.keys, l.agent)
	next.n = v.n
	l.base, l.dirty, l.refused, l.sound = identity{}, map[string]change{}, nil, nil
	l.publish(next)
	return nil
}

// removeBlank removes a file that holds nothing, before something is written.
// The caller holds turn.
func (l *fileLog) removeBlank(v *Snapshot) error {
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(filepath.Base(l.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current.Load() == v {
		next := *v
		next.stamp, next.blank = stamp{}, false
		l.publish(&next)
	}
	return nil
}

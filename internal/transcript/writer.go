package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// formatVersion is the version of the format that is written.
const formatVersion = 3

// writer is a transcript open for appending, under its lock.
type writer struct {
	l      *Library
	ref    Ref
	cwd    string
	root   *os.Root
	place  place
	key    string
	f      *os.File
	made   bool // by this writer
	ix     *index
	unlock func()
}

// openWriter opens or makes the transcript of r and brings it into the shape
// that a writer needs: a header of the current version before the lines.
func (l *Library) openWriter(r Ref, cwd string) (*writer, error) {
	w, err := l.openAsIs(r, cwd)
	if err != nil {
		return nil, err
	}
	if err := w.upgrade(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// openAsIs opens or makes the transcript of r.
func (l *Library) openAsIs(r Ref, cwd string) (*writer, error) {
	p, err := l.target(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.base, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(p.base)
	if err != nil {
		return nil, err
	}
	if dir := filepath.Dir(p.name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			root.Close()
			return nil, err
		}
	}
	w := &writer{l: l, ref: r, cwd: cwd, root: root, place: p, key: p.key()}
	w.unlock = l.locks.lock(w.key)
	if err := w.reopen(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *writer) upgrade() error {
	if w.ix.size == 0 || w.ix.head.ok && w.ix.head.version >= formatVersion {
		return nil
	}
	if err := w.reshape(); err != nil {
		return err
	}
	return w.reopen()
}

// reopen opens the file, which may be a new one, and gets its index.
func (w *writer) reopen() error {
	if w.f != nil {
		w.f.Close()
	}
	_, err := w.root.Lstat(w.place.name)
	w.made = errors.Is(err, fs.ErrNotExist)
	w.f, err = w.root.OpenFile(w.place.name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		w.f = nil
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		// Another program made it readable for others.
		if err := w.f.Chmod(0o600); err != nil {
			return err
		}
	}
	w.ix, err = w.l.indexLocked(&source{f: w.f, info: info, place: w.place, key: w.key, read: &w.l.read})
	return err
}

func (w *writer) close() {
	if w.f != nil {
		w.f.Close()
	}
	w.root.Close()
	w.unlock()
}

// write appends text, which next describes, in one write and makes it durable.
// When that fails the file is what it was.
func (w *writer) write(text []byte, next *index) error {
	_, err := w.l.faults.write(w.f, text)
	if err == nil {
		// The size changes, so fdatasync would save nothing.
		err = w.f.Sync()
	}
	if err == nil && w.ix.size == 0 {
		err = syncDir(w.root, filepath.Dir(w.place.name))
	}
	if err != nil {
		w.l.cache.drop(w.key)
		return errors.Join(err, w.takeBack())
	}
	info, err := w.f.Stat()
	if err != nil || info.Size() != next.size {
		// Somebody else writes here too: the next reader looks for itself.
		w.l.cache.drop(w.key)
		return nil
	}
	w.l.cache.putIndex(w.key, info, next)
	return nil
}

// takeBack undoes a failed write.
func (w *writer) takeBack() error {
	if w.made {
		return w.root.Remove(w.place.name)
	}
	if err := w.f.Truncate(w.ix.size); err != nil {
		return fmt.Errorf("cut back: %w", err)
	}
	return nil
}

// Ensure makes the transcript of r with a header line when it does not exist
// or is empty, durably. It leaves any other file alone.
func (l *Library) Ensure(r Ref, cwd string) error {
	w, err := l.openAsIs(r, cwd)
	if err != nil {
		return err
	}
	defer w.close()
	if w.ix.size > 0 {
		return nil
	}
	text, next := w.start()
	return w.write(text, next)
}

// start is what a write begins with: the header in an empty file, the end of a
// torn line in another; and the index that goes with it.
func (w *writer) start() ([]byte, *index) {
	next := w.ix.extend()
	var text []byte
	if next.size == 0 {
		head := headerLine(w.ref.SessionID, w.cwd, time.Now())
		next.add(head, 0, len(head), nil)
		text = append(head, '\n')
	} else if !next.ended {
		text = []byte{'\n'}
	}
	next.ended = true
	next.size += int64(len(text))
	return text, next
}

// headerLine is the first line of a transcript.
func headerLine(id, cwd string, at time.Time) rawjson.Value {
	if cwd == "" {
		cwd, _ = os.Getwd()
	}
	var o rawjson.Object
	o.Put("type", "session")
	o.Put("version", formatVersion)
	o.Put("id", jstext.Trim(id))
	o.Put("timestamp", jstext.ISO(at))
	o.Put("cwd", cwd)
	return o.JSON()
}

// syncDir makes names in a directory below root durable.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

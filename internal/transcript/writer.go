package transcript

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Version is the version of the format that is written.
const Version = 3

// writer is a transcript open for appending, under its lock.
type writer struct {
	l       *Library
	ref     Ref
	cwd     string
	root    *disk.Root
	place   place
	key     string
	f       *disk.File
	made    bool   // by this writer
	settled bool   // its name is known to be durable
	keep    bool   // a file of an older version is copied before it is rewritten
	kept    string // the name of a copy that was made
	ix      *index
	unlock  func()
}

// openWriter opens or makes the transcript of r and brings it into the shape
// that a writer needs: a header of the current version before the lines, and
// nothing that may be on the disk or not.
func (l *Library) openWriter(r Ref, cwd string) (*writer, error) {
	return l.openShaped(r, cwd, false)
}

// openShaped is openWriter; with keep a copy is kept of a file of an older
// version.
func (l *Library) openShaped(r Ref, cwd string, keep bool) (*writer, error) {
	w, err := l.openAsIs(r, cwd)
	if err != nil || w.ready() {
		return w, err
	}
	// The lock of other programs comes before ours, lest readers wait for them.
	w.close()
	release, err := l.claim(w.key)
	if err != nil {
		return nil, err
	}
	defer release()
	if w, err = l.openAsIs(r, cwd); err != nil || w.ready() {
		return w, err
	}
	w.keep = keep
	if w.ix.current() {
		err = w.renew()
	} else {
		err = w.reshape()
	}
	if err == nil {
		err = w.reopen()
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// ready reports whether lines can be appended to the file as it is.
func (w *writer) ready() bool {
	_, suspect := w.l.suspects.Load(w.key)
	return w.made || w.ix.current() && !suspect
}

// current reports whether the file is of the form that is written.
func (ix *index) current() bool {
	return ix.size == 0 || ix.head.ok && ix.head.version >= Version
}

// renew writes all of a file anew, and so its name.
func (w *writer) renew() error {
	err := w.l.replace(w.root, w.place, "", func(out io.Writer) error {
		_, err := io.Copy(out, io.NewSectionReader(w.f, 0, w.ix.size))
		return err
	})
	if err != nil {
		return fmt.Errorf("renew after a failed sync: %w", err)
	}
	return nil
}

// openAsIs opens or makes the transcript of r.
func (l *Library) openAsIs(r Ref, cwd string) (*writer, error) {
	p, err := l.target(r)
	if err != nil {
		return nil, err
	}
	root, err := l.openRoot(p)
	if err != nil {
		return nil, err
	}
	w := &writer{l: l, ref: r, cwd: cwd, root: root, place: p, key: p.key()}
	w.unlock = l.locks.lock(w.key)
	if err := w.reopen(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// reopen opens the file, which may be a new one, and gets its index.
func (w *writer) reopen() error {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	_, err := w.root.Lstat(w.place.name)
	w.made = errors.Is(err, fs.ErrNotExist)
	f, info, err := openRegular(w.root, w.place.name, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	w.f = f
	if info.Mode().Perm()&0o077 != 0 {
		// Another program made it readable for others.
		if err := w.f.Chmod(0o600); err != nil {
			return err
		}
	}
	w.settled = w.l.cache.settled(w.key, info)
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
	n, err := w.f.Write(text)
	if err == nil {
		err = w.sync()
	}
	if err == nil && !w.settled {
		// The file is new, or nobody knows whether its maker lived to do this.
		err = w.syncName()
	}
	if err != nil {
		w.l.cache.drop(w.key)
		return errors.Join(err, w.takeBack(int64(n)))
	}
	if w.made {
		w.l.suspects.Delete(w.key) // that was a file of the same name before
	}
	info, err := w.f.Stat()
	if err != nil || info.Size() != next.size {
		// Somebody else writes here too: the next reader looks for itself.
		w.l.cache.drop(w.key)
		return nil
	}
	w.l.cache.putWritten(w.key, info, next)
	return nil
}

func (w *writer) sync() error {
	if err := w.f.Datasync(); err != nil {
		return fmt.Errorf("sync %s: %w", w.place.path(), err)
	}
	return nil
}

// syncName makes the file's name durable.
func (w *writer) syncName() error {
	err := w.root.SyncDir(filepath.Dir(w.place.name))
	if err != nil {
		w.l.suspects.Store(w.key, true)
	}
	return err
}

// takeBack undoes a failed write of n bytes, unless another program has
// written since.
func (w *writer) takeBack(n int64) error {
	info, err := w.f.Stat()
	switch {
	case err != nil:
	case info.Size() != w.ix.size+n:
		err = errors.New("another program wrote to the file")
	case w.made:
		err = w.root.Remove(w.place.name)
	case n > 0:
		err = w.f.Truncate(w.ix.size)
	}
	if err != nil {
		w.l.suspects.Store(w.key, true)
		return fmt.Errorf("cut back: %w", err)
	}
	return nil
}

// Ensure makes the transcript of r with a header line when it does not exist
// or is empty. It leaves the content of any other file alone. The file is durable
// once a line is appended, not before: the header says nothing that a new one
// would not say.
func (l *Library) Ensure(r Ref, cwd string) error {
	w, err := l.openAsIs(r, cwd)
	if err != nil {
		return err
	}
	if w.ix.current() && !w.ready() {
		w.close()
		if w, err = l.openWriter(r, cwd); err != nil {
			return err
		}
	}
	defer w.close()
	if w.ix.size > 0 {
		return nil
	}
	text, next := w.start()
	if n, err := w.f.Write(text); err != nil {
		w.l.cache.drop(w.key)
		return errors.Join(err, w.takeBack(int64(n)))
	}
	if info, err := w.f.Stat(); err == nil && info.Size() == next.size {
		w.l.cache.putIndex(w.key, info, next)
	}
	return nil
}

// start is what a write begins with: the header in an empty file, the end of a
// torn line in another; and the index that goes with it.
func (w *writer) start() ([]byte, *index) {
	next := w.ix.extend()
	var text []byte
	if next.size == 0 {
		head := headerLine(w.ref.SessionID, w.cwd, time.Now())
		next.add(head, 0, len(head))
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
	o.Put("version", Version)
	o.Put("id", jstext.Trim(id))
	o.Put("timestamp", jstext.ISO(at))
	o.Put("cwd", cwd)
	return o.JSON()
}

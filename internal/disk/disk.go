// Package disk is the file operations on which durability depends: directories
// that nothing leads out of, files, and the syncs that make both last.
//
// Every directory is an os.Root: names that lead out of it, by ".." or by a
// symbolic link, are refused by the system. An operation returns when the
// kernel has it; it is durable only after Sync or Datasync of the file, and
// for names after SyncDir of the directory.
//
// An FS may have a Hook that sees every changing operation before it is done
// and may make it fail: so tests prove what a full disk, a dying disk and a
// power cut leave behind, with the very code that runs in the daemon. Which
// file may be written when, and all locking, is left to the callers.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

// FS is the way to the disk. The zero value and nil are the plain system. An
// FS may be used by many goroutines.
type FS struct {
	hook    Hook
	handles atomic.Uint64
	dirs    sync.Map // *Share[struct{}] of the syncs of a directory, by dirID
}

// dirID tells one directory from another.
type dirID struct{ device, inode uint64 }

// New is an FS whose changing operations hook sees first.
func New(hook Hook) *FS { return &FS{hook: hook} }

// Kind is a kind of operation.
type Kind string

// The operations that a Hook sees.
const (
	Open     Kind = "open" // for writing; the file may be made
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	Rename   Kind = "rename"
	Exchange Kind = "exchange" // two names swap their files
	Link     Kind = "link"
	Remove   Kind = "remove"
	Mkdir    Kind = "mkdir"
	SyncDir  Kind = "syncdir"
)

// Op is one operation that is about to be done.
type Op struct {
	Kind   Kind
	Path   string // absolute; for Write, Truncate and Sync the name at Open
	To     string // the other name of Rename, Exchange and Link
	Handle uint64 // of an open file: from Open through Write, Truncate and Sync
	Flag   int    // of Open
	Off    int64  // where a Write goes, the new size of a Truncate
	Data   []byte // what a Write writes; not to be kept or changed
}

// Hook sees an operation before it is done. With an error the operation is not
// done and fails with it, except that of a Write the first n bytes are written.
// Without an error n is not looked at.
type Hook func(op Op) (n int, err error)

// do runs an operation under the hook.
func (f *FS) do(op Op, act func() error) error {
	if f != nil && f.hook != nil {
		if _, err := f.hook(op); err != nil {
			return &fs.PathError{Op: string(op.Kind), Path: op.Path, Err: err}
		}
	}
	return act()
}

// MkdirAll makes a directory and its missing parents, mode 0700, durably.
func (f *FS) MkdirAll(dir string) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("is no directory")}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return err
	}
	if err := f.MkdirAll(parent); err != nil {
		return err
	}
	err = f.do(Op{Kind: Mkdir, Path: dir}, func() error { return os.Mkdir(dir, 0o700) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.SyncDir(parent); err != nil {
		// Who tries again must find it missing, or it would never be durable.
		return errors.Join(err, f.do(Op{Kind: Remove, Path: dir}, func() error { return os.Remove(dir) }))
	}
	return nil
}

// SyncDir makes what happened to the names in a directory durable. Those who wait
// for the same directory share a sync.
func (f *FS) SyncDir(dir string) error {
	return f.do(Op{Kind: SyncDir, Path: dir}, func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		return f.syncDir(d)
	})
}

// syncDir syncs and closes an open directory.
func (f *FS) syncDir(d *os.File) error {
	sync := func([]struct{}) error { return d.Sync() }
	var err error
	if info, fault := d.Stat(); fault != nil {
		err = fault
	} else if st, ok := info.Sys().(*syscall.Stat_t); ok && f != nil {
		id := dirID{uint64(st.Dev), st.Ino} // Dev has another type on other systems
		share, ok := f.dirs.Load(id)
		if !ok {
			share, _ = f.dirs.LoadOrStore(id, new(Share[struct{}]))
		}
		err = share.(*Share[struct{}]).Do(struct{}{}, sync)
	} else {
		err = sync(nil)
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		// Some file systems cannot sync a directory; nothing more can be done there.
		err = nil
	}
	return errors.Join(err, d.Close())
}

// Root is a directory, open. Names are relative to it and cannot lead out of
// it. A Root may be used by many goroutines; it must be closed.
type Root struct {
	fs   *FS
	dir  string
	root *os.Root
}

// OpenRoot opens a directory. One that is moved is followed: open it for each
// operation rather than keep it.
func (f *FS) OpenRoot(dir string) (*Root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Root{fs: f, dir: dir, root: r}, nil
}

// Dir is the directory's path, as it was opened.
func (r *Root) Dir() string { return r.dir }

// Close gives the directory up. Files that were opened in it stay open.
func (r *Root) Close() error { return r.root.Close() }

func (r *Root) path(name string) string { return filepath.Join(r.dir, name) }

// Stat describes a file, symbolic links inside the directory followed.
func (r *Root) Stat(name string) (fs.FileInfo, error) { return r.root.Stat(name) }

// Lstat describes a name: of a symbolic link the link.
func (r *Root) Lstat(name string) (fs.FileInfo, error) { return r.root.Lstat(name) }

// ReadFile is the content of a file.
func (r *Root) ReadFile(name string) ([]byte, error) { return r.root.ReadFile(name) }

// ReadDir lists a directory, by name.
func (r *Root) ReadDir(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(r.root.FS(), filepath.ToSlash(name))
}

// MkdirAll makes a directory in r and its missing parents, mode 0700, durably.
func (r *Root) MkdirAll(name string) error {
	if name == "." {
		return nil
	}
	if info, err := r.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(name)
	if err := r.MkdirAll(parent); err != nil {
		return err
	}
	err := r.fs.do(Op{Kind: Mkdir, Path: r.path(name)}, func() error { return r.root.Mkdir(name, 0o700) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := r.SyncDir(parent); err != nil {
		return errors.Join(err, r.Remove(name)) // as FS.MkdirAll
	}
	return nil
}

// Rename gives a file another name; a file that had it is gone.
func (r *Root) Rename(from, to string) error {
	return r.fs.do(Op{Kind: Rename, Path: r.path(from), To: r.path(to)}, func() error { return r.root.Rename(from, to) })
}

// Exchange swaps the files of two names at once. The error is
// errors.ErrUnsupported where the system or the file system cannot.
func (r *Root) Exchange(a, b string) error {
	return r.fs.do(Op{Kind: Exchange, Path: r.path(a), To: r.path(b)}, func() error {
		if filepath.Base(a) != a || filepath.Base(b) != b {
			return fmt.Errorf("exchange %s and %s: only names right in the directory", a, b)
		}
		return r.exchange(a, b)
	})
}

// Link gives a file a second name, which must be free.
func (r *Root) Link(from, to string) error {
	return r.fs.do(Op{Kind: Link, Path: r.path(from), To: r.path(to)}, func() error { return r.root.Link(from, to) })
}

// Remove removes a name.
func (r *Root) Remove(name string) error {
	return r.fs.do(Op{Kind: Remove, Path: r.path(name)}, func() error { return r.root.Remove(name) })
}

// Chmod sets the mode of a file.
func (r *Root) Chmod(name string, mode fs.FileMode) error { return r.root.Chmod(name, mode) }

// SyncDir makes what happened to the names in a directory of r durable.
func (r *Root) SyncDir(name string) error {
	return r.fs.do(Op{Kind: SyncDir, Path: r.path(name)}, func() error {
		d, err := r.root.Open(name)
		if err != nil {
			return err
		}
		return r.fs.syncDir(d)
	})
}

package transcript

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parleyd/parley/internal/watch"
)

// Dirs remembers where directories really lie, links followed. Who looks at
// many transcripts within one call shares one among their Refs, so that each
// directory is followed once and not once per transcript. It must not outlive
// the call, and is for one goroutine. The zero value knows nothing, a nil one
// remembers nothing.
type Dirs struct {
	known map[string]*base // by path

	dir string // the directory of a store that was asked for last, as it was spelled
	own *base
}

// base is a directory; what it really is, links followed, is looked up once.
type base struct {
	path, followed string
	missing        bool // holds once real or absent was called
	links          *follower
	watched        *watch.Dir // holds once real was called; nil when it is not
}

func (b *base) real() string {
	if b.followed != "" {
		return b.followed
	}
	if b.links != nil { // else it is any directory that an entry names
		if b.watched = watch.At(b.path); b.watched != nil {
			b.followed = b.path // no link leads there
			return b.followed
		}
	}
	real, err := b.links.follow(b.path)
	if err != nil {
		real, b.missing = realPath(b.path), errors.Is(err, fs.ErrNotExist)
	}
	b.followed = real
	return real
}

// absent reports whether there is no such directory.
func (b *base) absent() bool {
	if b.followed == "" && !b.missing {
		_, err := os.Stat(b.path)
		b.missing = errors.Is(err, fs.ErrNotExist)
	}
	return b.missing
}

// in is the path of what bears this name in the directory.
func (b *base) in(name string) string {
	return strings.TrimSuffix(b.real(), string(filepath.Separator)) + string(filepath.Separator) + name
}

// lstat is os.Lstat of a name in the directory. It may be told what was so when real
// was called.
func (b *base) lstat(name string) (fs.FileInfo, error) {
	real := b.in(name)
	if b.watched != nil {
		return b.watched.Lstat(name)
	}
	return os.Lstat(real)
}

// holds reports whether it is known, mostly without looking at the disk, that a file is as
// it was.
func (b *base) holds(name string, was fs.FileInfo) bool {
	b.real()
	if b.watched == nil {
		return false
	}
	now, err := b.watched.Lstat(name)
	return err == nil && (now == was || unchanged(now, was))
}

// last is the directory of a store, if it was the one that was asked for last.
func (d *Dirs) last(dir string) *base {
	if d == nil || d.own == nil || d.dir != dir {
		return nil
	}
	return d.own
}

func (d *Dirs) remember(dir string, b *base) {
	if d != nil {
		d.dir, d.own = dir, b
	}
}

// base is the directory with this clean path.
func (d *Dirs) base(path string) *base {
	if d == nil {
		return &base{path: path}
	}
	b := d.known[path]
	if b == nil {
		if d.known == nil {
			d.known = map[string]*base{}
		}
		b = &base{path: path}
		d.known[path] = b
	}
	return b
}

// realPath is realPath of a clean path whose directory may be known.
func (d *Dirs) realPath(path string) string {
	dir, name := filepath.Split(path)
	real := filepath.Join(d.base(filepath.Clean(dir)).real(), name)
	info, err := os.Lstat(real)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type() != fs.ModeSymlink {
		return real
	}
	return realPath(path)
}

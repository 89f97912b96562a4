// Package watch knows what files are without looking at them each time: the system
// tells of every change in a directory that is watched, and has told before the
// change is through. So who asks first takes in what was told, which is one question
// for any number of files, and then what is remembered holds.
//
// What the system does not tell of is not remembered: files with several names, links,
// what lies behind a link, on a file system of another machine or on one made of
// others. There, and on systems other than Linux, callers look at the disk. Not told
// of either, and not seen, is what a program writes through a memory mapping, or
// through a name in another directory that a file gets later, and a file system that
// is mounted over a watched directory.
//
// The system allows few who are told, so there is one for the whole process. All
// functions are safe for concurrent use.
package watch

import (
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// maxDirs bounds how many directories are watched, maxFiles how many files of
	// each are remembered.
	maxDirs, maxFiles = 1024, 16384
)

// Dir is a directory that is watched. It holds as of the moment when At gave it.
type Dir struct {
	path string
	id   identity

	// Guarded by the mutex of the watcher.
	gone    bool // it may be another directory, or none
	version uint64
	files   map[string]*known
}

// known is what is known of a file, nothing while it is being looked at.
type known struct{ info fs.FileInfo }

// identity tells one directory from another.
type identity struct{ dev, ino uint64 }

// At is the directory with this clean, absolute path as it is now; from the first
// time on it is watched. It is nil where it cannot be, or is no directory, or a
// symbolic link leads there.
func At(path string) *Dir { return all.at(path) }

// Version is a number that changes with the names in the directory. A nil Dir has
// none.
func (d *Dir) Version() (version uint64, ok bool) {
	if d == nil {
		return 0, false
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	return d.version, !d.gone
}

// Lstat is os.Lstat of a name in the directory.
func (d *Dir) Lstat(name string) (fs.FileInfo, error) {
	all.mu.Lock()
	k := d.files[name]
	if k != nil && k.info != nil {
		all.mu.Unlock()
		return k.info, nil
	}
	mine := k == nil && !d.gone
	if mine {
		if len(d.files) >= maxFiles {
			clear(d.files)
		}
		k = new(known)
		d.files[name] = k
	}
	all.mu.Unlock()
	info, err := os.Lstat(filepath.Join(d.path, name))
	if mine {
		d.learn(name, k, info, err)
	}
	return info, err
}

// learn remembers what a look has found, unless the file has changed meanwhile: then
// k is not what is known of it any more.
func (d *Dir) learn(name string, k *known, info fs.FileInfo, err error) {
	lasts := err == nil && info.Mode().IsRegular() && soleName(info)
	same := true
	if lasts {
		var now identity
		now, same = identify(d.path)
		same = same && now == d.id
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case !same:
		all.forget()
	case d.files[name] != k:
	case lasts:
		k.info = info
	default:
		delete(d.files, name)
	}
}

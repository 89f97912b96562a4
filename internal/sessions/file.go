package sessions

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/watch"
)

// stamp tells one state of the file from another without reading it. The zero
// stamp is that of a missing file.
type stamp struct {
	mtime time.Time
	size  int64
	inode uint64
}

func stampOf(info fs.FileInfo) stamp {
	if info == nil {
		return stamp{}
	}
	s := stamp{mtime: info.ModTime(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s
}

func (s stamp) same(t stamp) bool {
	return s.size == t.size && s.inode == t.inode && s.mtime.Equal(t.mtime)
}

// lookAt is statFile for the file of a store, which is asked for again and again.
func lookAt(path string) (stamp, error) {
	if d := watch.At(filepath.Dir(path)); d != nil {
		if info, err := d.Lstat(filepath.Base(path)); err == nil && info.Mode().IsRegular() {
			return stampOf(info), nil
		}
	}
	return statFile(path)
}

// statFile is the stamp of path; a file that is not there is no error.
func statFile(path string) (stamp, error) {
	info, err := os.Stat(path)
	if missing(err) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info), nil
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

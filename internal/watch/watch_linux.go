package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watcher is what the system tells of changes.
type watcher struct {
	mu   sync.Mutex      // guards the rest, and all Dirs
	fd   int             // of inotify; 0 before the first directory, -1 when there is none to be had
	dirs map[string]*Dir // by path; nil for those that cannot be watched
	by   map[int32]*Dir  // by watch descriptor; those of directories above others are not there
	buf  [8 << 10]byte
}

var all watcher

const (
	// selfEvents tell that a directory is no longer where it was.
	selfEvents = unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
	// nameEvents tell that a name came or went, fileEvents that a file changed.
	nameEvents = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	fileEvents = unix.IN_MODIFY | unix.IN_ATTRIB
)

func (w *watcher) at(path string) *Dir {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takeIn()
	if d, ok := w.dirs[path]; ok {
		return d
	}
	if !filepath.IsAbs(path) || len(w.dirs) >= maxDirs || !w.begin() {
		return nil
	}
	d, err := w.add(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		w.dirs[path] = d // nil for one that is not worth another try
	}
	return d
}

// begin makes sure that the system tells.
func (w *watcher) begin() bool {
	if w.fd == 0 {
		fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		if err != nil {
			fd = -1
		}
		w.fd, w.dirs, w.by = fd, map[string]*Dir{}, map[int32]*Dir{}
	}
	return w.fd > 0
}

// add watches a directory and, before it, all above it: only then nothing can come
// into its place that the system does not tell of.
func (w *watcher) add(path string) (*Dir, error) {
	id, err := local(path)
	if err != nil {
		return nil, err
	}
	for i := range len(path) {
		if path[i] != filepath.Separator {
			continue
		}
		if _, err := unix.InotifyAddWatch(w.fd, path[:max(i, 1)], selfEvents|unix.IN_MASK_ADD|unix.IN_ONLYDIR); err != nil {
			return nil, err
		}
	}
	wd, err := unix.InotifyAddWatch(w.fd, path, selfEvents|nameEvents|fileEvents|unix.IN_MASK_ADD|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
	if err != nil {
		return nil, err
	}
	now, err := local(path)
	if err != nil {
		return nil, err
	}
	if now != id || w.by[int32(wd)] != nil {
		return nil, errMoved
	}
	d := &Dir{path: path, id: id, files: map[string]*known{}}
	w.by[int32(wd)] = d
	return d, nil
}

// errMoved is why a directory is not watched that has just become another one, or
// that is watched by another path.
var errMoved = errors.New("the directory is elsewhere, too")

// told are the file systems that tell of all changes there are, since nobody makes
// any but through this system.
var told = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true, unix.F2FS_SUPER_MAGIC: true,
}

// local is a directory to which no link leads, on a file system that tells.
func local(path string) (identity, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if err != nil {
		return identity{}, err
	}
	defer unix.Close(fd)
	var system unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd, &system), unix.Fstat(fd, &st)); err != nil {
		return identity{}, err
	}
	if !told[int64(system.Type)] {
		return identity{}, errors.ErrUnsupported
	}
	return identity{st.Dev, st.Ino}, nil
}

// identify is the directory that path leads to.
func identify(path string) (identity, bool) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return identity{uint64(st.Dev), st.Ino}, err == nil
}

// soleName reports whether a file has no other name, by which it could change.
func soleName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 1
}

// takeIn takes in what the system has told. The caller holds mu.
func (w *watcher) takeIn() {
	for w.fd > 0 {
		n, err := w.read()
		switch err {
		case 0:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return // nothing has happened
		default:
			w.forget()
			return
		}
		for rest := w.buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			w.event(int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[4:]), rest[unix.SizeofInotifyEvent:size])
			rest = rest[size:]
		}
		if n <= len(w.buf)-unix.SizeofInotifyEvent-unix.NAME_MAX-1 {
			return // there was room for more
		}
	}
}

// read reads what waits. It never waits itself, so the runtime need not prepare for
// that, which would cost more than the question.
func (w *watcher) read() (int, syscall.Errno) {
	n, _, err := unix.RawSyscall(unix.SYS_READ, uintptr(w.fd), uintptr(unsafe.Pointer(&w.buf)), uintptr(len(w.buf)))
	return int(n), err
}

// event takes in one change.
func (w *watcher) event(wd int32, mask uint32, name []byte) {
	if mask&(selfEvents|unix.IN_Q_OVERFLOW|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0 {
		w.forget()
		return
	}
	d := w.by[wd]
	if d == nil {
		return
	}
	if mask&nameEvents != 0 {
		d.version++
	}
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	delete(d.files, string(name))
}

// forget begins anew: nothing that was known holds any more. The caller holds mu.
func (w *watcher) forget() {
	if w.fd <= 0 {
		return
	}
	for _, d := range w.by {
		d.gone = true
		clear(d.files)
	}
	_ = unix.Close(w.fd) // only told us things
	w.fd, w.dirs, w.by = 0, nil, nil
}

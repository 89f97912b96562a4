package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/parleyd/parley/internal/disk"
)

// Errors of transfers.
var (
	// ErrRewritten is returned by Section when the file is another one than at
	// the last call: a copy that was begun must be begun again.
	ErrRewritten = errors.New("the transcript was rewritten meanwhile")
	// ErrPart is returned where a part of a transcript that is received does not
	// fit what is there of it.
	ErrPart = errors.New("the part does not fit what was received")
)

// Section is a part of a transcript as it lies on the disk.
type Section struct {
	Data []byte
	Size int64 // of the whole file
	// Stamp tells the file from one that is put in its place. What is appended
	// leaves it.
	Stamp string
}

// Section reads n bytes of the transcript of r from off on, fewer at its end.
// stamp is that of an earlier part, "" for the first: parts with one stamp make
// a whole. A line is never cut by one that is just being appended.
func (l *Library) Section(r Ref, off, n int64, stamp string) (Section, error) {
	s, err := l.open(r)
	if err != nil {
		return Section{}, err
	}
	defer s.close()
	if err := l.settledSize(s); err != nil {
		return Section{}, err
	}
	out := Section{Size: s.info.Size(), Stamp: identity(s.info)}
	if stamp != "" && (stamp != out.Stamp || off > out.Size) {
		return Section{}, ErrRewritten
	}
	out.Data, err = s.section(off, max(0, min(n, out.Size-off)))
	return out, err
}

// settledSize looks at the file while nothing is being appended.
func (l *Library) settledSize(s *source) error {
	defer l.locks.lock(s.key)()
	return s.reopen()
}

// identity tells a file from others that exist at the same time.
func identity(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Dev), 36) + "-" + strconv.FormatUint(st.Ino, 36)
	}
	return "0"
}

// partName is the name of a file that holds what was received so far. It looks
// like any temporary file beside a transcript: if nobody goes on with it, Tidy
// removes it.
func partName(upload string) (string, error) {
	if len(upload) < 8 || len(upload) > 64 || strings.Trim(upload, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("%w: the upload needs a name of 8 to 64 small letters, digits and -", ErrPart)
	}
	return "import-" + upload + ".jsonl.tmp", nil
}

// Receive keeps a part of a transcript for the sessions directory dir, until
// Install makes it one. Parts come in order: off is how much came before.
func (l *Library) Receive(dir, upload string, off int64, data []byte) (size int64, err error) {
	name, err := partName(upload)
	if err != nil {
		return 0, err
	}
	if err := l.disk.MkdirAll(dir); err != nil {
		return 0, err
	}
	root, err := l.disk.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	defer l.locks.lock(filepath.Join(dir, name))()
	flag := os.O_WRONLY | os.O_APPEND
	if off == 0 {
		flag |= os.O_CREATE | os.O_EXCL
	}
	f, info, err := openRegular(root, name, flag)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%w: it begins at %d", ErrPart, off)
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if info.Size() != off {
		return 0, fmt.Errorf("%w: it begins at %d, and %d bytes are there", ErrPart, off, info.Size())
	}
	if _, err := f.Write(data); err != nil {
		return 0, errors.Join(err, root.Remove(name))
	}
	return off + int64(len(data)), nil
}

// Install makes what was received, which must be size bytes, the transcript of
// the session of r, durably, and returns where it is. The session must not have
// one, else it is ErrExists. After an error or a crash there is a whole
// transcript or none; what was received may still be there, too.
func (l *Library) Install(r Ref, upload string, size int64) (string, error) {
	name, err := partName(upload)
	if err != nil {
		return "", err
	}
	to, err := l.target(r)
	if err != nil {
		return "", err
	}
	if to.info != nil {
		return "", ErrExists
	}
	root, err := l.openRoot(to)
	if err != nil {
		return "", err
	}
	defer root.Close()
	defer l.locks.lock(to.key())()
	defer l.cache.drop(to.key())
	if err := complete(root, name, size); err != nil {
		return "", err
	}
	if err := moveBack(root, name, to.name); err != nil {
		return "", err
	}
	l.suspects.Delete(to.key())
	return to.path(), nil
}

// Abandon removes what was received, if there is anything.
func (l *Library) Abandon(dir, upload string) error {
	name, err := partName(upload)
	if err != nil {
		return nil // there cannot be anything
	}
	root, err := l.disk.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// complete makes what was received durable.
func complete(root *disk.Root, name string, size int64) error {
	f, info, err := openRegular(root, name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: nothing is there", ErrPart)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() != size {
		return fmt.Errorf("%w: %d bytes are there, not %d", ErrPart, info.Size(), size)
	}
	return f.Sync()
}

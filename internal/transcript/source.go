package transcript

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/parleyd/parley/internal/disk"
)

// source is a transcript open for reading.
type source struct {
	disk  *disk.FS
	f     *disk.File
	info  fs.FileInfo
	place place
	key   string
	read  *atomic.Int64
}

// open opens the transcript of r for reading.
func (l *Library) open(r Ref) (*source, error) {
	p, err := l.existing(r)
	if err != nil {
		return nil, err
	}
	return l.openAt(p)
}

func (l *Library) openAt(p place) (*source, error) {
	s := &source{disk: l.disk, place: p, key: p.key(), read: &l.read}
	return s, s.reopen()
}

// reopen opens the file at the source's place again: it may be another one by
// now, or none, if it was archived meanwhile.
func (s *source) reopen() error {
	root, err := s.disk.OpenRoot(s.place.base)
	if err != nil {
		return openFault(err)
	}
	defer root.Close()
	f, info, err := openRegular(root, s.place.name, os.O_RDONLY)
	if err != nil {
		return openFault(err)
	}
	s.close()
	s.f, s.info = f, info
	return nil
}

func openFault(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return fmt.Errorf("open transcript: %w", err)
}

// openRegular opens a file that is one: a pipe in its place must not block
// who opens it, nor swallow what is written.
func openRegular(root *disk.Root, name string, flag int) (*disk.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, flag|syscall.O_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: filepath.Join(root.Dir(), name), Err: errors.New("is no regular file")}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func (s *source) close() {
	if s.f != nil {
		s.f.Close()
	}
}

// ReadAt reads from the file and counts what it read.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.f.ReadAt(p, off)
	s.read.Add(int64(n))
	return n, err
}

// readSpan is the text of a line.
func readSpan(r io.ReaderAt, s span) ([]byte, error) {
	b := make([]byte, s.n)
	n, err := r.ReadAt(b, s.off)
	if errors.Is(err, io.EOF) {
		err = nil // the file became shorter
	}
	return readable(b[:n]), err
}

const (
	// Lines that lie together are read at once, up to so many bytes, others
	// between them included if they are few.
	maxGroup = 1 << 20
	maxGap   = 4 << 10
)

// eachSpan reads lines, which are in file order, and hands on their texts.
// Every text may be kept.
func eachSpan(r io.ReaderAt, spans []span, f func(s span, text []byte) error) error {
	for len(spans) > 0 {
		first, n := spans[0], 1
		end := first.off + first.n
		for n < len(spans) && spans[n].off-end <= maxGap && spans[n].off+spans[n].n-first.off <= maxGroup {
			end = spans[n].off + spans[n].n
			n++
		}
		group := make([]byte, end-first.off)
		got, err := r.ReadAt(group, first.off)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		group = group[:got] // shorter, if the file has become so
		for _, s := range spans[:n] {
			from := min(s.off-first.off, int64(got))
			to := min(from+s.n, int64(got))
			if err := f(s, readable(group[from:to:to])); err != nil {
				return err
			}
		}
		spans = spans[n:]
	}
	return nil
}

// section is the bytes [off, off+n) of the file.
func (s *source) section(off, n int64) ([]byte, error) {
	b := make([]byte, n)
	m, err := s.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:m], err
}

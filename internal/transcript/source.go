package transcript

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// source is a transcript open for reading.
type source struct {
	f     *os.File
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
	s := &source{place: p, key: p.key(), read: &l.read}
	return s, s.reopen()
}

// reopen opens the file at the source's place again: it may be another one by
// now.
func (s *source) reopen() error {
	f, err := s.place.open(os.O_RDONLY)
	if err != nil {
		return fmt.Errorf("open transcript: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open transcript: %w", err)
	}
	s.close()
	s.f, s.info = f, info
	return nil
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

// section is the bytes [off, off+n) of the file.
func (s *source) section(off, n int64) ([]byte, error) {
	b := make([]byte, n)
	m, err := s.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:m], err
}

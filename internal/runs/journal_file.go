package runs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/parleyd/parley/internal/atomicfile"
)

// journal is an append-only file whose appends are committed in groups: what
// comes while one commit goes on is the next one, with one write and one sync.
type journal struct {
	path    string
	content func() []byte // what a new file has to hold

	mu   sync.Mutex // guards next
	next *batch

	disk   sync.Mutex // held while the file is written; guards all below
	file   *os.File
	size   int64
	limit  int64
	broken bool // a write failed: the file is to be written anew
}

// batch is lines that are committed together.
type batch struct {
	lines bytes.Buffer
	sync  bool
	done  chan struct{}
	err   error // set before done is closed
}

// append writes lines and returns when they are in the file, and with sync
// when they are on disk.
func (j *journal) append(lines []byte, sync bool) error {
	j.mu.Lock()
	b, first := j.next, false
	if b == nil {
		b, first = &batch{done: make(chan struct{})}, true
		j.next = b
	}
	b.lines.Write(lines)
	b.sync = b.sync || sync
	j.mu.Unlock()
	if first {
		j.commit(b)
	}
	<-b.done
	return b.err
}

// commit writes a batch once the one before it is written.
func (j *journal) commit(b *batch) {
	j.disk.Lock()
	defer j.disk.Unlock()
	j.mu.Lock()
	j.next = nil // what comes from here on is another batch
	j.mu.Unlock()
	b.err = j.write(b.lines.Bytes(), b.sync)
	close(b.done)
}

func (j *journal) write(lines []byte, sync bool) error {
	if err := j.open(); err != nil {
		return fmt.Errorf("open %s: %w", j.path, err)
	}
	_, err := j.file.Write(lines)
	if err == nil && sync {
		err = j.file.Sync()
	}
	if err != nil {
		// What the file holds now is unknown, and a sync that failed once may
		// succeed without having written: only a new file can be trusted.
		j.broken = true
		return fmt.Errorf("write %s: %w", j.path, err)
	}
	j.size += int64(len(lines))
	if j.size > j.limit {
		if err := j.renew(); err != nil {
			j.broken = true
		}
	}
	return nil
}

// open makes the file ready for appending; a broken one is written anew.
func (j *journal) open() error {
	if j.broken {
		return j.renew()
	}
	if j.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = atomicfile.SyncDir(filepath.Dir(j.path))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.size, j.limit = f, info.Size(), info.Size()+journalSlack
	return nil
}

// renew replaces the file with one that holds what still matters.
func (j *journal) renew() error {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(j.path, j.content()); err != nil {
		return err
	}
	j.broken = false
	return j.open()
}

// close writes the file anew, or removes it when nothing matters any more.
func (j *journal) close() error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	content := j.content()
	if len(content) > 0 {
		return atomicfile.Write(j.path, content)
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", j.path, err)
	}
	return nil
}

// rewrite leaves in the journal what still matters.
func (j *journal) rewrite() error {
	j.disk.Lock()
	defer j.disk.Unlock()
	return j.renew()
}

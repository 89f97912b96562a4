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
	"github.com/parleyd/parley/internal/disk"
)

// journal is an append-only file whose appends are committed in groups: what
// comes while one commit goes on is the next one, with one write and one sync.
type journal struct {
	// Static after construction.
	disk    *disk.FS
	dir     string
	content func() []byte // what a new file has to hold

	mu   sync.Mutex // guards next
	next *batch

	writing sync.Mutex // held while the file is written; guards all below
	file    *disk.File
	size    int64
	limit   int64
	broken  bool  // a write failed: the file is to be written anew
	unread  error // why it could not be read: then it stays as it is
}

// batch is lines that are committed together.
type batch struct {
	lines bytes.Buffer
	sync  bool
	done  chan struct{}
	err   error // set before done is closed
}

func (j *journal) path() string { return filepath.Join(j.dir, journalName) }

// append writes lines and returns when they are in the file, and with sync
// when they are on disk. After an error the lines are not in the file, as far
// as the disk allows that.
func (j *journal) append(lines []byte, sync bool) error { return j.begin(lines, sync)() }

// begin gives lines their place in the file; wait is the rest of append. It must
// be called, since others may wait for it too.
func (j *journal) begin(lines []byte, sync bool) (wait func() error) {
	j.mu.Lock()
	b, first := j.next, false
	if b == nil {
		b, first = &batch{done: make(chan struct{})}, true
		j.next = b
	}
	b.lines.Write(lines)
	b.sync = b.sync || sync
	j.mu.Unlock()
	return func() error {
		if first {
			j.commit(b)
		}
		<-b.done
		return b.err
	}
}

// commit writes a batch once the one before it is written.
func (j *journal) commit(b *batch) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	j.next = nil // what comes from here on is another batch
	j.mu.Unlock()
	b.err = j.write(b.lines.Bytes(), b.sync)
	close(b.done)
}

func (j *journal) write(lines []byte, sync bool) error {
	if err := j.ready(); err != nil {
		return fmt.Errorf("open %s: %w", j.path(), err)
	}
	_, err := j.file.Write(lines)
	if err == nil && sync {
		err = j.file.Datasync()
	}
	if err != nil {
		// What the disk holds now is unknown, and a sync that failed once may
		// succeed without having written: only a new file can be trusted. Until
		// there is one, nobody is to find what was refused.
		j.broken = true
		_ = j.file.Truncate(j.size)
		return fmt.Errorf("write %s: %w", j.path(), err)
	}
	if j.size += int64(len(lines)); j.size > j.limit {
		_ = j.renew() // the lines are safe; the next append tries again
	}
	return nil
}

// ready makes the file one that can be appended to.
func (j *journal) ready() error {
	switch {
	case j.unread != nil:
		return j.unread
	case j.broken:
		return j.renew()
	case j.file != nil:
		return nil
	}
	if err := j.disk.MkdirAll(j.dir); err != nil {
		return err
	}
	root, err := j.disk.OpenRoot(j.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return j.open(root)
}

// open opens the file, and makes it durably where there is none. A last line
// that a crash has torn is cut.
func (j *journal) open(root *disk.Root) error {
	data, err := root.ReadFile(journalName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(journalName, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	size := intact(data)
	if size < int64(len(data)) {
		err = f.Truncate(size)
	}
	if len(data) == 0 {
		err = root.SyncDir(".")
		j.broken = err != nil // its name is never sure to last, see write
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.size, j.limit = f, size, size+journalSlack
	return nil
}

// renew replaces the file with one that holds what still matters.
func (j *journal) renew() error {
	if j.unread != nil {
		return j.unread
	}
	j.broken = true
	j.shut()
	if err := j.disk.MkdirAll(j.dir); err != nil {
		return err
	}
	root, err := j.disk.OpenRoot(j.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	content := j.content()
	if err := atomicfile.Replace(root, journalName, content); err != nil {
		return err
	}
	j.broken = false
	return j.open(root)
}

// shut closes the file. What was written to it and synced is safe, whatever
// closing says.
func (j *journal) shut() {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// mend writes a broken file anew.
func (j *journal) mend() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if !j.broken {
		return nil
	}
	return j.renew()
}

// rewrite leaves in the journal what still matters.
func (j *journal) rewrite() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	return j.renew()
}

// close writes the file anew, or removes it when nothing matters any more.
func (j *journal) close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.unread != nil {
		return nil
	}
	if content := j.content(); len(content) > 0 {
		err := j.renew()
		j.shut()
		return err
	}
	j.shut()
	root, err := j.disk.OpenRoot(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	err = root.Remove(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = root.SyncDir(".")
	}
	return err
}

// keepAsItIs leaves a journal that cannot be read to the next process, and
// accepts nothing in it.
func (j *journal) keepAsItIs(why error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.unread = why
}

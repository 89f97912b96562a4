package sessions

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
)

// Space for lines is taken in advance, and filled with zeros: a sync that only
// writes data takes some 60 % of the time of one that also writes a new size
// (BenchmarkSpace).
const (
	spaceMin = 16 << 10
	spaceMax = 256 << 10
)

// journalFile is a journal open for appending. It is used by who has the turn.
type journalFile struct {
	f      *disk.File
	path   string
	stamp  stamp // its inode tells whether it is still in place
	size   int64 // bytes of lines
	space  int64 // bytes of the file
	header header
	// broken is why nothing may be appended any more: a write or a sync failed,
	// so what the file holds is unknown.
	broken error
}

// writeJournal puts a new journal in place: lines that continue the file which
// the header names.
func (l *fileLog) writeJournal(h header, lines []byte) (*journalFile, error) {
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.Base(l.journalPath())
	text := append(h.line(), lines...)
	t, err := atomicfile.Create(root, name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(t.Name, os.O_RDWR)
	if err != nil {
		return nil, errors.Join(err, t.Discard())
	}
	if err := t.Commit(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	size := int64(len(text))
	return &journalFile{f: f, path: l.journalPath(), stamp: stampOf(t.Info), size: size, space: size, header: h}, nil
}

// openJournal opens the journal that was read for appending. What was never
// acknowledged is cut off.
func (l *fileLog) openJournal(r replay) error {
	if !l.owned.Load() || !r.ok || l.refused != nil {
		return nil
	}
	root, err := l.files.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(l.journalPath()), os.O_RDWR)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if r.odd {
		l.keepCut(root)
	}
	if err == nil && r.torn {
		if err = f.Truncate(r.end); err == nil {
			err = f.Sync()
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	space := info.Size()
	if r.torn {
		space = r.end
	}
	l.journal = &journalFile{f: f, path: l.journalPath(), stamp: stampOf(info), size: r.end, space: space, header: r.header}
	return nil
}

// keepCut keeps the journal as it is before its end is cut off: a power cut in
// the middle of a write can leave a line that has its end and a wrong checksum,
// but so can a disk that lost what was acknowledged.
func (l *fileLog) keepCut(root *disk.Root) {
	name := filepath.Base(l.journalPath())
	to := fmt.Sprintf("%s.cut.%d", name, time.Now().UnixMilli())
	if err := copyTo(root, name, to); err != nil {
		l.log.Error("the end of a session store journal is cut off, and could not be kept", "path", l.journalPath(), "err", err)
		return
	}
	l.log.Warn("the end of a session store journal cannot be read and is cut off, as after a crash", "path", l.journalPath(), "copy", to)
}

// append writes lines and returns when they are on disk.
func (j *journalFile) append(lines []byte) error {
	if j.broken != nil {
		return j.broken
	}
	end := j.size + int64(len(lines))
	err := j.reserve(end)
	if err == nil {
		_, err = j.f.WriteAt(lines, j.size)
	}
	if err == nil {
		err = j.f.Datasync()
	}
	if err != nil {
		// A sync that failed once may succeed without having written: only a
		// new file can be trusted. The lines should not come back by themselves.
		j.broken = fmt.Errorf("write %s: %w", j.path, err)
		_ = j.f.Truncate(j.size)
		return j.broken
	}
	j.size, j.space = end, max(j.space, end)
	return nil
}

var zeros [spaceMax]byte

// reserve makes room for lines up to end, and then as much again as the file
// has.
func (j *journalFile) reserve(end int64) error {
	if end <= j.space {
		return nil
	}
	n, err := j.f.WritePages(zeros[:min(max(j.space, spaceMin), spaceMax)], end)
	if err == nil {
		j.space = end + int64(n)
	}
	return err
}

// inPlace reports whether the file is still the one with its name.
func (j *journalFile) inPlace() bool {
	at, err := statFile(j.path)
	return err == nil && at.inode == j.stamp.inode && at.size == j.space
}

// checkJournal reports whether the journal can take another line. One that
// another program removed cannot; if nothing is missing without it, it is
// forgotten. The caller holds turn.
func (l *fileLog) checkJournal() bool {
	j := l.journal
	if l.lacking.Load() {
		return false
	}
	if j == nil {
		return true
	}
	if j.broken != nil {
		return false
	}
	if j.inPlace() {
		return true
	}
	l.mu.Lock()
	needed := len(l.dirty) > 0
	l.mu.Unlock()
	if !needed {
		_ = l.dropJournal() // nothing was written to it that matters
		return true
	}
	j.broken = fmt.Errorf("%s was removed or changed by another program", j.path)
	return false
}

// dropJournal closes the journal; its file stays. The caller holds turn.
func (l *fileLog) dropJournal() error {
	if l.journal == nil {
		return nil
	}
	err := l.journal.f.Close()
	l.journal = nil
	return err
}

// removeJournal closes and removes the journal, durably. The caller holds turn.
func (l *fileLog) removeJournal() error {
	if err := l.dropJournal(); err != nil {
		return err
	}
	root, err := l.files.OpenRoot(l.dir())
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(filepath.Base(l.journalPath())); missing(err) {
		return nil
	} else if err != nil {
		return err
	}
	return root.SyncDir(".")
}

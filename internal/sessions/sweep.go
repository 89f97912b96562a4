package sessions

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// sweepEvery is the least time between two looks at a store's directory.
const sweepEvery = time.Second

// sweeper runs the directory work of maintenance behind the commits, one at a
// time and at most once a second.
type sweeper struct {
	mu      sync.Mutex // guards all below
	running bool
	again   bool
	closed  bool
	last    time.Time
	stop    chan struct{}
	work    sync.WaitGroup
}

// poke asks for a sweep.
func (w *sweeper) poke(sweep func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.running {
		w.again = true
		return
	}
	if w.stop == nil {
		w.stop = make(chan struct{})
	}
	w.running = true
	w.work.Go(func() { w.loop(sweep) })
}

// run does something in the background, which close waits for; after close at
// once.
func (w *sweeper) run(f func()) {
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.work.Go(f)
	}
	w.mu.Unlock()
	if closed {
		f()
	}
}

func (w *sweeper) loop(sweep func()) {
	for {
		w.mu.Lock()
		wait := time.Until(w.last.Add(sweepEvery))
		w.mu.Unlock()
		if wait > 0 {
			select {
			case <-w.stop:
			case <-time.After(wait):
			}
		}
		sweep()
		w.mu.Lock()
		w.last = time.Now()
		if !w.again || w.closed {
			w.running = false
			w.mu.Unlock()
			return
		}
		w.again = false
		w.mu.Unlock()
	}
}

// close waits for a sweep that goes on; there is none after it.
func (w *sweeper) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		if w.stop != nil {
			close(w.stop)
		}
	}
	w.mu.Unlock()
	w.work.Wait()
}

// maintained does what follows a commit: it hands over what was removed and
// sees to the directory.
func (s *Store) maintained(removed []Removed) {
	if !s.rules.Enforce && !s.rules.Budget {
		return
	}
	if len(removed) > 0 {
		s.archived.Store(true)
		// In the background, so that the one who caused it need not wait while
		// transcripts of other sessions are set aside.
		s.sweeper.run(func() { s.hand(removed) })
	}
	s.sweeper.poke(func() {
		if err := s.sweep(time.Now()); err != nil {
			s.log.Error("maintenance of the session directory", "path", s.Dir(), "err", err)
		}
	})
}

// hand gives what was removed to the owner of the transcripts.
func (s *Store) hand(removed []Removed) {
	if len(removed) > 0 && s.removed != nil {
		s.removed(s, removed)
	}
}

// sweep removes old archives and keeps the disk budget.
func (s *Store) sweep(now time.Time) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	if !s.rules.Enforce {
		if total := size(files); s.rules.Budget && total > s.rules.MaxDiskBytes && s.mayWarn(now) {
			s.log.Warn("session disk budget exceeded (warn-only mode)", "path", s.Dir(), "bytes", total, "max", s.rules.MaxDiskBytes)
		}
		return nil
	}
	var faults []error
	archived := s.archived.Swap(false)
	files = slices.DeleteFunc(files, func(f dirFile) bool {
		if !s.expired(f.name, now, archived) {
			return false
		}
		err := os.Remove(filepath.Join(s.Dir(), f.name))
		faults = append(faults, err)
		return err == nil
	})
	faults = append(faults, s.keepBudget(files))
	return errors.Join(faults...)
}

// expired reports whether an archive is older than allowed, by the time in its
// name.
func (s *Store) expired(name string, now time.Time, archived bool) bool {
	reason, at, ok := archiveName(name)
	switch {
	case !ok || !archived && s.rules.KeepResetArchives:
		return false
	case reason == "deleted":
		return at.Before(now.Add(-s.rules.PruneAfter))
	case reason == "reset":
		return !s.rules.KeepResetArchives && at.Before(now.Add(-s.rules.ResetArchiveRetention))
	}
	return false
}

// root opens the directory of the store.
func (s *Store) root() (*disk.Root, error) {
	var system *disk.FS
	return system.OpenRoot(s.Dir())
}

// dirFile is one regular file in the directory of a store.
type dirFile struct {
	name  string
	size  int64
	mtime time.Time
}

// files are the regular files that count in the disk budget.
func (s *Store) files() ([]dirFile, error) {
	names, err := os.ReadDir(s.Dir())
	if err != nil {
		return nil, err
	}
	var out []dirFile
	for _, n := range names {
		if !n.Type().IsRegular() || uncounted(n.Name()) {
			continue
		}
		if info, err := n.Info(); err == nil {
			out = append(out, dirFile{n.Name(), info.Size(), info.ModTime()})
		}
	}
	return out, nil
}

func uncounted(name string) bool {
	return slices.ContainsFunc([]string{".journal", ".flock", ".conflicts"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

func size(files []dirFile) int64 {
	total := int64(0)
	for _, f := range files {
		total += f.size
	}
	return total
}

var archivePattern = regexp.MustCompile(`^.+\.(deleted|reset|bak)\.(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{1,3})?Z)$`)

// archiveName is the reason and time in the name of an archived transcript.
func archiveName(name string) (reason string, at time.Time, ok bool) {
	m := archivePattern.FindStringSubmatch(name)
	if m == nil {
		return "", time.Time{}, false
	}
	at, err := time.Parse("2006-01-02T15-04-05.999Z", m[2])
	return m[1], at, err == nil
}

package sessions

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

const (
	// sweepEvery is the least time between two looks at a store's directory.
	sweepEvery = time.Second
	// sweepShare is the part of the time that they may take, as 1 / sweepShare:
	// a directory of very many files is looked at less often.
	sweepShare = 20
)

// sweeper runs the directory work of maintenance behind the commits: what was
// removed is handed over at once, the directory is looked at now and then.
type sweeper struct {
	// dir is held during work in the directory. An Update may be called under
	// it; it is never asked for under an Update.
	dir sync.Mutex

	limitWarning, budgetWarning, rotateWarning pace

	mu       sync.Mutex      // guards all below
	gone     []Removed       // to be handed over
	archived bool            // entries were removed since the last sweep
	written  map[string]bool // sessions written since the last sweep
	due      bool            // a sweep is asked for
	next     time.Time       // no sweep before it
	running  bool
	closed   bool
	wake     chan struct{} // something is new; made with the first loop
	work     sync.WaitGroup
}

// note remembers sessions as just written, until the next sweep is through.
func (w *sweeper) note(written map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written == nil {
		w.written = map[string]bool{}
	}
	for canon := range written {
		w.written[canon] = true
	}
}

// ask hands over what was removed and asks for a sweep, if one is due. It reports
// false when the sweeper is closed and does neither.
func (s *Store) ask(gone []Removed, due bool) bool {
	w := &s.sweeper
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.gone = append(w.gone, gone...)
	w.archived = w.archived || len(gone) > 0
	w.due = w.due || due
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	if !w.running {
		w.running = true
		w.work.Go(s.upkeep)
	}
	w.nudge()
	return true
}

func (w *sweeper) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // one is enough
	}
}

// upkeep does what was asked for, until nothing is left.
func (s *Store) upkeep() {
	w := &s.sweeper
	for {
		w.mu.Lock()
		gone, wait := w.gone, time.Until(w.next)
		w.gone = nil
		switch {
		case len(gone) > 0:
			w.mu.Unlock()
			w.dir.Lock()
			s.hand(gone)
			w.dir.Unlock()
		case !w.due:
			w.running = false
			w.mu.Unlock()
			return
		case wait > 0 && !w.closed:
			w.mu.Unlock()
			select {
			case <-w.wake:
			case <-time.After(wait):
			}
		default:
			w.due = false
			w.mu.Unlock()
			s.sweepOnce()
		}
	}
}

// close does at once what is left to do; nothing is done after it.
func (w *sweeper) close() {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	w.work.Wait()
}

// maintained does what follows a commit: it hands over what was removed and
// sees to the directory, both in the background, so that who caused it need
// not wait while transcripts of other sessions are set aside. No sweep is due
// after a change that a sweep made: what a client has just written stays until a
// change of somebody else, even if the budget is too small for it.
func (s *Store) maintained(removed []Removed, due bool) {
	if !s.rules().Enforce && !s.rules().Budget {
		return
	}
	s.logRemoved(removed)
	if !s.ask(removed, due) {
		s.hand(removed)
	}
}

// hand gives what was removed to the owner of the transcripts.
func (s *Store) hand(removed []Removed) {
	if len(removed) > 0 && s.removed != nil {
		s.removed(s, removed)
	}
}

// sweepOnce is sweep, and decides when the next one may be.
func (s *Store) sweepOnce() {
	start := time.Now()
	s.sweeper.dir.Lock()
	err := s.sweep(start)
	s.sweeper.dir.Unlock()
	if err != nil {
		s.log.Error("maintenance of the session directory", "path", s.Dir(), "err", err)
	}
	end := time.Now()
	s.sweeper.mu.Lock()
	s.sweeper.next = end.Add(max(sweepEvery, (sweepShare-1)*end.Sub(start)))
	s.sweeper.mu.Unlock()
}

// sweep removes old archives and keeps the disk budget.
func (s *Store) sweep(now time.Time) error {
	w := &s.sweeper
	w.mu.Lock()
	archived, written := w.archived, w.written
	w.archived, w.written = false, nil
	w.mu.Unlock()

	root, files, err := s.files()
	if err != nil || root == nil {
		return err
	}
	defer root.Close()
	do := s.really(context.Background(), root)
	var faults []error
	before := len(files)
	if s.rules().Enforce {
		files, err = s.dropExpired(do, files, now, archived)
		faults = append(faults, err)
	}
	budget, gone, err := s.keepBudget(do, files, now, s.rules().Enforce, s.exempt(func(canon string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return written[canon] || w.written[canon]
	}))
	if s.rules().Enforce {
		s.logBudget(budget)
	}
	s.hand(gone)
	s.tellSwept(before-len(files), budget)
	return errors.Join(append(faults, err)...)
}

// tellSwept tells the owner of the transcripts that files are gone, if any are.
func (s *Store) tellSwept(expired int, b *DiskBudget) {
	if s.swept != nil && (expired > 0 || b != nil && b.RemovedFiles > 0) {
		s.swept(s)
	}
}

// root opens the directory of the store.
func (s *Store) root() (*disk.Root, error) {
	return s.commits.files.OpenRoot(s.Dir())
}

// dropExpired removes the archives that are older than allowed, by the time in
// their names. It gives the files that are left.
func (s *Store) dropExpired(do effects, files []dirFile, now time.Time, archived bool) ([]dirFile, error) {
	var faults []error
	left := slices.DeleteFunc(files, func(f dirFile) bool {
		if !s.expired(f.name, now, archived) {
			return false
		}
		err := do.remove(f.name)
		faults = append(faults, err)
		return err == nil
	})
	return left, errors.Join(faults...)
}

// expired reports whether an archive is older than allowed. Copies made by
// compaction and repair never are.
func (s *Store) expired(name string, now time.Time, archived bool) bool {
	reason, at, ok := archiveName(name)
	switch {
	case !ok || !archived && s.rules().KeepResetArchives:
		return false
	case reason == "deleted":
		return at.Before(now.Add(-s.rules().PruneAfter))
	case reason == "reset":
		return !s.rules().KeepResetArchives && at.Before(now.Add(-s.rules().ResetArchiveRetention))
	}
	return false
}

// dirFile is one regular file in the directory of a store.
type dirFile struct {
	name  string
	size  int64
	mtime time.Time
}

// files opens the directory and lists its regular files, with sizes and times
// only where there is a budget. The root is nil when there is no directory.
func (s *Store) files() (root *disk.Root, out []dirFile, err error) {
	root, err = s.root()
	if missing(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	names, err := root.ReadDir(".")
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	for _, n := range names {
		if !n.Type().IsRegular() {
			continue
		}
		f := dirFile{name: n.Name()}
		if s.rules().Budget {
			info, err := n.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went meanwhile
			}
			if err != nil {
				return nil, nil, errors.Join(err, root.Close())
			}
			f.size, f.mtime = info.Size(), info.ModTime()
		}
		out = append(out, f)
	}
	return root, out, nil
}

var archivePattern = regexp.MustCompile(`^.+\.(deleted|reset|bak)\.(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{3})?Z)$`)

// archiveName is the reason and time in the name of an archived transcript.
func archiveName(name string) (reason string, at time.Time, ok bool) {
	if !strings.HasSuffix(name, "Z") { // most names are none
		return "", time.Time{}, false
	}
	m := archivePattern.FindStringSubmatch(name)
	if m == nil {
		return "", time.Time{}, false
	}
	at, err := time.Parse("2006-01-02T15-04-05.999Z", m[2])
	return m[1], at, err == nil
}

package transcript

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/lockfile"
)

// Mend brings the transcript of r into the shape that a writer gives it: a
// header of the current version, with cwd where there was none, and no line
// that is not JSON. It returns the paths of the copies of the file as it was;
// none when there was nothing to do. A line that does not end is left to the
// next append.
func (l *Library) Mend(r Ref, cwd string) (copies []string, err error) {
	ix, err := l.facts(r)
	if errors.Is(err, ErrNotFound) || err == nil && ix.current() && ix.bad == 0 {
		return nil, nil
	}
	if err == nil && !ix.current() {
		copies, err = l.reform(r, cwd)
	}
	if err == nil && ix.bad > 0 {
		copies, err = l.dropBad(r, copies)
	}
	if err != nil {
		return copies, fmt.Errorf("mend transcript %s: %w", r.SessionID, err)
	}
	return copies, nil
}

// reform gives the transcript a header of the current version.
func (l *Library) reform(r Ref, cwd string) (copies []string, err error) {
	w, err := l.openShaped(r, cwd, true)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if w.kept == "" {
		return nil, nil // somebody was faster
	}
	return []string{filepath.Join(w.place.base, w.kept)}, nil
}

// dropBad is Repair that adds its copy to those that were made before.
func (l *Library) dropBad(r Ref, copies []string) ([]string, error) {
	s, err := l.open(r)
	if err != nil {
		return copies, err
	}
	defer s.close()
	_, copied, err := l.repair(s)
	if err != nil || copied == "" {
		return copies, err
	}
	return append(copies, filepath.Join(s.place.base, copied)), nil
}

// LeadsOut reports whether the entry of r names a file that cannot be its
// transcript, because it lies elsewhere or is no transcript: readers and
// writers pass it over.
func (l *Library) LeadsOut(r Ref) bool {
	if jstext.Trim(r.SessionFile) == "" {
		return false
	}
	path := l.paths.sessionFile(r)
	if path == "" {
		return true
	}
	real := realPath(path)
	for _, b := range l.paths.bases(r) {
		if within(b.real(), real) {
			return false
		}
	}
	return true
}

// LockOf is the lock file of the transcript at path.
func LockOf(path string) lockfile.Lock { return transcriptLock(path) }

package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// leftoverAge is the age from which a temporary file belongs to nobody.
const leftoverAge = 10 * time.Minute

// Tidy removes what a crash left beside transcripts, in all agents' sessions
// directories and in dirs: locks whose owner is gone and temporary files. It
// is for the start, before anything is written. What cannot be removed is
// logged and stays.
func (l *Library) Tidy(dirs ...string) {
	all := l.sessionsDirs()
	for _, dir := range dirs {
		all = append(all, filepath.Clean(dir))
	}
	slices.Sort(all)
	for _, dir := range slices.Compact(all) {
		if err := l.tidy(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("leftovers cannot be removed", "dir", dir, "err", err)
		}
	}
}

// SessionsDirs are all directories in which transcripts of sessions may lie:
// those of the state directory, the legacy one, and more.
func (l *Library) SessionsDirs(more ...string) []string {
	all := l.sessionsDirs()
	if l.paths.home != "" {
		all = append(all, l.paths.legacy())
	}
	for _, dir := range more {
		all = append(all, filepath.Clean(dir))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sessionsDirs are the sessions directories of all agents in the state
// directory; a link that leads out of it is none.
func (l *Library) sessionsDirs() (dirs []string) {
	agents := filepath.Join(l.paths.stateDir, "agents")
	root, err := l.disk.OpenRoot(agents)
	if err != nil {
		return nil
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return nil
	}
	for _, n := range names {
		dir := filepath.Join(n.Name(), "sessions")
		if info, err := root.Stat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, filepath.Join(agents, dir))
		}
	}
	return dirs
}

func (l *Library) tidy(dir string) error {
	root, err := l.disk.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return err
	}
	var faults []error
	for _, n := range names {
		switch name := n.Name(); {
		case !n.Type().IsRegular():
		case strings.HasSuffix(name, ".jsonl.lock"):
			faults = append(faults, l.unlock(filepath.Join(dir, name)))
		case strings.Contains(name, ".jsonl.") && strings.HasSuffix(name, ".tmp"):
			faults = append(faults, removeOld(root, n))
		}
	}
	return errors.Join(faults...)
}

// unlock removes a lock that was left behind.
func (l *Library) unlock(path string) error {
	reasons, err := transcriptLock(strings.TrimSuffix(path, ".lock")).Clean()
	if err != nil || len(reasons) == 0 {
		return err
	}
	l.log.Warn(fmt.Sprintf("removed stale session lock: %s (%s)", path, strings.Join(reasons, ", ")))
	return nil
}

// removeOld removes a temporary file, unless its maker may still be alive.
func removeOld(root *disk.Root, n fs.DirEntry) error {
	info, err := n.Info()
	if err != nil || time.Since(info.ModTime()) < leftoverAge {
		return nil // it is gone, or young
	}
	if err := root.Remove(n.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// Archive renames every file that the session of r may have as its
// transcript to <file>.<reason>.<time>, reason being "reset" or "deleted", and
// returns the new absolute paths. Files for which inUse says true stay: another
// session needs them. Of a symbolic link the link is renamed, not its target.
func (l *Library) Archive(r Ref, reason string, inUse func(path string) bool) ([]string, error) {
	paths, settle, err := l.SetAside(r, reason, inUse)
	return paths, errors.Join(err, settle())
}

// SetAside is Archive but for the last part: the new names last once settle has
// returned without an error. Who has something else to wait for does both at once.
func (l *Library) SetAside(r Ref, reason string, inUse func(path string) bool) (paths []string, settle func() error, failed error) {
	if r.Dirs == nil {
		r.Dirs = new(Dirs) // each directory is followed once
	}
	now, bases := time.Now(), l.paths.bases(r)
	dirs := map[string]bool{}
	for _, path := range l.paths.candidates(r) {
		p, ok, err := resolve(path, bases)
		if err != nil || !ok || inUse != nil && inUse(p.path()) {
			failed = errors.Join(failed, err)
			continue
		}
		archived, err := l.archive(p, path, bases, reason, now)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("archive transcript %s: %w", path, err))
			continue
		}
		paths = append(paths, archived)
		dirs[filepath.Dir(archived)] = true
	}
	return paths, func() error { return l.syncDirs(dirs) }, failed
}

func (l *Library) syncDirs(dirs map[string]bool) (failed error) {
	for dir := range dirs {
		failed = errors.Join(failed, l.disk.SyncDir(dir))
	}
	return failed
}

// archive renames the file that was found at path and is p, links followed.
func (l *Library) archive(p place, path string, bases []*base, reason string, now time.Time) (string, error) {
	defer l.locks.lock(p.key())()
	defer l.cache.drop(p.key())
	link := p
	for _, b := range bases {
		if rel, ok := inside(b.path, path); ok {
			link = place{base: b.path, name: rel}
			break
		}
	}
	root, err := l.disk.OpenRoot(link.base)
	if err != nil {
		return "", err
	}
	defer root.Close()
	to := free(root, link, reason, now)
	if err := root.Rename(link.name, to.name); err != nil {
		return "", err
	}
	if info, err := root.Lstat(to.name); err == nil && info.Mode().IsRegular() {
		if err := root.Chmod(to.name, 0o600); err != nil {
			return "", err
		}
	}
	return to.path(), nil
}

// free is the name of an archive of p that no file has: two in one millisecond
// must not overwrite each other.
func free(root *disk.Root, p place, reason string, at time.Time) place {
	for {
		to := p.sibling("." + reason + "." + stamp(at))
		if _, err := root.Lstat(to.name); errors.Is(err, fs.ErrNotExist) {
			return to
		} else if err != nil {
			return to // the rename will say what is wrong
		}
		at = at.Add(time.Millisecond)
	}
}

var archiveNames = regexp.MustCompile(`^(.+)\.(deleted|reset|bak)\.(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{3})?Z)$`)

// ArchiveName takes the name of an archive apart: the transcript's name, the
// reason (reset, deleted or bak) and when it was archived.
func ArchiveName(name string) (transcript, reason string, at time.Time, ok bool) {
	m := archiveNames.FindStringSubmatch(name)
	if m == nil {
		return "", "", time.Time{}, false
	}
	for _, layout := range []string{"2006-01-02T15-04-05.000Z", "2006-01-02T15-04-05Z"} {
		if t, err := time.Parse(layout, m[3]); err == nil {
			return m[1], m[2], t, true
		}
	}
	return "", "", time.Time{}, false
}

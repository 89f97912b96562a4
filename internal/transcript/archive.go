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
	var out []string
	var failed error
	now := time.Now()
	for _, path := range l.paths.candidates(r) {
		p, ok, err := resolve(path, l.paths.bases(r))
		if err != nil || !ok || inUse != nil && inUse(p.path()) {
			failed = errors.Join(failed, err)
			continue
		}
		archived, err := l.archive(p, path, r, reason, now)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went meanwhile
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("archive transcript %s: %w", path, err))
			continue
		}
		out = append(out, archived)
	}
	return out, failed
}

// archive renames the file that was found at path and is p, links followed.
func (l *Library) archive(p place, path string, r Ref, reason string, now time.Time) (string, error) {
	defer l.locks.lock(p.key())()
	defer l.cache.drop(p.key())
	link := p
	for _, b := range l.paths.bases(r) {
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
	return to.path(), root.SyncDir(filepath.Dir(to.name))
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

package transcript

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// ErrExists is returned by Restore for a session that has a transcript.
var ErrExists = errors.New("the session has a transcript already")

// Archived is an archive of a transcript, as its name tells it.
type Archived struct {
	Path       string
	Dir        string // the sessions directory that it was looked for in
	Transcript string // name of the file that was archived
	SessionID  string // by that name; empty when it is none of the usual ones
	Reason     string // reset, deleted or bak
	At         time.Time
	Size       int64
}

// Archives lists the archives in sessions directories, the newest first.
// Directories that do not exist have none.
func (l *Library) Archives(dirs ...string) ([]Archived, error) {
	var out []Archived
	for _, dir := range dirs {
		list, err := l.archives(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list the archives in %s: %w", dir, err)
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b Archived) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Path, b.Path))
	})
	return out, nil
}

func (l *Library) archives(dir string) ([]Archived, error) {
	root, err := l.disk.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var out []Archived
	for _, n := range names {
		if _, _, _, ok := ArchiveName(n.Name()); !ok || !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, archived(dir, n.Name(), info))
	}
	return out, nil
}

// archived is the archive with this name below dir.
func archived(dir, name string, info fs.FileInfo) Archived {
	transcript, reason, at, _ := ArchiveName(filepath.Base(name))
	return Archived{
		Path: filepath.Join(dir, name), Dir: dir, Transcript: transcript, SessionID: sessionOf(transcript),
		Reason: reason, At: at, Size: info.Size(),
	}
}

// ArchiveAt is the archive at a path below the sessions directory dir, which
// symbolic links must not lead out of. It is ErrNotFound when there is none.
func (l *Library) ArchiveAt(dir, path string) (Archived, error) {
	name, ok := inside(dir, filepath.Clean(path))
	if _, _, _, named := ArchiveName(filepath.Base(path)); !ok || !named {
		return Archived{}, ErrNotFound
	}
	root, err := l.disk.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Archived{}, ErrNotFound
	}
	if err != nil {
		return Archived{}, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return Archived{}, ErrNotFound // a link that leads out is none either
	}
	return archived(dir, name, info), nil
}

// FirstUser is the text of the first user message of an archive, as Titles has
// it of a transcript: "" when its first 8 KiB hold none.
func (l *Library) FirstUser(a Archived) (string, error) {
	name, ok := inside(a.Dir, a.Path)
	if !ok {
		return "", ErrNotFound
	}
	s, err := l.openAt(place{base: a.Dir, name: name, real: a.Path})
	if err != nil {
		return "", err
	}
	defer s.close()
	return s.firstUser()
}

// sessionOf is the session id in the name of a transcript.
func sessionOf(name string) string {
	if m := ownNames.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	id, ok := strings.CutSuffix(name, ".jsonl")
	if !ok || !validSessionID(id) {
		return ""
	}
	return id
}

// MayLieAt reports whether path is one of those where readers look for the
// transcript of r.
func (l *Library) MayLieAt(r Ref, path string) bool {
	return slices.Contains(l.paths.candidates(r), path)
}

// Restoring reports whether a Restore of the archive as the transcript of r
// was begun and not ended: the file has both names.
func (l *Library) Restoring(r Ref, archive string) bool {
	p, err := l.existing(r)
	if err != nil {
		return false
	}
	info, err := os.Lstat(archive)
	return err == nil && os.SameFile(p.info, info)
}

// Restore makes the archive at a path, one of a reset or of a deletion, the
// transcript of the session of r again, and returns where that is now: under
// the name it had, if r may have its transcript there. The session must not
// have a transcript, else it is ErrExists. After an error or a crash the
// archive is still there or the transcript is; Restore may be called again.
func (l *Library) Restore(r Ref, archive string) (string, error) {
	p, err := l.restore(r, filepath.Clean(archive))
	if err != nil {
		return "", fmt.Errorf("restore %s: %w", archive, err)
	}
	return p.path(), nil
}

func (l *Library) restore(r Ref, archive string) (place, error) {
	name, reason, _, ok := ArchiveName(filepath.Base(archive))
	if !ok || reason == "bak" {
		return place{}, errors.New("that is no archive of a reset or of a deletion")
	}
	to, err := l.restoredTo(r, filepath.Join(filepath.Dir(archive), name))
	if err != nil {
		return place{}, err
	}
	from, ok := inside(to.base, archive)
	if !ok {
		return place{}, fmt.Errorf("it does not lie in %s, where the transcript belongs", to.base)
	}
	root, err := l.disk.OpenRoot(to.base)
	if err != nil {
		return place{}, err
	}
	defer root.Close()
	info, err := root.Stat(from)
	switch {
	case err != nil:
		return place{}, err
	case !info.Mode().IsRegular():
		return place{}, errors.New("that is no regular file")
	case to.info != nil && !os.SameFile(to.info, info):
		return place{}, ErrExists
	}
	if err := root.MkdirAll(filepath.Dir(to.name)); err != nil {
		return place{}, err
	}
	defer l.locks.lock(to.key())()
	defer l.cache.drop(to.key())
	return to, moveBack(root, from, to.name)
}

// restoredTo is where a restored transcript goes: the one that r has, if there
// is one; the path that the archive had; else where a new one would be made.
func (l *Library) restoredTo(r Ref, before string) (place, error) {
	p, err := l.existing(r)
	if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	if l.MayLieAt(r, before) {
		if p, ok := l.placeOf(r, before); ok {
			return p, nil
		}
	}
	return l.target(r)
}

// moveBack renames a file, never over another one, durably: it has both names
// until the new one is durable.
func moveBack(root *disk.Root, from, to string) error {
	switch err := root.Link(from, to); {
	case errors.Is(err, fs.ErrExist):
		if !sameFile(root, from, to) {
			return ErrExists
		}
		// An earlier try made the link and may have failed to make it durable: no
		// later sync would do, so it is made again.
		if err := root.Remove(to); err != nil {
			return err
		}
		if err := root.Link(from, to); err != nil {
			return err
		}
	case err != nil:
		// A file system without links; no other writer of ours makes the file now.
		if _, look := root.Lstat(to); !errors.Is(look, fs.ErrNotExist) {
			return cmp.Or(look, ErrExists)
		}
		if err := root.Rename(from, to); err != nil {
			return err
		}
		return root.SyncDir(filepath.Dir(to))
	}
	if err := root.SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := root.Remove(from); err != nil {
		return err
	}
	// The transcript is safe. If the old name comes back by a power cut, it is one
	// name more for the same file; so a fault here is none of the restore.
	_ = root.SyncDir(filepath.Dir(from))
	return nil
}

func sameFile(root *disk.Root, a, b string) bool {
	x, errX := root.Lstat(a)
	y, errY := root.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

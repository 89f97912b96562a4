package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
)

// UsageFile is a transcript that usage is counted of: a live one, or the
// archive of one that is gone.
type UsageFile struct {
	SessionID string
	Modified  time.Time
	Live      bool
	place     place
}

// UsageFile finds the file that the usage of r is counted of: the transcript,
// else the newest archive of the session. It is ErrNotFound when there is
// none, ErrBadID when the session id cannot name a file.
func (l *Library) UsageFile(r Ref) (UsageFile, error) {
	id := jstext.Trim(r.SessionID)
	if !validSessionID(id) {
		return UsageFile{}, fmt.Errorf("%w: %s", ErrBadID, r.SessionID)
	}
	p, err := l.existing(r)
	if err == nil {
		return UsageFile{SessionID: id, Modified: p.info.ModTime(), Live: true, place: p}, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return UsageFile{}, err
	}
	files, err := l.UsageFiles(r.Dir, time.Time{})
	i := slices.IndexFunc(files, func(f UsageFile) bool { return f.SessionID == id })
	if err != nil || i < 0 {
		return UsageFile{}, errors.Join(err, ErrNotFound)
	}
	return files[i], nil
}

// UsageFiles are the files in a sessions directory that usage is counted of
// and that changed since a time: one per session id, the live one before
// archives, else the newest.
func (l *Library) UsageFiles(dir string, since time.Time) ([]UsageFile, error) {
	root, err := l.disk.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := root.ReadDir(".")
	if err != nil {
		return nil, err
	}
	best := map[string]UsageFile{}
	for _, n := range names {
		id, live, ok := usageName(n.Name())
		if !ok || !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if err != nil || info.ModTime().Before(since) {
			continue
		}
		f := UsageFile{SessionID: id, Modified: info.ModTime(), Live: live, place: place{base: dir, name: n.Name()}}
		if old, ok := best[id]; !ok || f.better(old) {
			best[id] = f
		}
	}
	out := make([]UsageFile, 0, len(best))
	for _, f := range best {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b UsageFile) int { return strings.Compare(a.SessionID, b.SessionID) })
	return out, nil
}

// usageName is the session id in the name of a file that counts.
func usageName(name string) (id string, live, ok bool) {
	live = true
	if transcript, reason, _, ok := ArchiveName(name); ok {
		if reason == "bak" {
			return "", false, false
		}
		name, live = transcript, false
	}
	id, ok = strings.CutSuffix(filepath.Base(name), ".jsonl")
	return id, live, ok
}

func (f UsageFile) better(old UsageFile) bool {
	if f.Live != old.Live {
		return f.Live
	}
	return f.Modified.After(old.Modified)
}

// readFile opens a file that UsageFile or UsageFiles found.
func (l *Library) readFile(f UsageFile, read func(*source) error) error {
	s := &source{disk: l.disk, place: f.place, read: &l.read}
	if err := s.reopen(); err != nil {
		return err
	}
	defer s.close()
	return read(s)
}

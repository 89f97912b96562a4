package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
	archived  time.Time // by its name, of an archive
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
	files, err := l.usageFiles(r.Dir, func(f UsageFile) bool { return f.SessionID == id })
	if err != nil || len(files) == 0 {
		return UsageFile{}, errors.Join(err, ErrNotFound)
	}
	return slices.MaxFunc(files, func(a, b UsageFile) int { return a.archived.Compare(b.archived) }), nil
}

// UsageFiles are the files in a sessions directory that usage is counted of
// and that changed since a time: one per session id, the live one before
// archives, else the newest.
func (l *Library) UsageFiles(dir string, since time.Time) ([]UsageFile, error) {
	files, err := l.usageFiles(dir, func(f UsageFile) bool { return !f.Modified.Before(since) })
	if err != nil {
		return nil, err
	}
	best := map[string]UsageFile{}
	for _, f := range files {
		if old, ok := best[f.SessionID]; !ok || f.better(old) {
			best[f.SessionID] = f
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b UsageFile) int { return strings.Compare(a.SessionID, b.SessionID) }), nil
}

// usageFiles are the transcripts and archives in a sessions directory that are
// wanted.
func (l *Library) usageFiles(dir string, wanted func(UsageFile) bool) ([]UsageFile, error) {
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
	var out []UsageFile
	for _, n := range names {
		f, ok := usageName(n.Name())
		if !ok || !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if err != nil {
			continue // it is gone
		}
		f.Modified, f.place = info.ModTime(), place{base: dir, name: n.Name()}
		if wanted(f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// usageName is what the name of a file that counts tells.
func usageName(name string) (f UsageFile, ok bool) {
	f.Live = true
	if transcript, reason, at, ok := ArchiveName(name); ok {
		if reason == "bak" {
			return f, false
		}
		name, f.Live, f.archived = transcript, false, at
	}
	f.SessionID, ok = strings.CutSuffix(filepath.Base(name), ".jsonl")
	return f, ok
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

// Package transcript owns the transcript files of all sessions: it alone opens
// them. A transcript is JSONL: a header line, then one JSON object per line,
// each naming the one before it as its parent (see doc/disk.md, Transcripts).
//
// Guarantees:
//   - A line is on disk when Append returns. A failed append leaves the file
//     as it was; a line torn by a crash costs itself only.
//   - One writer per file in this process; readers never wait for one, except
//     to avoid scanning a file that is just being extended.
//   - Lines leave as they came: number spelling, escapes, member order and
//     unknown members survive every rewrite.
//   - Every path comes from pure rules (candidates) and is opened through an
//     os.Root, so that no entry and no symbolic link leads outside the
//     sessions directories.
//   - What a sync has failed to save is never trusted again: it is written anew.
//   - Reading costs what is read: an index per file, built by one streaming
//     scan and extended by each append, tells where the messages lie.
//
// It leaves to others which session a transcript belongs to (package
// sessions) and what a message means to a model (package runs).
package transcript

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/parleyd/parley/internal/disk"
)

// ErrNotFound is returned where a transcript must exist and does not.
var ErrNotFound = errors.New("no transcript")

// ErrLocked is returned where a run is to begin or a transcript must be
// rewritten and another program's run goes on. What wraps it has a text for
// clients.
var ErrLocked = errors.New("the transcript is in use by another program")

// ErrBadID is returned when a session id cannot name a file. Its text is a
// client's text, hence the capital letter.
var ErrBadID = errors.New("Invalid session ID")

// Options says where transcripts may lie and who hears of oddities.
type Options struct {
	StateDir string // the state directory; transcripts of agents lie below it
	Home     string // the user's home directory, for the legacy place; may be empty
	Log      *slog.Logger
	Disk     *disk.FS // nil for the plain system
}

// Ref names the transcript of a session by what its entry says.
type Ref struct {
	Dir         string // directory of the store file
	Agent       string // agent of the session, for the default place
	SessionID   string
	SessionFile string // as in the entry; may be empty

	// Dirs is optional, for who looks at many transcripts at once.
	Dirs *Dirs
}

// Library reads and writes transcripts. It is safe for concurrent use.
type Library struct {
	paths   paths
	log     *slog.Logger
	disk    *disk.FS
	locks   locks
	holds   holds
	cache   *cache
	answers answers
	read    atomic.Int64 // bytes read from transcripts since start

	// suspects are the keys of files of which content or name may be in memory
	// only and not on the disk, since a sync has failed: no later sync helps.
	suspects sync.Map
}

// maxIndexBytes bounds what the indexes of all files take: room for some six
// million messages.
const maxIndexBytes = 64 << 20

// New makes a Library. It touches no file.
func New(o Options) *Library {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Library{
		paths: paths{stateDir: o.StateDir, home: o.Home, links: new(follower)},
		log:   log,
		disk:  o.Disk,
		cache: newCache(5000, maxIndexBytes),
	}
}

// BytesRead is how much has been read from transcripts since start.
func (l *Library) BytesRead() int64 { return l.read.Load() }

// Locate is the path of the transcript that readers use: the first candidate
// that exists. It is ErrNotFound when none does.
func (l *Library) Locate(r Ref) (string, error) {
	p, err := l.existing(r)
	return p.path(), err
}

// File is the path that a writer uses, whether the file exists or not.
func (l *Library) File(r Ref) (string, error) {
	p, err := l.target(r)
	return p.path(), err
}

// Reaches reports whether the existing file at path, as Archive names it, is
// one of those that the session of r may have as its transcript.
func (l *Library) Reaches(r Ref, path string) bool {
	bases := l.paths.bases(r)
	for _, c := range l.paths.candidates(r) {
		if p, ok, err := resolve(c, bases); err == nil && ok && p.path() == path {
			return true
		}
	}
	return false
}

// existing is the place of the first candidate that exists.
func (l *Library) existing(r Ref) (place, error) {
	if p, ok := l.beside(r); ok {
		return p, nil
	}
	bases := l.paths.bases(r)
	for _, path := range l.paths.candidates(r) {
		p, ok, err := resolve(path, bases)
		if err != nil {
			return place{}, fmt.Errorf("look for transcript %s: %w", path, err)
		}
		if ok {
			return p, nil
		}
	}
	return place{}, ErrNotFound
}

// beside is existing for the usual case: the file is named after the session and
// lies beside the store.
func (l *Library) beside(r Ref) (place, bool) {
	if !validSessionID(r.SessionID) {
		return place{}, false
	}
	b, name := l.paths.own(r), r.SessionID+".jsonl"
	real := b.in(name)
	if r.SessionFile != "" && r.SessionFile != real {
		return place{}, false
	}
	info, err := b.lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return place{}, false
	}
	return place{b.path, name, real, info}, true
}

// target is where a writer writes: the file that readers use, else the first
// candidate whose directory does not lead out.
func (l *Library) target(r Ref) (place, error) {
	if r.Dirs == nil {
		r.Dirs = new(Dirs) // each directory is followed once
	}
	p, err := l.existing(r)
	if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	for _, path := range l.paths.candidates(r) {
		if p, ok := l.placeOf(r, path); ok {
			return p, nil
		}
	}
	return place{}, fmt.Errorf("%w: %s", ErrBadID, r.SessionID)
}

// placeOf is a path, at which no file needs to be, in the directory that bounds
// it; ok is false when its directory leads out.
func (l *Library) placeOf(r Ref, path string) (p place, ok bool) {
	for _, b := range l.paths.bases(r) {
		rel, ok := inside(b.path, path)
		switch {
		case ok && filepath.Dir(path) == b.path:
			return place{base: b.path, name: rel, real: b.in(rel)}, true
		case ok && within(b.real(), realPath(filepath.Dir(path))):
			return place{base: b.path, name: rel}, true
		}
	}
	return place{}, false
}

// index is the index of the file, from the cache or by a scan. The source may
// come to stand for a newer file.
func (l *Library) index(s *source) (*index, error) {
	if ix := l.cache.index(s.key, s.info); ix != nil {
		return ix, nil
	}
	// Whoever holds the lock may be extending the file and its index: waiting
	// is cheaper than scanning, and two readers share one scan.
	defer l.locks.lock(s.key)()
	if err := s.reopen(); err != nil {
		return nil, err
	}
	return l.indexLocked(s)
}

// indexLocked is index for a caller that holds the file's lock.
func (l *Library) indexLocked(s *source) (*index, error) {
	if ix := l.cache.index(s.key, s.info); ix != nil {
		return ix, nil
	}
	if s.info.Size() == 0 {
		return newIndex(), nil
	}
	ix, err := scan(s, s.info.Size())
	if err != nil {
		return nil, fmt.Errorf("read transcript %s: %w", s.place.path(), err)
	}
	l.cache.putIndex(s.key, s.info, ix)
	return ix, nil
}

package transcript

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Look is a look at one transcript: the file is looked for once, and only when
// something is asked of it, however much is asked. It must not outlive the call
// that it serves, and is for one goroutine.
type Look struct {
	library *Library
	ref     Ref

	looked bool
	place  place
	err    error
}

// Look is for who shows what a transcript is about.
func (l *Library) Look(r Ref) *Look { return &Look{library: l, ref: r} }

// index is the index of the transcript, nil when there is none or it cannot be
// read.
func (k *Look) index() *index { return seen(k, k.library.factsAt) }

// seen is what read makes of the file, nil when there is none or it cannot be
// read.
func seen[T any](k *Look, read func(place) (*T, error)) *T {
	k.find()
	var t *T
	err := k.err
	if err == nil {
		t, err = read(k.place)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		k.library.log.Warn("transcript cannot be read", "session", k.ref.SessionID, "err", err)
	}
	return t
}

// Seen is the state of a transcript in which a Look found it. The zero value is
// that of one that was not asked for.
type Seen struct {
	looked bool
	key    string
	info   fs.FileInfo // nil when there is no file
}

// Seen tells what the look has found so far; ok is false when the transcript could
// not be looked at.
func (k *Look) Seen() (seen Seen, ok bool) {
	switch {
	case !k.looked:
		return Seen{}, true
	case errors.Is(k.err, ErrNotFound):
		return Seen{looked: true}, true
	case k.err != nil:
		return Seen{}, false
	}
	return Seen{true, k.place.key(), k.place.info}, k.place.info != nil
}

// Same reports whether the transcript is as it was when an earlier look saw it; one
// that was not asked for is not looked for now either.
func (k *Look) Same(was Seen) bool {
	if !was.looked {
		return true
	}
	k.find()
	now, ok := k.Seen()
	if !ok || now.key != was.key || (now.info == nil) != (was.info == nil) {
		return false
	}
	return now.info == nil || unchanged(was.info, now.info)
}

// find looks for the file, once.
func (k *Look) find() {
	if !k.looked {
		k.looked = true
		k.place, k.err = k.library.existing(k.ref)
	}
}

// Sighting is a transcript and the state in which a Look found it.
type Sighting struct {
	ref  Ref
	seen Seen
	name string // of the file, when it is the usual one and no link leads there
}

// Sighting is what Seen tells, with what it is about.
func (k *Look) Sighting() (s Sighting, ok bool) {
	seen, ok := k.Seen()
	s = Sighting{ref: k.ref, seen: seen}
	s.ref.Dirs = nil // of the call
	if name := s.ref.SessionID + ".jsonl"; ok && seen.info != nil && filepath.Join(s.ref.Dir, name) == seen.key &&
		(s.ref.SessionFile == "" || s.ref.SessionFile == seen.key) {
		s.name = name
	}
	return s, ok
}

// Looked reports whether the transcript was asked for.
func (s Sighting) Looked() bool { return s.seen.looked }

// Unchanged reports whether all transcripts are as they were when they were seen.
func (l *Library) Unchanged(all []Sighting) bool {
	var dirs Dirs
	for _, s := range all {
		s.ref.Dirs = &dirs
		if b := l.paths.own(s.ref); s.name != "" && b.holds(s.name, s.seen.info) {
			continue // it is what is looked for first
		}
		if !l.Look(s.ref).Same(s.seen) {
			return false
		}
	}
	return true
}

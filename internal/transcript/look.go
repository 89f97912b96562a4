package transcript

import "errors"

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
	if !k.looked {
		k.looked = true
		k.place, k.err = k.library.existing(k.ref)
	}
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

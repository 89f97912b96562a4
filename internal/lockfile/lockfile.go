// Package lockfile is the lock files that OpenClaw and Parley share: whoever
// makes <file>.lock owns the file until it removes the lock (see
// doc/disk.md, Lock files).
//
// It owns their content, the rules by which a lock counts as left behind, and
// the way to take such a lock without taking one that is alive. A lock file is
// never durable on purpose: after a power cut its owner is gone as well. Which
// file needs which lock, and how long to wait for it, is left to the callers.
package lockfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Lock is a lock file by its path, with the ages that break it. A Lock may be
// used by many goroutines; of those that want it one has it.
type Lock struct {
	Path string
	// Stale is the age at which a lock without a living, known owner may be
	// taken, Stuck that for one whose owner is certainly alive.
	Stale, Stuck time.Duration
}

// HeldError is returned for a lock that somebody else has.
type HeldError struct {
	Path string
	PID  int64 // of the owner; 0 when the file does not tell
}

func (e *HeldError) Error() string {
	if e.PID <= 0 {
		return "locked by an unknown process: " + e.Path
	}
	return fmt.Sprintf("locked by process %d: %s", e.PID, e.Path)
}

// Told is the error in the words that clients of OpenClaw know, for who waited
// so long.
func (e *HeldError) Told(waited time.Duration) string {
	owner := "unknown"
	if e.PID > 0 {
		owner = fmt.Sprintf("pid=%d", e.PID)
	}
	return fmt.Sprintf("session file locked (timeout %dms): %s %s", waited.Milliseconds(), owner, e.Path)
}

// Acquire waits for the lock until the deadline, then returns a *HeldError.
func (l Lock) Acquire(ctx context.Context, deadline time.Time) (release func() error, err error) {
	for attempt := 1; ; attempt++ {
		err := l.create()
		if err == nil {
			return l.release, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if l.Break() {
			continue
		}
		pause := min(time.Second, time.Duration(attempt)*50*time.Millisecond)
		if time.Now().Add(pause).After(deadline) {
			return nil, l.held()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// release removes the lock, unless another program has put its own in place.
func (l Lock) release() error {
	if l.Foreign() {
		return nil
	}
	return os.Remove(l.Path)
}

// Refresh gives the lock, which the caller has, a new time: it does not count
// as left behind then, however long it is held. A lock that somebody removed is
// made again. The error is a *HeldError when another program has it.
func (l Lock) Refresh() error {
	switch _, err := os.Lstat(l.Path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := l.create(); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return l.held()
	case l.Foreign():
		return l.held()
	}
	aside := l.aside()
	if err := writeOwner(aside); err != nil {
		return err
	}
	if err := os.Rename(aside, l.Path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return nil
}

// Foreign reports whether a lock is there that is not ours, be it stale. It
// costs one look at the directory when there is none.
func (l Lock) Foreign() bool {
	if _, err := os.Lstat(l.Path); err != nil {
		return false
	}
	o, _, ok := l.read()
	return !ok || o.PID != int64(os.Getpid())
}

// Held is a *HeldError when a lock is there that may not be taken, else nil.
// It costs one look at the directory when there is none.
func (l Lock) Held() error {
	info, err := os.Lstat(l.Path)
	if err != nil {
		return nil
	}
	if owner, _, ok := l.read(); len(l.faults(owner, ok, info.ModTime(), time.Now())) > 0 {
		return nil
	}
	return l.held()
}

// Left reports whether a lock is there that was left behind: nobody needs it,
// and who wants the lock may break it.
func (l Lock) Left() bool {
	info, err := os.Lstat(l.Path)
	return err == nil && info.Mode().IsRegular() && l.Held() == nil
}

func (l Lock) held() error { return &HeldError{Path: l.Path, PID: l.Owner()} }

// Owner is the number of the process that has the lock; 0 when nobody has it
// or the file does not tell.
func (l Lock) Owner() int64 {
	o, _, _ := l.read()
	return max(0, o.PID)
}

// create makes the lock file, with its content from the first moment on: a
// process killed between creating and writing would leave a lock without an
// owner, which nobody may take for a while.
func (l Lock) create() error {
	if _, err := os.Lstat(l.Path); err == nil {
		return fs.ErrExist
	}
	aside := l.aside()
	if err := writeOwner(aside); err != nil {
		return err
	}
	err := os.Link(aside, l.Path)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		err = writeOwner(l.Path) // a file system without links
	}
	_ = os.Remove(aside) // a leftover is removed at the next start
	return err
}

// aside is a name beside the lock that nobody has.
func (l Lock) aside() string { return l.Path + "." + strings.ToLower(rand.Text()) + ".tmp" }

// writeOwner makes a file that names this process; it must not exist.
func writeOwner(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	pid := int64(os.Getpid())
	text := fmt.Sprintf("{\n  \"pid\": %d,\n  \"createdAt\": \"%s\"", pid, jstext.ISO(time.Now()))
	if start, ok := ownStart(); ok {
		text += fmt.Sprintf(",\n  \"starttime\": %d", start)
	}
	_, err = f.WriteString(text + "\n}")
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// owner is the content of a lock file.
type owner struct {
	PID       int64  `json:"pid"`
	CreatedAt string `json:"createdAt"`
	StartTime int64  `json:"starttime,omitzero"`
}

// read is the lock's owner and text; ok is false when it cannot be read.
func (l Lock) read() (o owner, text string, ok bool) {
	// Only a regular file: reading a pipe in its place would wait for ever.
	if info, err := os.Lstat(l.Path); err != nil || !info.Mode().IsRegular() {
		return owner{}, "", false
	}
	data, err := os.ReadFile(l.Path)
	if err != nil {
		return owner{}, "", false
	}
	err = rawjson.Unmarshal(data, &o)
	return o, string(data), err == nil
}

// Break removes the lock of an owner that is gone. It reports whether there is
// no lock now.
func (l Lock) Break() bool {
	info, err := os.Lstat(l.Path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	o, text, ok := l.read()
	if len(l.faults(o, ok, info.ModTime(), time.Now())) == 0 {
		return false
	}
	return l.remove(text)
}

// remove removes the lock that held text. Between looking and removing another
// process may have done the same and locked anew; so the file is first moved
// away, looked at again, and put back if it is another.
func (l Lock) remove(text string) bool {
	aside := l.aside()
	if err := os.Rename(l.Path, aside); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	if _, moved, _ := (Lock{Path: aside}).read(); moved != text {
		if err := os.Link(aside, l.Path); err != nil && !errors.Is(err, fs.ErrExist) {
			return false
		}
		_ = os.Remove(aside) // a leftover name is harmless
		return false
	}
	return os.Remove(aside) == nil
}

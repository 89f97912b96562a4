package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"

	"github.com/parleyd/parley/internal/rawjson"
)

// owner is who has a state directory for itself: the daemon, or for a moment a
// command that works on its files. While it runs it holds a lock on
// <state>/parley.lock, and the file says who it is; the lock alone counts, the
// content may be left over.
type owner struct {
	PID  int    `json:"pid"`
	Port int    `json:"port,omitzero"`
	URL  string `json:"url,omitzero"` // of the gateway protocol, for programs on this machine; only a daemon has one
	// Fingerprint is the SHA-256 of the certificate behind a wss URL.
	Fingerprint string `json:"fingerprint,omitzero"`
}

func ownerPath(stateDir string) string { return filepath.Join(stateDir, "parley.lock") }

// own takes the state directory, which is made if need be, until release.
func own(stateDir string, o owner) (release func(), err error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, stateFault(stateDir, err)
	}
	path := ownerPath(stateDir)
	lock := flock.New(path, flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, stateFault(stateDir, err)
	}
	if !held {
		return nil, ownedFault(stateDir)
	}
	if err := announce(stateDir, o); err != nil {
		return nil, errors.Join(stateFault(stateDir, err), lock.Unlock())
	}
	return func() {
		_ = os.Truncate(path, 0) // so that nobody looks for us; the lock is what counts
		_ = lock.Unlock()
	}, nil
}

// announce says who owns a state directory; only the owner may. Whoever reads the
// file meanwhile sees the old line or the new one: the new one is written over
// the old one, and only then is what is left of that cut off. The file cannot be
// replaced, for the lock is on it.
func announce(stateDir string, o owner) error {
	f, err := os.OpenFile(ownerPath(stateDir), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	line := append(rawjson.MustMarshal(o), '\n')
	_, err = f.WriteAt(line, 0)
	if err == nil {
		err = f.Truncate(int64(len(line)))
	}
	return errors.Join(err, f.Close())
}

// inUse says that a daemon owns a state directory.
type inUse struct{ error }

// take owns the state directory for a command that works on its files, or says
// that a daemon has it. One that does not exist is not made: there is nothing
// to work on then.
func take(stateDir string) (release func(), err error) {
	if _, err := os.Stat(stateDir); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	release, err = own(stateDir, owner{PID: os.Getpid()})
	if f, ok := errors.AsType[fault](err); ok && f.code == exitOwned {
		if o, ok := readOwner(stateDir); ok && o.URL != "" {
			return nil, inUse{err}
		}
	}
	return release, err
}

func stateFault(stateDir string, err error) error {
	return fault{exitState, fmt.Errorf("use the state directory %s: %w", stateDir, err),
		"It must be a directory that this user may write to. Choose another with --state-dir."}
}

func ownedFault(stateDir string) error {
	who := "another process"
	o, ok := readOwner(stateDir)
	switch {
	case ok && o.URL == "":
		return fault{exitOwned, fmt.Errorf("a parley command (pid %d) works on %s", o.PID, stateDir), "Try again when it is done."}
	case ok:
		who = fmt.Sprintf("another parley (pid %d, port %d)", o.PID, o.Port)
	}
	return fault{exitOwned, fmt.Errorf("%s already serves %s", who, stateDir),
		"Talk to it with \"parley call\", stop it, or choose another directory with --state-dir."}
}

// readOwner is what the lock file says of a process that lives.
func readOwner(stateDir string) (owner, bool) {
	text, err := os.ReadFile(ownerPath(stateDir))
	if err != nil {
		return owner{}, false
	}
	var o owner
	line, _, _ := bytes.Cut(text, []byte("\n")) // what follows is left of a longer one
	if rawjson.Unmarshal(line, &o) != nil || o.PID <= 0 {
		return owner{}, false
	}
	alive := syscall.Kill(o.PID, 0) // signal 0 asks without sending
	return o, alive == nil || errors.Is(alive, syscall.EPERM)
}

package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const (
	// lockWait is how long an Update waits from the moment it was queued.
	lockWait = 10 * time.Second
	// lockStale is the age at which a lock without a living, known owner may be
	// taken, lockStuck that for one whose owner is certainly alive.
	lockStale = 30 * time.Second
	lockStuck = 5 * time.Minute
)

// fileLock is the lock file <store>.lock that OpenClaw uses as well: who
// creates it owns the store until it removes it.
type fileLock struct{ path string }

// lockOwner is the content of a lock file.
type lockOwner struct {
	PID       int64  `json:"pid"`
	CreatedAt string `json:"createdAt"`
	StartTime int64  `json:"starttime,omitzero"`
}

// lockPath is the lock of a store; its directory is resolved through symbolic
// links, so that two names of one directory share it.
func lockPath(store string) string {
	dir := filepath.Dir(store)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return filepath.Join(dir, filepath.Base(store)+".lock")
}

// acquire waits for the lock until the deadline. The error is then the text
// that clients of OpenClaw know.
func (l fileLock) acquire(ctx context.Context, deadline time.Time) (release func() error, err error) {
	for attempt := 1; ; attempt++ {
		err := l.create()
		if err == nil {
			return l.release, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if l.breakStale() {
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
func (l fileLock) release() error {
	if l.foreign() {
		return nil
	}
	return os.Remove(l.path)
}

// held is the error for a lock that could not be had in time.
func (l fileLock) held() *protocol.Error {
	owner := "unknown"
	if o, _, ok := l.read(); ok && o.PID > 0 {
		owner = fmt.Sprintf("pid=%d", o.PID)
	}
	return protocol.Unavailablef("Error: session file locked (timeout %dms): %s %s", lockWait.Milliseconds(), owner, l.path)
}

// create makes the lock file, with its content from the first moment on: a
// process killed between creating and writing would leave a lock without an
// owner, which nobody may take for half a minute.
func (l fileLock) create() error {
	if _, err := os.Lstat(l.path); err == nil {
		return fs.ErrExist
	}
	aside := l.path + "." + strings.ToLower(rand.Text()) + ".tmp"
	if err := writeOwner(aside); err != nil {
		return err
	}
	err := os.Link(aside, l.path)
	if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		err = writeOwner(l.path) // a file system without links
	}
	_ = os.Remove(aside) // a leftover is removed at the next start
	return err
}

// writeOwner makes a file that names this process; it must not exist.
func writeOwner(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	pid := int64(os.Getpid())
	text := fmt.Sprintf("{\n  \"pid\": %d,\n  \"createdAt\": \"%s\"", pid, jstext.ISO(time.Now()))
	if start, ok := startTime(pid); ok {
		text += fmt.Sprintf(",\n  \"starttime\": %d", start)
	}
	_, err = f.WriteString(text + "\n}")
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// read is the lock's owner and text; ok is false when it cannot be read.
func (l fileLock) read() (o lockOwner, text string, ok bool) {
	data, err := os.ReadFile(l.path)
	if err != nil {
		return lockOwner{}, "", false
	}
	return o, string(data), rawjson.Unmarshal(data, &o) == nil
}

// breakStale removes the lock of an owner that is gone. Between looking and
// removing another process may have done the same and locked anew; so the
// file is first moved away, looked at again, and put back if it is another.
func (l fileLock) breakStale() bool {
	info, err := os.Lstat(l.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	owner, text, ok := l.read()
	if !stale(owner, ok, info.ModTime(), time.Now()) {
		return false
	}
	aside := l.path + "." + strings.ToLower(rand.Text()) + ".tmp"
	if err := os.Rename(l.path, aside); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	if moved, err := os.ReadFile(aside); err == nil && string(moved) != text && ok {
		if err := os.Link(aside, l.path); err != nil && !errors.Is(err, fs.ErrExist) {
			return false
		}
		_ = os.Remove(aside) // a leftover name is harmless
		return false
	}
	return os.Remove(aside) == nil
}

// stale reports whether a lock may be taken from its owner.
func stale(o lockOwner, readable bool, mtime, now time.Time) bool {
	created, err := time.Parse(time.RFC3339, o.CreatedAt)
	if !readable || o.PID <= 0 {
		return now.Sub(mtime) > lockStale
	}
	if !alive(o.PID) {
		return true
	}
	if o.StartTime != 0 {
		start, known := startTime(o.PID)
		if known && start != o.StartTime {
			return true // the number belongs to another process by now
		}
		if known && err == nil {
			return now.Sub(created) > lockStuck
		}
	}
	if o.StartTime == 0 && o.PID == int64(os.Getpid()) {
		return true // we always write a start time where there is one
	}
	if err != nil {
		return now.Sub(mtime) > lockStale
	}
	return now.Sub(created) > lockStale
}

// alive reports whether a process with this number exists.
func alive(pid int64) bool {
	err := syscall.Kill(int(pid), 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// startTime is when a process started, in the kernel's own unit; together with
// its number it names a process for good. Only Linux tells.
func startTime(pid int64) (int64, bool) {
	if runtime.GOOS != "linux" {
		return 0, false
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the command in parentheses and may hold anything.
	_, rest, ok := strings.Cut(string(data[max(0, strings.LastIndexByte(string(data), ')')):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, false
	}
	start, err := strconv.ParseInt(fields[19], 10, 64)
	return start, err == nil
}

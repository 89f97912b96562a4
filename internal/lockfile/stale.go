package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Reasons for which a lock counts as left behind.
const (
	deadPID      = "dead pid"
	recycledPID  = "recycled pid"
	tooOld       = "too old"
	missingPID   = "missing pid"
	badCreatedAt = "bad createdAt"
)

// faults are the reasons for which a lock may be taken from its owner; none
// when it may not. A lock that does not say enough is left alone until its
// file is old: its owner may just be writing it.
func (l Lock) faults(o owner, readable bool, mtime, now time.Time) []string {
	created, err := time.Parse(time.RFC3339, o.CreatedAt)
	old := now.Sub(mtime) > l.Stale
	switch {
	case !readable || o.PID <= 0:
		return when(old, missingPID, tooOld)
	case !alive(o.PID):
		return []string{deadPID}
	case o.StartTime == 0 && o.PID == int64(os.Getpid()):
		return []string{recycledPID} // we always write a start time where there is one
	}
	start, known := startTime(o.PID)
	known = known && o.StartTime != 0
	switch {
	case known && start != o.StartTime:
		return []string{recycledPID} // the number belongs to another process by now
	case err != nil:
		return when(old, badCreatedAt, tooOld)
	case known:
		return when(now.Sub(created) > l.Stuck, tooOld)
	}
	return when(now.Sub(created) > l.Stale, tooOld)
}

func when(yes bool, reasons ...string) []string {
	if yes {
		return reasons
	}
	return nil
}

// Clean removes the lock if it was left behind, for use at start, and tells
// why it counted as such; none when it stays. Unlike Acquire it does not wait
// for a lock to grow old that lacks an owner or a time.
func (l Lock) Clean() (reasons []string, err error) {
	info, err := os.Lstat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	o, text, ok := l.read()
	reasons = l.faults(o, ok, info.ModTime(), time.Now())
	if _, err := time.Parse(time.RFC3339, o.CreatedAt); len(reasons) == 0 {
		switch {
		case !ok || o.PID <= 0:
			reasons = []string{missingPID}
		case err != nil:
			reasons = []string{badCreatedAt}
		}
	}
	if len(reasons) == 0 {
		return nil, nil
	}
	if !l.remove(text) {
		return nil, fmt.Errorf("remove stale lock %s: it is in use again or cannot be removed", l.Path)
	}
	return reasons, nil
}

// alive reports whether a process with this number exists.
func alive(pid int64) bool {
	err := syscall.Kill(int(pid), 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// ownStart is startTime of this process.
var ownStart = sync.OnceValues(func() (int64, bool) { return startTime(int64(os.Getpid())) })

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

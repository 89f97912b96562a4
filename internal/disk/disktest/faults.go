package disktest

import (
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// EachFault runs work on a fresh directory without a fault, and then again and
// again, in a subtest and on a fresh directory each, letting its first changing
// operation fail, its second, and so on to its last. Each fails with ENOSPC and
// with EIO, a Write after no, some and all of its bytes; and once all operations
// from there on fail, as those of a dead disk do. The work should do the same
// operations each time.
//
// After each run check gets what is left and what work returned. It should open
// the files with another FS, without faults.
func EachFault(t *testing.T, work func(t *testing.T, fs *disk.FS, dir string) error, check func(t *testing.T, dir string, workErr error)) {
	t.Helper()
	EachFaultAfter(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		arm()
		return work(t, fs, dir)
	}, check)
}

// EachFaultAfter is EachFault of work that prepares something first: no
// operation fails before work has called arm.
func EachFaultAfter(t *testing.T, work func(t *testing.T, fs *disk.FS, dir string, arm func()) error, check func(t *testing.T, dir string, workErr error)) {
	t.Helper()
	run := func(name string, f *fault) bool {
		return t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := work(t, disk.New(f.hook), dir, f.arm)
			if !f.armed {
				t.Fatal("the work did not arm the faults")
			}
			if f.err != nil && len(f.seen) <= f.at {
				t.Log("this time the operation was not done")
			}
			check(t, dir, err)
		})
	}
	plain := &fault{}
	if !run("no fault", plain) {
		return // then no fault says anything
	}
	if len(plain.seen) == 0 {
		t.Fatal("the work changes nothing")
	}
	for n, op := range plain.seen {
		for _, f := range faultsOf(op) {
			f.at = n
			run(f.name(plain.seen), f)
		}
	}
}

// fault is what goes wrong in one run.
type fault struct {
	at    int // how many operations go well before
	err   error
	bytes int  // of a write that are written all the same
	dead  bool // all that follows fails, too

	mu    sync.Mutex // guards all below
	armed bool
	seen  []disk.Op
}

func (f *fault) arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
}

func (f *fault) hook(op disk.Op) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return 0, nil
	}
	n := len(f.seen)
	f.seen = append(f.seen, keep(op))
	switch {
	case f.err == nil:
		return 0, nil
	case n == f.at:
		return min(f.bytes, len(op.Data)), f.err
	case n > f.at && f.dead:
		return 0, f.err
	}
	return 0, nil
}

// faultsOf are the ways in which op can fail.
func faultsOf(op disk.Op) []*fault {
	faults := []*fault{{err: syscall.ENOSPC}, {err: syscall.EIO}, {err: syscall.EIO, dead: true}}
	if n := len(op.Data); op.Kind == disk.Write && n > 0 {
		last := -1
		for _, bytes := range []int{1, n / 2, n - 1} {
			if bytes > max(last, 0) && bytes < n {
				faults = append(faults, &fault{err: syscall.ENOSPC, bytes: bytes})
				last = bytes
			}
		}
		faults = append(faults, &fault{err: syscall.EIO, bytes: n})
		if n > 1 {
			faults = append(faults, &fault{err: syscall.EIO, bytes: n / 2, dead: true})
		}
	}
	return faults
}

// name says what fails in a run whose operations are ops: the third write of
// which file, and how.
func (f *fault) name(ops []disk.Op) string {
	op, nth := ops[f.at], 0
	for _, o := range ops[:f.at+1] {
		if o.Kind == op.Kind && shown(o.Path) == shown(op.Path) {
			nth++
		}
	}
	text := fmt.Sprintf("%s %d of %s, %s", op.Kind, nth, shown(op.Path), errnoName(f.err))
	switch {
	case f.bytes > 0 && f.bytes == len(op.Data):
		text += " after all bytes"
	case f.bytes > 0:
		text += fmt.Sprintf(" after %d bytes", f.bytes)
	}
	if f.dead {
		text += " and ever after"
	}
	return text
}

func errnoName(err error) string {
	if err == syscall.ENOSPC {
		return "ENOSPC"
	}
	return "EIO"
}

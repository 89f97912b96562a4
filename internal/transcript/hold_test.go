package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// owned reports whether the lock of a session's transcript is there and ours.
func (f *fixture) owned(id string) bool {
	return transcriptLock(f.path(id)).Owner() == int64(os.Getpid())
}

func (f *fixture) hold(t *testing.T, r Ref) (release func()) {
	t.Helper()
	release, err := f.Hold(t.Context(), r, 0)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// Runs in this process that write to one file share its lock, and what is done
// to the file meanwhile does not wait for it.
func TestHoldIsShared(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", append(chain(5), "junk")...)
	other := f.ref("other")
	other.SessionFile = "s.jsonl"
	first, second := f.hold(t, f.ref("s")), f.hold(t, other)
	if _, err := f.Repair(f.ref("s")); err != nil {
		t.Errorf("repair: %v", err)
	}
	if _, err := f.Compact(f.ref("s"), 3); err != nil {
		t.Errorf("compact: %v", err)
	}
	if _, err := f.Append(f.ref("s"), "/", messageLine("user", "x")); err != nil {
		t.Errorf("append: %v", err)
	}
	first()
	first()
	if !f.owned("s") {
		t.Error("the lock is gone while somebody holds it")
	}
	second()
	if _, err := os.Lstat(f.path("s") + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock is left: %v", err)
	}
	if n := len(f.holds.list); n != 0 {
		t.Errorf("%d holds are remembered", n)
	}
}

func TestHoldBeforeThereIsAFile(t *testing.T) {
	f := openFixture(t.TempDir(), nil)
	release := f.hold(t, f.ref("s"))
	if !f.owned("s") {
		t.Error("there is no lock")
	}
	release()
	if names := f.ls(t); len(names) != 0 {
		t.Errorf("%q are left", names)
	}
}

// A run waits for that of another program, and no longer than it should.
func TestHoldWaitsForAnotherProgram(t *testing.T) {
	f := newFixture(t)
	lock := f.path("s") + ".lock"
	want := fmt.Sprintf("session file locked (timeout 10000ms): pid=%d %s", os.Getppid(), lock)
	synctest.Test(t, func(t *testing.T) {
		f.write(t, "s.jsonl.lock", lockText(os.Getppid(), time.Minute))
		var wg sync.WaitGroup
		for range 3 { // also those that wait behind the first
			wg.Go(func() {
				started := time.Now()
				_, err := f.Hold(t.Context(), f.ref("s"), 10*time.Second)
				if !errors.Is(err, ErrLocked) || err.Error() != want {
					t.Errorf("error %v, want %s", err, want)
				}
				if waited := time.Since(started); waited < 9*time.Second || waited > 10*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		}
		wg.Wait()
		ended := errors.New("the run was aborted")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, ended)
		defer cancel()
		if _, err := f.Hold(ctx, f.ref("s"), 10*time.Second); !errors.Is(err, ended) {
			t.Errorf("error %v, want %v", err, ended)
		}
		time.AfterFunc(3*time.Second, func() {
			if err := os.Remove(lock); err != nil {
				t.Error(err)
			}
		})
		release, err := f.Hold(t.Context(), f.ref("s"), 10*time.Second)
		if err != nil || !f.owned("s") {
			t.Fatalf("when the other has ended: %v", err)
		}
		release()
	})
}

// A lock that is half an hour old may be taken by others: that of a long run
// never is. One that was taken is not taken back.
func TestHoldIsRenewed(t *testing.T) {
	f := newFixture(t)
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	synctest.Test(t, func(t *testing.T) {
		release := f.hold(t, f.ref("s"))
		lock := transcriptLock(f.path("s"))
		for range 20 {
			time.Sleep(10*time.Minute + time.Second)
			if lock.Break() {
				t.Fatal("the lock of a run that goes on could be taken")
			}
		}
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("logged %s", &log)
		}
		f.write(t, "s.jsonl.lock", lockText(os.Getppid(), 0))
		time.Sleep(renewEvery + time.Second)
		synctest.Wait()
		if !strings.Contains(log.String(), "cannot be renewed") {
			t.Error("nobody is told that another program took the lock")
		}
		release()
		time.Sleep(time.Hour)
	})
	if owner := transcriptLock(f.path("s")).Owner(); owner != int64(os.Getppid()) {
		t.Errorf("the lock of the other program is now of %d", owner)
	}
}

func TestManyHold(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				release, err := f.Hold(t.Context(), f.ref(fmt.Sprint(i%3)), 10*time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				if !f.owned(fmt.Sprint(i % 3)) {
					t.Error("there is no lock")
				}
				release()
			}
		})
	}
	wg.Wait()
	if names := f.ls(t); len(names) != 0 || len(f.holds.list) != 0 {
		t.Errorf("%q are left, %d holds are remembered", names, len(f.holds.list))
	}
}

// Where no lock file can be made no other program makes one, and a run need not
// fail for it.
func TestHoldWithoutALockFile(t *testing.T) {
	f := openFixture(t.TempDir(), nil)
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	f.write(t, filepath.Dir(f.dir), "a file in the place of the directory")
	f.hold(t, f.ref("s"))()
	if !strings.Contains(log.String(), "cannot be locked") {
		t.Errorf("logged %s", &log)
	}
}

// BenchmarkHold is what the lock costs a run: compare it with BenchmarkAppend,
// of which a run has at least two.
func BenchmarkHold(b *testing.B) {
	f := newFixture(b)
	f.write(b, "s.jsonl", chain(2)...)
	for b.Loop() {
		release, err := f.Hold(b.Context(), f.ref("s"), 0)
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

package disktest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// statesOf are all states of f and other names that some work can leave, as
// "name=content" with zeros as dots.
func statesOf(t *testing.T, o Options, work func(*disk.Root, *Recorder) error) map[string]bool {
	t.Helper()
	states := map[string]bool{}
	PowerCuts(t, record(t, work), o, func(dir string, _ []any) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		var all []string
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			text := strings.ReplaceAll(string(data), "\x00", ".")
			text = strings.ReplaceAll(strings.ReplaceAll(text, old, "O"), fresh, "N")
			all = append(all, e.Name()+"="+text)
		}
		states[strings.Join(all, " ")] = true
		return nil
	})
	return states
}

func wantStates(t *testing.T, got map[string]bool, want ...string) {
	t.Helper()
	for _, w := range want {
		if !got[w] {
			t.Errorf("the state %q was not made", w)
		}
		delete(got, w)
	}
	for state := range got {
		t.Errorf("the state %q was made", state)
	}
}

func TestGrownFileMayHoldZeros(t *testing.T) {
	got := statesOf(t, Options{}, func(r *disk.Root, _ *Recorder) error {
		return put(r, "g", "abc", os.O_CREATE, false)
	})
	wantStates(t, got, "f=O", "f=O g=", "f=O g=...", "f=O g=abc")
}

func TestTwoWritesToOneBlockComeInOrder(t *testing.T) {
	got := statesOf(t, Options{}, func(r *disk.Root, _ *Recorder) error {
		return steps(
			func() error { return put(r, "g", "", os.O_CREATE, true) },
			func() error { return r.SyncDir(".") },
			func() error { return put(r, "g", "ab", os.O_APPEND, false) },
			func() error { return put(r, "g", "cd", os.O_APPEND, false) },
		)
	})
	wantStates(t, got, "f=O", "f=O g=", "f=O g=..", "f=O g=ab", "f=O g=....", "f=O g=ab..", "f=O g=abcd")
}

func TestOrderOfNames(t *testing.T) {
	work := func(r *disk.Root, _ *Recorder) error {
		return steps(
			func() error { return put(r, "a", "", os.O_CREATE, true) },
			func() error { return r.Rename("a", "b") },
			func() error { return put(r, "c", "", os.O_CREATE, true) },
		)
	}
	wantStates(t, statesOf(t, Options{}, work), "f=O", "a= f=O", "b= f=O", "b= c= f=O")
	wantStates(t, statesOf(t, Options{AnyOrder: true}, work), "f=O", "a= f=O", "b= f=O", "b= c= f=O", "c= f=O", "a= c= f=O")
}

// After a sync that failed another one, that seems to work, saves nothing that
// was not written again.
func TestFailedSyncIsNotMadeGood(t *testing.T) {
	fail := func(rec *Recorder, kind disk.Kind) func() error {
		return func() error {
			rec.Fault = func(op disk.Op) (int, error) {
				if op.Kind == kind {
					rec.Fault = nil
					return 0, syscall.EIO
				}
				return 0, nil
			}
			return nil
		}
	}
	failing := func(f func() error) func() error {
		return func() error {
			if f() == nil {
				return fmt.Errorf("the sync did not fail")
			}
			return nil
		}
	}
	content := func(again bool) func(*disk.Root, *Recorder) error {
		return func(r *disk.Root, rec *Recorder) error {
			f, err := r.OpenFile("f", os.O_WRONLY)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte(fresh), 0)
			return steps(
				func() error { return err },
				fail(rec, disk.Sync), failing(f.Sync),
				func() error {
					if again {
						_, err = f.WriteAt([]byte(fresh), 0)
					}
					return err
				},
				f.Sync,
				func() error { rec.Mark("saved"); return nil },
			)
		}
	}
	names := func(again bool) func(*disk.Root, *Recorder) error {
		return func(r *disk.Root, rec *Recorder) error {
			return steps(
				func() error { return put(r, "t", fresh, os.O_CREATE, true) },
				func() error { return r.Rename("t", "f") },
				fail(rec, disk.SyncDir), failing(func() error { return r.SyncDir(".") }),
				func() error {
					if !again {
						return nil
					}
					return steps(
						func() error { return put(r, "t", fresh, os.O_CREATE, true) },
						func() error { return r.Rename("t", "f") },
					)
				},
				func() error { return r.SyncDir(".") },
				func() error { rec.Mark("saved"); return nil },
			)
		}
	}
	for name, work := range map[string]func(bool) func(*disk.Root, *Recorder) error{"content": content, "names": names} {
		for _, again := range []bool{false, true} {
			lost := false
			PowerCuts(t, record(t, work(again)), Options{}, func(dir string, marks []any) error {
				got, err := os.ReadFile(filepath.Join(dir, "f"))
				lost = lost || len(marks) > 0 && string(got) != fresh
				return err
			})
			if lost == again {
				t.Errorf("%s, written again %t: lost %t", name, again, lost)
			}
		}
	}
}

// A change past the FS would be missing in every state: it is reported.
func TestChangesPastTheRecorderAreFound(t *testing.T) {
	rec := record(t, func(r *disk.Root, _ *Recorder) error {
		if err := os.WriteFile(filepath.Join(r.Dir(), "a.lock"), nil, 0o600); err != nil {
			return err
		}
		return put(r, "g", "x", os.O_CREATE, false)
	})
	c := newCutter(rec, Options{}, t.TempDir())
	c.check = func(string, []any) error { return nil }
	if _, err := c.run(); err == nil || !strings.Contains(err.Error(), "a.lock") {
		t.Errorf("error %v, want one that names a.lock", err)
	}
	PowerCuts(t, rec, Options{Ignore: []string{"*.lock"}}, c.check)
}

// What the model makes of all operations is what the system made of them.
func TestModelAgreesWithTheSystem(t *testing.T) {
	rec := record(t, func(r *disk.Root, _ *Recorder) error {
		f, err := r.OpenFile("open", os.O_RDWR|os.O_CREATE)
		if err != nil {
			return err
		}
		defer f.Close()
		refused := func(f func() error) func() error {
			return func() error {
				if f() == nil {
					return fmt.Errorf("not refused")
				}
				return nil
			}
		}
		_, err = f.WriteAt([]byte(fresh), 5000)
		return steps(
			func() error { return err },
			func() error { return f.Truncate(9000) },
			func() error { return f.Truncate(20_000) },
			func() error { return r.Link("open", "second") },
			refused(func() error { return r.Link("open", "f") }),
			func() error { return r.Rename("open", "second") }, // one file: stays
			func() error { return r.Remove("open") },
			func() error { _, err := f.WriteAt([]byte("by the handle"), 100); return err },
			func() error { return r.MkdirAll("d/e") },
			refused(func() error { return r.Remove("d") }),
			refused(func() error { return r.Rename("f", "d") }),
			refused(func() error { return r.Rename("nothing", "d") }),
			refused(func() error { return put(r, "f", "x", os.O_CREATE|os.O_EXCL, false) }),
			refused(func() error { return put(r, "nothing", "x", 0, false) }),
			func() error { return r.Rename("d/e", "e") },
			func() error { return r.Exchange("e", "f") },
			func() error { return put(r, "e", "x", os.O_TRUNC, false) },
			func() error { return r.Link("e", "d/third") },
			func() error { return r.Remove("second") },
		)
	})
	if n := PowerCuts(t, rec, Options{}, func(string, []any) error { return nil }); n < 100 {
		t.Errorf("only %d states", n)
	}
}

func TestLinksBeforeTheRecordingStay(t *testing.T) {
	dir := t.TempDir()
	if err := steps(
		func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600) },
		func() error { return os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")) },
		func() error { return os.Symlink("a", filepath.Join(dir, "c")) },
	); err != nil {
		t.Fatal(err)
	}
	n := PowerCuts(t, Record(t, dir), Options{}, func(dir string, _ []any) error {
		a, err := os.Stat(filepath.Join(dir, "a"))
		if err != nil {
			return err
		}
		b, err := os.Stat(filepath.Join(dir, "b"))
		if err == nil && !os.SameFile(a, b) {
			err = fmt.Errorf("a and b are two files")
		}
		if link, _ := os.Readlink(filepath.Join(dir, "c")); link != "a" {
			return fmt.Errorf("c leads to %q", link)
		}
		return err
	})
	if n != 1 {
		t.Errorf("%d states of a directory that does not change", n)
	}
}

func TestOpsAreWhatWasDone(t *testing.T) {
	rec := record(t, func(r *disk.Root, rec *Recorder) error {
		rec.Fault = func(op disk.Op) (int, error) {
			if op.Kind == disk.Remove {
				return 0, syscall.EIO
			}
			return 0, nil
		}
		_ = r.Remove("f")
		return put(r, "f", "x", os.O_APPEND, true)
	})
	var kinds []string
	for _, op := range rec.Ops() {
		kinds = append(kinds, string(op.Kind))
	}
	if got := strings.Join(kinds, " "); got != "open write sync" {
		t.Errorf("operations %s", got)
	}
}

// judged is a test that fails as PowerCuts and its checks want.
type judged struct {
	testing.TB
	failed bool
	said   string
}

func (j *judged) Helper()                 {}
func (j *judged) Failed() bool            { return j.failed }
func (j *judged) Error(...any)            { j.failed = true }
func (j *judged) Logf(f string, a ...any) { j.said += fmt.Sprintf(f, a...) }
func (j *judged) Fatal(a ...any) {
	j.said += fmt.Sprint(a...)
	j.failed = true
	runtime.Goexit()
}

// Whichever way a check fails, the test fails and says in which state.
func TestFailureTellsTheState(t *testing.T) {
	rec := record(t, func(r *disk.Root, rec *Recorder) error { return put(r, "g", "x", os.O_CREATE, false) })
	for name, fail := range map[string]func(j *judged) error{
		"error":          func(*judged) error { return fmt.Errorf("wrong") },
		"failed test":    func(j *judged) error { j.Error("wrong"); return nil },
		"test was ended": func(j *judged) error { j.Fatal("wrong"); return nil },
	} {
		j := &judged{TB: t}
		var wg sync.WaitGroup
		wg.Go(func() {
			PowerCuts(j, rec, Options{Seed: 7}, func(dir string, _ []any) error {
				if _, err := os.Stat(filepath.Join(dir, "g")); err != nil {
					return nil
				}
				return fail(j)
			})
		})
		wg.Wait()
		for _, want := range []string{"power cut after 1 of 2 operations (seed 7)", "1 open g", "file g: 0 bytes"} {
			if !j.failed || !strings.Contains(j.said, want) {
				t.Errorf("%s: failed %t, said %q, want %q in it", name, j.failed, j.said, want)
			}
		}
	}
}

package transcript

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

// operation is something that changes files, on a library that has just been
// opened.
type operation struct {
	name          string
	files         map[string][]string // by name in the sessions directory: lines
	do            func(f *fixture) error
	before, after []string // texts of the messages of the session s
	again         []string // after doing it once more, if it can be done again
	whole         bool     // nothing between before and after is right
	of            func(f *fixture) Ref
}

// ref is the session whose transcript it is about: s, if nothing else is said.
func (op operation) ref(f *fixture) Ref {
	if op.of == nil {
		return f.ref("s")
	}
	return op.of(f)
}

func appendTexts(texts ...string) func(*fixture) error {
	return func(f *fixture) error {
		var lines []Line
		for _, text := range texts {
			lines = append(lines, messageLine("user", text))
		}
		_, err := f.Append(f.ref("s"), "/", lines...)
		return err
	}
}

// big is a text of several blocks, so that there is something to tear.
var big = strings.Repeat("big ", 3000)

func operations() []operation {
	v1 := []string{`{"type":"session","id":"s"}`, `{"type":"message","message":{"role":"user","content":"a"}}`}
	v2 := []string{`{"type":"session","version":2,"id":"s"}`, testMessage("00000001", "", "user", "a")}
	archive := "s.jsonl.reset." + stampText
	return []operation{
		{name: "append to a new file", do: appendTexts("a", big), after: []string{"a", big}, again: []string{"a", big, "a", big}},
		{name: "append", files: map[string][]string{"s.jsonl": chain(2)}, do: appendTexts(big),
			before: []string{"m1", "m2"}, after: []string{"m1", "m2", big}, again: []string{"m1", "m2", big, big}},
		{name: "append to an empty file", files: map[string][]string{"s.jsonl": nil}, do: appendTexts("a"), after: []string{"a"}, again: []string{"a", "a"}},
		{name: "append to a torn file", files: map[string][]string{"s.jsonl": append(chain(1), `{"type":"mess\`)}, do: appendTexts("b"),
			before: []string{"m1"}, after: []string{"m1", "b"}, again: []string{"m1", "b", "b"}},
		{name: "append to version 1", files: map[string][]string{"s.jsonl": v1}, do: appendTexts("b"),
			before: []string{"a"}, after: []string{"a", "b"}, again: []string{"a", "b", "b"}},
		{name: "append to version 2", files: map[string][]string{"s.jsonl": v2}, do: appendTexts("b"),
			before: []string{"a"}, after: []string{"a", "b"}, again: []string{"a", "b", "b"}},
		{name: "append without a header", files: map[string][]string{"s.jsonl": chain(1)[1:]}, do: appendTexts("b"),
			before: []string{"m1"}, after: []string{"m1", "b"}, again: []string{"m1", "b", "b"}},
		{name: "ensure", do: func(f *fixture) error { return f.Ensure(f.ref("s"), "/") }, again: []string{}},
		{name: "compact", files: map[string][]string{"s.jsonl": chain(4)}, before: []string{"m1", "m2", "m3", "m4"}, after: []string{"m3", "m4"},
			again: []string{"m3", "m4"}, do: func(f *fixture) error {
				_, err := f.Compact(f.ref("s"), 2)
				return err
			}},
		{name: "repair", files: map[string][]string{"s.jsonl": append(chain(2), "junk", `{"torn\`)}, before: []string{"m1", "m2"}, after: []string{"m1", "m2"},
			again: []string{"m1", "m2"}, do: func(f *fixture) error {
				_, err := f.Repair(f.ref("s"))
				return err
			}},
		{name: "archive", files: map[string][]string{"s.jsonl": chain(1)}, before: []string{"m1"}, after: []string{}, again: []string{},
			do: func(f *fixture) error {
				_, err := f.Archive(f.ref("s"), "reset", nil)
				return err
			}},
		{name: "restore", files: map[string][]string{archive: chain(1)}, after: []string{"m1"}, do: func(f *fixture) error {
			_, err := f.Restore(f.ref("s"), filepath.Join(f.dir, archive))
			return err
		}},
		{name: "restore under its own name", files: map[string][]string{"sub/own.jsonl.deleted." + stampText: chain(1)}, after: []string{"m1"},
			do: func(f *fixture) error {
				_, err := f.Restore(f.own(), filepath.Join(f.dir, "sub/own.jsonl.deleted."+stampText))
				return err
			}, of: (*fixture).own},
		{name: "fork", files: map[string][]string{"source.jsonl": chain(400)}, after: chainTexts(399), whole: true, do: func(f *fixture) error {
			return f.Fork(f.ref("source"), "0000018f", f.ref("s"))
		}},
		{name: "install", after: chainTexts(399), whole: true, do: func(f *fixture) error {
			text, upload := joinLines(chain(399)...), strings.ToLower(rand.Text())
			if _, err := f.Receive(f.dir, upload, 0, []byte(text)); err != nil {
				return err
			}
			_, err := f.Install(f.ref("s"), upload, int64(len(text)))
			return errors.Join(err, f.Abandon(f.dir, upload))
		}},
	}
}

// own is a session whose transcript has a name of its own.
func (f *fixture) own() Ref {
	r := f.ref("s")
	r.SessionFile = "sub/own.jsonl"
	return r
}

// chainTexts are the texts of chain.
func chainTexts(n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprintf("m%d", i+1))
	}
	return texts
}

func (op operation) prepare(t *testing.T, dir string) {
	t.Helper()
	f := openFixture(dir, nil)
	for name, lines := range op.files {
		f.write(t, name, lines...)
	}
}

// between reports whether got is before, after, or on the way: some of the
// lines that one append adds.
func (op operation) between(got []string) bool {
	if slices.Equal(got, op.before) || slices.Equal(got, op.after) {
		return true
	}
	return !op.whole && len(got) < len(op.after) && len(got) >= len(op.before) && slices.Equal(got, op.after[:len(got)]) && slices.Equal(got[:len(op.before)], op.before)
}

// check looks at what an operation left when it returned, or when the power
// went.
func (op operation) check(t *testing.T, dir string, done bool) {
	t.Helper()
	f := openFixture(dir, nil)
	r := op.ref(f)
	got := f.texts(t, r)
	if !op.between(got) || done && !slices.Equal(got, op.after) {
		t.Errorf("texts are %.60q", got)
		return
	}
	if slices.Equal(got, op.after) && op.again == nil {
		return
	}
	if err := op.do(f); err != nil {
		t.Errorf("done again: %v", err)
		return
	}
	again := f.texts(t, r)
	f.reopen(nil)
	if fresh := f.texts(t, r); !slices.Equal(again, fresh) {
		t.Errorf("done again, the library knows %.60q, the file says %.60q", again, fresh)
	}
	// What an append that failed left of its own lines stays before the others.
	if !slices.Equal(again, op.after) && !slices.Equal(again, op.again) && !op.appended(got, again) {
		t.Errorf("done again, texts are %.60q", again)
	}
	if _, err := f.Append(r, "/", messageLine("user", "more")); err != nil {
		t.Errorf("appended afterwards: %v", err)
		return
	}
	if diff := cmp.Diff(append(again, "more"), f.texts(t, r)); diff != "" {
		t.Errorf("appended afterwards: %s", diff)
	}
	path, err := f.Locate(r)
	if err != nil {
		t.Fatal(err)
	}
	if head, ok := parse([]byte(firstWhole(f.read(t, path)))); !ok || !head.header() {
		t.Error("no header")
	}
}

func (op operation) appended(got, again []string) bool {
	added := op.after[min(len(op.before), len(op.after)):]
	return slices.Equal(again, slices.Concat(got, added))
}

// Whatever operation of the disk fails, and however much of a write is done,
// the transcript is the old one or the new one, and the next try succeeds.
func TestFaults(t *testing.T) {
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			disktest.EachFault(t, func(t *testing.T, fs *disk.FS, dir string) error {
				op.prepare(t, dir)
				return op.do(openFixture(dir, fs))
			}, func(t *testing.T, dir string, workErr error) {
				if workErr != nil && !errors.Is(workErr, syscall.ENOSPC) && !errors.Is(workErr, syscall.EIO) {
					t.Errorf("the error does not tell the reason: %v", workErr)
				}
				if workErr != nil && !strings.Contains(workErr.Error(), dir) {
					t.Errorf("the error does not name the file: %v", workErr)
				}
				f := openFixture(dir, nil)
				if names, err := os.ReadDir(f.dir); err == nil {
					for _, n := range names {
						dead := strings.HasSuffix(t.Name(), "ever_after")
						if strings.HasSuffix(n.Name(), ".tmp") && !dead || strings.HasSuffix(n.Name(), ".lock") {
							t.Errorf("%s is left", n.Name())
						}
					}
				}
				op.check(t, dir, workErr == nil)
			})
		})
	}
}

// Whenever the power goes, what was acknowledged is there and the rest is old
// or new.
func TestPowerCuts(t *testing.T) {
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			dir := t.TempDir()
			op.prepare(t, dir)
			rec := disktest.Record(t, dir)
			if err := op.do(openFixture(dir, rec.FS())); err != nil {
				t.Fatal(err)
			}
			rec.Mark(true)
			n := disktest.PowerCuts(t, rec, cutOptions, func(dir string, marks []any) error {
				op.check(t, dir, len(marks) > 0)
				return nil
			})
			t.Logf("%d states", n)
		})
	}
}

var cutOptions = disktest.Options{AnyOrder: true, All: 64, Samples: 16, Ignore: []string{"*.lock", "*.lock.*"}}

// A life of a transcript, with the power cut at any moment of it.
func TestPowerCutsInALife(t *testing.T) {
	dir := t.TempDir()
	rec := disktest.Record(t, dir)
	f := openFixture(dir, rec.FS())
	var archived string
	steps := []struct {
		do    func() error
		texts []string
	}{
		{func() error { return f.Ensure(f.ref("s"), "/") }, []string{}},
		{func() error { return appendTexts("a")(f) }, []string{"a"}},
		{func() error { return appendTexts("b", big)(f) }, []string{"a", "b", big}},
		{func() error {
			_, err := f.Compact(f.ref("s"), 2)
			return err
		}, []string{"b", big}},
		{func() error { return appendTexts("d")(f) }, []string{"b", big, "d"}},
		{func() error {
			list, err := f.Archive(f.ref("s"), "reset", nil)
			archived = slices.Concat(list, []string{""})[0]
			return err
		}, []string{}},
		{func() error {
			_, err := f.Restore(f.ref("s"), archived)
			return err
		}, []string{"b", big, "d"}},
		{func() error { return appendTexts("e")(f) }, []string{"b", big, "d", "e"}},
	}
	for i, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		rec.Mark(i)
	}
	n := disktest.PowerCuts(t, rec, cutOptions, func(dir string, marks []any) error {
		op := operation{before: []string{}, after: []string{}}
		if len(marks) > 0 {
			op.before = steps[len(marks)-1].texts
		}
		if len(marks) < len(steps) {
			op.after = steps[len(marks)].texts
		} else {
			op.after = op.before
		}
		g := openFixture(dir, nil)
		if got := g.texts(t, g.ref("s")); !op.between(got) {
			return fmt.Errorf("after %d steps texts are %.60q", len(marks), got)
		}
		return appendTexts("more")(g)
	})
	t.Logf("%d states", n)
}

// After a sync that failed, memory and disk may differ for ever: the line that
// is acknowledged next must not depend on what was not synced.
func TestPowerCutsAfterAFailedSync(t *testing.T) {
	kinds := map[string][]disk.Kind{
		"sync":              {disk.Sync},
		"sync and truncate": {disk.Sync, disk.Truncate},
		"sync and remove":   {disk.Sync, disk.Remove},
		"directory":         {disk.SyncDir},
		"directory, remove": {disk.SyncDir, disk.Remove},
		"directory, cut":    {disk.SyncDir, disk.Truncate},
	}
	for name, failing := range kinds {
		for i, files := range []map[string][]string{{}, {"other.jsonl": chain(1)}, {"s.jsonl": chain(2)}} {
			if len(files) == 0 && slices.Contains(failing, disk.SyncDir) && slices.Contains(failing, disk.Remove) {
				continue // nobody remembers a directory that can neither be kept nor removed
			}
			t.Run([]string{"no directory, ", "no file, ", "a file, "}[i]+name, func(t *testing.T) {
				dir := t.TempDir()
				op := operation{files: files}
				op.prepare(t, dir)
				rec := disktest.Record(t, dir)
				rec.Fault = func(o disk.Op) (int, error) {
					if slices.Contains(failing, o.Kind) {
						return 0, syscall.EIO
					}
					return 0, nil
				}
				f := openFixture(dir, rec.FS())
				if err := appendTexts(big)(f); !errors.Is(err, syscall.EIO) {
					t.Fatalf("error = %v, want EIO", err)
				}
				rec.Fault = nil
				if err := appendTexts("next")(f); err != nil {
					t.Fatal(err)
				}
				rec.Mark(true)
				n := disktest.PowerCuts(t, rec, cutOptions, func(dir string, marks []any) error {
					g := openFixture(dir, nil)
					got := g.texts(t, g.ref("s"))
					if files["s.jsonl"] != nil && (len(got) < 2 || got[0] != "m1" || got[1] != "m2") || len(marks) > 0 && !slices.Contains(got, "next") {
						return fmt.Errorf("texts are %.60q", got)
					}
					return nil
				})
				t.Logf("%d states", n)
			})
		}
	}
}

package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// place makes a directory without links. Where the system does not tell of it, all
// functions look at the disk, and the tests hold all the same.
func place(t testing.TB) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// same compares what is known of names with what is.
func same(dir string, names ...string) error {
	d := At(dir)
	for _, name := range names {
		is, fault := os.Lstat(filepath.Join(dir, name))
		was, err := is, fault
		if d != nil {
			was, err = d.Lstat(name)
		}
		if errors.Is(err, os.ErrNotExist) != errors.Is(fault, os.ErrNotExist) || (err == nil) != (fault == nil) {
			return fmt.Errorf("%s: %w, want %w", name, err, fault)
		}
		if err == nil && (was.Size() != is.Size() || was.Mode() != is.Mode() || !was.ModTime().Equal(is.ModTime()) || !os.SameFile(was, is)) {
			return fmt.Errorf("%s: %v %d, is %v %d", name, was.Mode(), was.Size(), is.Mode(), is.Size())
		}
	}
	return nil
}

// Whatever happens to a directory, its files and those above it, what is known is
// what os.Lstat would say.
func TestKnowsWhatIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		root, err := os.MkdirTemp(place(t), "")
		if err != nil {
			r.Fatal(err)
		}
		dirs := []string{filepath.Join(root, "a/b"), filepath.Join(root, "a"), filepath.Join(root, "c/b"), filepath.Join(root, "l/b")}
		names := []string{"1", "2", "3", "b"}
		for _, d := range dirs[:3] {
			if err := os.MkdirAll(d, 0o700); err != nil {
				r.Fatal(err)
			}
		}
		file := func() string {
			return filepath.Join(rapid.SampledFrom(dirs).Draw(r, "dir"), rapid.SampledFrom(names[:3]).Draw(r, "name"))
		}
		var open []*os.File
		defer func() {
			for _, f := range open {
				f.Close()
			}
		}()
		// What cannot be done is not done.
		do := map[string]func(*rapid.T){
			"write":    func(*rapid.T) { _ = os.WriteFile(file(), make([]byte, rapid.IntRange(0, 9).Draw(r, "size")), 0o600) },
			"truncate": func(*rapid.T) { _ = os.Truncate(file(), rapid.Int64Range(0, 9).Draw(r, "size")) },
			"chmod":    func(*rapid.T) { _ = os.Chmod(file(), os.FileMode(0o600+rapid.IntRange(0, 7).Draw(r, "mode"))) },
			"remove":   func(*rapid.T) { _ = os.Remove(file()) },
			"rename":   func(*rapid.T) { _ = os.Rename(file(), file()) },
			"link":     func(*rapid.T) { _ = os.Symlink(file(), file()) },
			"open": func(*rapid.T) {
				if f, err := os.OpenFile(file(), os.O_WRONLY|os.O_APPEND, 0); err == nil {
					open = append(open, f)
				}
			},
			"append": func(*rapid.T) {
				if len(open) > 0 {
					_, _ = rapid.SampledFrom(open).Draw(r, "open").WriteString("x")
				}
			},
			"hold": func(*rapid.T) {
				if f, err := os.Open(rapid.SampledFrom(dirs).Draw(r, "dir")); err == nil {
					open = append(open, f)
				}
			},
			"move away": func(*rapid.T) { _ = os.Rename(filepath.Join(root, "a"), filepath.Join(root, "d")) },
			"move back": func(*rapid.T) { _ = os.Rename(filepath.Join(root, "d"), filepath.Join(root, "a")) },
			"swap": func(*rapid.T) {
				_ = unix.Renameat2(0, filepath.Join(root, "a"), 0, filepath.Join(root, "c"), unix.RENAME_EXCHANGE)
			},
			"remove dir":  func(*rapid.T) { _ = os.RemoveAll(rapid.SampledFrom(dirs).Draw(r, "dir")) },
			"make dir":    func(*rapid.T) { _ = os.MkdirAll(rapid.SampledFrom(dirs[:3]).Draw(r, "dir"), 0o700) },
			"link to a":   func(*rapid.T) { _ = os.Symlink("a", filepath.Join(root, "l")) },
			"remove link": func(*rapid.T) { _ = os.Remove(filepath.Join(root, "l")) },
			"": func(*rapid.T) {
				for _, d := range dirs {
					if err := same(d, names...); err != nil {
						r.Fatalf("%s: %v", d, err)
					}
				}
			},
		}
		r.Repeat(do)
		if err := os.RemoveAll(root); err != nil {
			r.Fatal(err)
		}
	})
}

// What is known is not asked for again, and a file with two names is always asked for.
func TestRemembers(t *testing.T) {
	dir := place(t)
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "two"), filepath.Join(dir, "three")); err != nil {
		t.Fatal(err)
	}
	d := At(dir)
	if d == nil {
		return // the system does not tell of changes there
	}
	if err := same(dir, "one", "two", "three", "four"); err != nil {
		t.Fatal(err)
	}
	a, _ := d.Lstat("one")
	b, _ := d.Lstat("one")
	if a != b || len(d.files) != 1 {
		t.Errorf("remembered: %v", d.files)
	}
	before, _ := d.Version()
	if err := os.WriteFile(filepath.Join(dir, "one"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if now, ok := At(dir).Version(); !ok || now != before {
		t.Error("another version, though no name came or went")
	}
	if err := os.Remove(filepath.Join(dir, "one")); err != nil {
		t.Fatal(err)
	}
	if now, ok := At(dir).Version(); !ok || now == before {
		t.Error("the same version, though a name went")
	}
}

// More than the system keeps for who does not listen is no harm.
func TestManyChanges(t *testing.T) {
	dir := place(t)
	for _, name := range []string{"x", "y", "z"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := same(dir, "x", "y", "z"); err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 { // by turns, or the system would join them
		if err := os.Chmod(filepath.Join(dir, []string{"x", "y"}[i%2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "z"), []byte("more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := same(dir, "x", "y", "z"); err != nil {
		t.Fatal(err)
	}
}

// Who has changed a file sees the change, whoever else looks and changes.
func TestManyLook(t *testing.T) {
	dir := place(t)
	var work sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprint(i)
		work.Go(func() {
			for n := range 500 {
				if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
					t.Error(err)
					return
				}
				if err := same(dir, name); err != nil {
					t.Error(err)
					return
				}
				if d := At(dir); d != nil {
					_, _ = d.Lstat(fmt.Sprint((i + 1) % 4))
				}
			}
		})
	}
	work.Wait()
}

// A directory that goes, and one behind a link, are not watched; what comes in the
// place of one is.
func TestDirectoriesComeAndGo(t *testing.T) {
	dir := filepath.Join(place(t), "d")
	for range 3 {
		if At(dir) != nil {
			t.Error("a directory that is not there is watched")
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := same(dir, "x"); err != nil {
			t.Error(err)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("e", dir), os.MkdirAll(filepath.Join(filepath.Dir(dir), "e/d"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if At(dir) != nil || At(filepath.Join(dir, "d")) != nil || At("d") != nil {
		t.Error("a link is watched, or what lies behind one, or a directory by a name that depends on where we are")
	}
}

// Directories change places, above those that are watched or themselves, while a
// program still has one open.
func TestDirectoriesChangePlaces(t *testing.T) {
	root := place(t)
	at := func(name string) string { return filepath.Join(root, name) }
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when string) {
		t.Helper()
		for range 2 {
			if err := errors.Join(same(at("a/b/s"), "x"), same(at("c/b/s"), "x")); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	must(os.MkdirAll(at("a/b/s"), 0o700), os.MkdirAll(at("c/b/s"), 0o700), os.WriteFile(at("a/b/s/x"), []byte("one"), 0o600))
	expect("at first")
	must(unix.Renameat2(0, at("a"), 0, at("c"), unix.RENAME_EXCHANGE))
	expect("after those above changed places")
	must(unix.Renameat2(0, at("a/b/s"), 0, at("c/b/s"), unix.RENAME_EXCHANGE))
	expect("after they changed places")
	held, err := os.Open(at("a/b/s"))
	must(err)
	defer held.Close()
	must(os.RemoveAll(at("a/b/s")), os.Mkdir(at("a/b/s"), 0o700), os.WriteFile(at("a/b/s/x"), []byte("two"), 0o600))
	expect("after one was made anew")
	must(os.WriteFile(at("a/b/s/x"), []byte("three"), 0o600))
	expect("after a change in the new one")
}

// What a look has found is not remembered when the file has changed since.
func TestLooksThatAreOvertaken(t *testing.T) {
	dir := place(t)
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := At(dir)
	if d == nil {
		return // the system does not tell of changes there
	}
	k := new(known)
	d.files["x"] = k
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	At(dir)
	d.files["x"] = new(known) // who looks now
	d.learn("x", k, info, nil)
	if d.files["x"].info != nil || k.info != nil {
		t.Error("what was before the change is remembered")
	}
}

func BenchmarkLstat(b *testing.B) {
	dir := place(b)
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d := At(dir); d != nil {
				_, _ = d.Lstat("x")
			}
		}
	})
	b.Run("os", func(b *testing.B) {
		for b.Loop() {
			_, _ = os.Lstat(filepath.Join(dir, "x"))
		}
	})
}

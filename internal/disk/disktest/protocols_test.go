package disktest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// protocol is a way to change files, and whether it is safe. It marks what it
// has made durable, as "name=content".
type protocol struct {
	name string
	work func(r *disk.Root, rec *Recorder) error
	bad  bool // PowerCuts has to find a fault
}

// steps runs functions up to the first error.
func steps(fs ...func() error) error {
	for _, f := range fs {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// put writes a file, and syncs it if asked.
func put(r *disk.Root, name, content string, flag int, sync bool) error {
	f, err := r.OpenFile(name, os.O_WRONLY|flag)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(content)
	if err == nil && sync {
		err = f.Sync()
	}
	return err
}

var (
	old   = strings.Repeat("old ", 2000)
	fresh = strings.Repeat("new!", 2500)
)

// replace is the replacement of f by temp file, with or without the syncs.
func replace(sync, syncDir bool) func(*disk.Root, *Recorder) error {
	return func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "t", fresh, os.O_CREATE|os.O_EXCL, sync) },
			func() error { return r.Rename("t", "f") },
			func() error {
				if !syncDir {
					return nil
				}
				return r.SyncDir(".")
			},
			func() error { rec.Mark("f=" + fresh); return nil },
		)
	}
}

var protocols = []protocol{
	{"replace", replace(true, true), false},
	{"replace without a sync", replace(false, true), true},
	{"replace without a sync of the directory", replace(true, false), true},
	{"append", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "f", fresh, os.O_APPEND, true) },
			func() error { rec.Mark("f=" + old + fresh); return nil },
		)
	}, false},
	{"append without a sync", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "f", "x", os.O_APPEND, false) },
			func() error { rec.Mark("f=" + old + "x"); return nil },
		)
	}, true},
	{"overwrite in place", func(r *disk.Root, rec *Recorder) error {
		return put(r, "f", fresh, 0, true)
	}, true},
	{"truncate and write", func(r *disk.Root, rec *Recorder) error {
		return put(r, "f", fresh, os.O_TRUNC, true)
	}, true},
	{"new file", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "g", fresh, os.O_CREATE, true) },
			func() error { return r.SyncDir(".") },
			func() error { rec.Mark("g=" + fresh); return nil },
		)
	}, false},
	{"new file without a sync of the directory", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "g", fresh, os.O_CREATE, true) },
			func() error { rec.Mark("g=" + fresh); return nil },
		)
	}, true},
	{"new directory", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return r.MkdirAll("a/b") },
			func() error { return put(r, "a/b/g", "x", os.O_CREATE, true) },
			func() error { return r.SyncDir("a/b") },
			func() error { rec.Mark("a/b/g=x"); return nil },
		)
	}, false},
	{"exchange", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "t", fresh, os.O_CREATE, true) },
			func() error { return r.Exchange("t", "f") },
			func() error { return r.SyncDir(".") },
			func() error { rec.Mark("f=" + fresh); rec.Mark("t=" + old); return nil },
		)
	}, false},
	{"exchange without a sync of the directory", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "t", fresh, os.O_CREATE, true) },
			func() error { return r.Exchange("t", "f") },
			func() error { rec.Mark("f=" + fresh); return nil },
		)
	}, true},
	{"link", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return r.Link("f", "kept") },
			func() error { return r.SyncDir(".") },
			func() error { return put(r, "kept", "x", os.O_APPEND, true) },
			func() error { rec.Mark("f=" + old + "x"); rec.Mark("kept=" + old + "x"); return nil },
		)
	}, false},
	{"move into another directory", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return r.MkdirAll("a") },
			func() error { return r.Link("f", "a/f") },
			func() error { return r.SyncDir("a") },
			func() error { rec.Mark("a/f=" + old); return nil },
		)
	}, false},
	{"rename into another directory", func(r *disk.Root, rec *Recorder) error {
		return steps(
			func() error { return put(r, "g", "x", os.O_CREATE, true) },
			func() error { return r.MkdirAll("a") },
			func() error { rec.Mark("g=x or a/g=x"); return nil },
			func() error { return r.Rename("g", "a/g") },
			func() error { return r.SyncDir(".") },
		)
	}, true},
}

// holds checks the marks in dir, and that f is old or new.
func holds(dir string, marks []any) error {
	f, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil {
		return err
	}
	if s := string(f); s != fresh && !strings.HasPrefix(s, old) {
		return fmt.Errorf("f is a mix of %d bytes", len(s))
	}
	for _, m := range marks {
		found := false
		for want := range strings.SplitSeq(m.(string), " or ") {
			name, content, _ := strings.Cut(want, "=")
			got, err := os.ReadFile(filepath.Join(dir, name))
			found = found || err == nil && string(got) == content
		}
		if !found {
			return fmt.Errorf("lost: %.20s", m)
		}
	}
	return nil
}

func record(t *testing.T, work func(*disk.Root, *Recorder) error) *Recorder {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	rec := Record(t, dir)
	r, err := rec.FS().OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := work(r, rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// The model finds the fault of each protocol that has one, and none in others.
func TestPowerCutsTellSafeFromUnsafe(t *testing.T) {
	for _, o := range []Options{{}, {AnyOrder: true}, {Sectors: true}, {AnyOrder: true, Sectors: true, All: 4}} {
		for _, p := range protocols {
			t.Run(fmt.Sprintf("%s %+v", p.name, o), func(t *testing.T) {
				c := newCutter(record(t, p.work), o, t.TempDir())
				c.check = holds
				n, err := c.run()
				if n < 2 {
					t.Errorf("%d states", n)
				}
				switch {
				case p.bad && err == nil:
					t.Errorf("nothing was found in %d states", n)
				case !p.bad && err != nil:
					t.Error(err)
				case p.bad && !strings.Contains(err.Error(), "power cut after "):
					t.Errorf("the failure does not say when: %v", err)
				}
			})
		}
	}
}

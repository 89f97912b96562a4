package disk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// work does one operation of each kind in dir.
func work(fs *disk.FS, dir string) error {
	if err := fs.MkdirAll(filepath.Join(dir, "a", "b")); err != nil {
		return err
	}
	r, err := fs.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := r.OpenFile("x", os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, strings.NewReader("hello world"))
	for _, step := range []func() error{
		func() error { return err },
		f.Datasync,
		func() error { return f.Truncate(5) },
		f.Sync,
		func() error { return r.Link("x", "y") },
		func() error { return r.Rename("y", "z") },
		func() error { return r.Exchange("x", "z") },
		func() error { return r.Remove("z") },
		func() error { return r.SyncDir(".") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func TestHookSeesEveryChange(t *testing.T) {
	dir := t.TempDir()
	var seen []string
	fs := disk.New(func(op disk.Op) (int, error) {
		rel := func(path string) string {
			r, _ := filepath.Rel(dir, path)
			return r
		}
		line := string(op.Kind) + " " + rel(op.Path)
		if op.To != "" {
			line += " " + rel(op.To)
		}
		if op.Kind == disk.Write {
			line += fmt.Sprintf(" %d %q", op.Off, op.Data)
		}
		seen = append(seen, line)
		return 0, nil
	})
	if err := work(fs, dir); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"mkdir a", "syncdir .", "mkdir a/b", "syncdir a", "open x", `write x 0 "hello world"`, "sync x", "truncate x",
		"sync x", "link x y", "rename y z", "exchange x z", "remove z", "syncdir .",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	if got, err := os.ReadFile(filepath.Join(dir, "x")); string(got) != "hello" || err != nil {
		t.Errorf("x holds %q, %v", got, err)
	}
}

func TestEveryOperationCanFail(t *testing.T) {
	for n := 0; ; n++ {
		dir, count := t.TempDir(), 0
		var failed disk.Kind
		fs := disk.New(func(op disk.Op) (int, error) {
			if count++; count == n+1 {
				failed = op.Kind
				return 3, syscall.ENOSPC
			}
			return 0, nil
		})
		err := work(fs, dir)
		if failed == "" {
			if err != nil || n != 14 {
				t.Errorf("after %d operations: %v", n, err)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v, want ENOSPC", failed, err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "x")); failed == disk.Write && string(got) != "hel" {
			t.Errorf("a short write of 3 bytes left %q", got)
		}
	}
}

func TestNothingLeadsOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	var fs *disk.FS
	r, err := fs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, name := range []string{"../x", "out/x", "/etc/x"} {
		if f, err := r.OpenFile(name, os.O_CREATE|os.O_WRONLY); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

// What is written page by page is in the file as if it had been written at once,
// and one operation for the hook.
func TestWritePages(t *testing.T) {
	var ops int
	for name, files := range map[string]*disk.FS{"plain": disk.New(nil), "hooked": disk.New(func(disk.Op) (int, error) { ops++; return 0, nil })} {
		root, err := files.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		f, err := root.OpenFile("f", os.O_RDWR|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := make([]byte, 1000, 30_000)
		for i := range 20_000 {
			want = append(want, byte(i%251))
		}
		if n, err := f.WritePages(want[1000:], 1000); n != 20_000 || err != nil {
			t.Errorf("%s: wrote %d bytes, %v", name, n, err)
		}
		if got, err := root.ReadFile("f"); string(got) != string(want) || err != nil {
			t.Errorf("%s: the file has other bytes than were written, %v", name, err)
		}
	}
	if ops != 2 {
		t.Errorf("the hook saw %d operations, want the opening and one write", ops)
	}
}

package disktest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/disk"
)

// variant is what one run of EachFault has left.
type variant struct {
	name string
	err  error
	left string // content of f
}

// variants are all runs of some work.
func variants(t *testing.T, work func(t *testing.T, fs *disk.FS, dir string, arm func()) error) []variant {
	t.Helper()
	var all []variant
	EachFaultAfter(t, work, func(t *testing.T, dir string, err error) {
		data, fault := os.ReadFile(filepath.Join(dir, "f"))
		left := string(data)
		if fault != nil {
			left = "none"
		}
		_, name, _ := strings.Cut(t.Name(), "/")
		all = append(all, variant{strings.ReplaceAll(name, "_", " "), err, left})
	})
	return all
}

func TestEachFaultTriesAll(t *testing.T) {
	got := variants(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		r, err := fs.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer r.Close()
		arm()
		if err := put(r, "f", "123456789", os.O_CREATE, true); err != nil {
			return err
		}
		return put(r, "f", "a", os.O_APPEND, false)
	})
	want := []string{
		"no fault: 123456789a",
		"open 1 of f, ENOSPC: none", "open 1 of f, EIO: none", "open 1 of f, EIO and ever after: none",
		"write 1 of f, ENOSPC: ", "write 1 of f, EIO: ", "write 1 of f, EIO and ever after: ",
		"write 1 of f, ENOSPC after 1 bytes: 1", "write 1 of f, ENOSPC after 4 bytes: 1234", "write 1 of f, ENOSPC after 8 bytes: 12345678",
		"write 1 of f, EIO after all bytes: 123456789", "write 1 of f, EIO after 4 bytes and ever after: 1234",
		"sync 1 of f, ENOSPC: 123456789", "sync 1 of f, EIO: 123456789", "sync 1 of f, EIO and ever after: 123456789",
		"open 2 of f, ENOSPC: 123456789", "open 2 of f, EIO: 123456789", "open 2 of f, EIO and ever after: 123456789",
		"write 2 of f, ENOSPC: 123456789", "write 2 of f, EIO: 123456789", "write 2 of f, EIO and ever after: 123456789",
		"write 2 of f, EIO after all bytes: 123456789a",
	}
	var lines []string
	for _, v := range got {
		lines = append(lines, v.name+": "+v.left)
		wantErr := error(nil)
		switch {
		case strings.Contains(v.name, "ENOSPC"):
			wantErr = syscall.ENOSPC
		case strings.Contains(v.name, "EIO"):
			wantErr = syscall.EIO
		}
		if !errors.Is(v.err, wantErr) {
			t.Errorf("%s: error %v", v.name, v.err)
		}
	}
	if !slices.Equal(lines, want) {
		t.Errorf("runs\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// Other operations go well after one that failed, but not on a dead disk.
func TestWhatFollowsAFault(t *testing.T) {
	got := variants(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		r, err := fs.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer r.Close()
		if err := put(r, "f", "", os.O_CREATE, true); err != nil {
			return err
		}
		arm()
		if err := put(r, "f", "x", 0, false); err != nil {
			return errors.Join(err, r.Remove("f"))
		}
		return nil
	})
	removed := false
	for _, v := range got {
		removed = removed || v.left == "none"
		if strings.HasSuffix(v.name, "ever after") && v.left == "none" {
			t.Errorf("%s: the file was removed from a dead disk", v.name)
		}
	}
	if !removed {
		t.Error("the work never removed its file")
	}
}

func TestNamesOfRandomFilesAreTheSame(t *testing.T) {
	got := describe(disk.Op{Kind: disk.Rename, Path: "/d/f.json.abcdefghijklmnopqrstuvwxyz.tmp", To: "/d/f.json"})
	if want := "rename f.json.*.tmp to f.json"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

// Some blocks each, so that there is something to tear; long is more than one
// write.
var (
	oldText = strings.Repeat("old ", 2000)
	newText = strings.Repeat("new!", 4000)
	long    = strings.Repeat("new!", 100_000)
)

// replaceAt replaces the file f in dir.
func replaceAt(fs *disk.FS, dir, text string) error {
	root, err := fs.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return Replace(root, "f", []byte(text))
}

func writeOld(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte(oldText), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever fails, the file is old or new as a whole; nothing is left beside it
// unless the disk is dead; and an error comes out.
func TestFaultsLeaveOldOrNew(t *testing.T) {
	disktest.EachFault(t, func(t *testing.T, fs *disk.FS, dir string) error {
		writeOld(t, dir)
		return replaceAt(fs, dir, long)
	}, func(t *testing.T, dir string, workErr error) {
		data, err := os.ReadFile(filepath.Join(dir, "f"))
		if err != nil {
			t.Fatal(err)
		}
		switch got := string(data); {
		case got != oldText && got != long:
			t.Errorf("a mix of %d bytes", len(got))
		case workErr == nil && got != long:
			t.Error("no error, and the old content")
		}
		if (workErr == nil) != strings.HasSuffix(t.Name(), "no_fault") {
			t.Errorf("error %v", workErr)
		}
		if workErr != nil && !errors.Is(workErr, syscall.ENOSPC) && !errors.Is(workErr, syscall.EIO) {
			t.Errorf("the error does not tell the reason: %v", workErr)
		}
		if names := list(t, dir); len(names) != 1 && !strings.HasSuffix(t.Name(), "ever_after") {
			t.Errorf("files %v, want f alone", names)
		}
		if err := RemoveLeftovers(filepath.Join(dir, "f"), 0); err != nil {
			t.Error(err)
		}
		if names := list(t, dir); len(names) != 1 {
			t.Errorf("files %v after the leftovers are removed, want f alone", names)
		}
	})
}

// A content that fails leaves no trace.
func TestFailedContentLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	writeOld(t, dir)
	root, err := (*disk.FS)(nil).OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fault := errors.New("no content")
	if _, err := Create(root, "f", func(w io.Writer) error {
		_, _ = io.WriteString(w, newText)
		return fault
	}); !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "f")); string(data) != oldText || err != nil {
		t.Errorf("the file has %d bytes, %v", len(data), err)
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("files %v, want f alone", names)
	}
}

// After a power cut the file is old or new as a whole, and new once Commit has
// returned.
func TestPowerCutsLeaveOldOrNew(t *testing.T) {
	for _, o := range []disktest.Options{{}, {AnyOrder: true}, {Sectors: true}} {
		dir := t.TempDir()
		writeOld(t, dir)
		rec := disktest.Record(t, dir)
		if err := replaceAt(rec.FS(), dir, newText); err != nil {
			t.Fatal(err)
		}
		rec.Mark("done")
		disktest.PowerCuts(t, rec, o, func(dir string, marks []any) error {
			return oldOrNew(dir, len(marks) > 0)
		})
	}
}

// A file that was not there before is there as a whole or not at all.
func TestPowerCutsWhileMakingAFile(t *testing.T) {
	rec := disktest.Record(t, t.TempDir())
	root, err := rec.FS().OpenRoot(rec.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	temp, err := Create(root, "f", func(w io.Writer) error {
		_, err := io.WriteString(w, newText)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := temp.Commit(); err != nil {
		t.Fatal(err)
	}
	rec.Mark("done")
	disktest.PowerCuts(t, rec, disktest.Options{}, func(dir string, marks []any) error {
		if _, err := os.Stat(filepath.Join(dir, "f")); errors.Is(err, os.ErrNotExist) && len(marks) == 0 {
			return nil
		}
		return oldOrNew(dir, true)
	})
}

// After a sync of the directory that failed, writing the file once more makes
// it durable.
func TestPowerCutsAfterAFailedSyncDir(t *testing.T) {
	dir := t.TempDir()
	writeOld(t, dir)
	rec := disktest.Record(t, dir)
	rec.Fault = func(op disk.Op) (int, error) {
		if op.Kind == disk.SyncDir {
			return 0, syscall.EIO
		}
		return 0, nil
	}
	if err := replaceAt(rec.FS(), dir, newText); !errors.Is(err, syscall.EIO) {
		t.Fatalf("error %v, want EIO", err)
	}
	rec.Fault = nil
	if err := replaceAt(rec.FS(), dir, newText); err != nil {
		t.Fatal(err)
	}
	rec.Mark("done")
	disktest.PowerCuts(t, rec, disktest.Options{}, func(dir string, marks []any) error {
		return oldOrNew(dir, len(marks) > 0)
	})
}

func oldOrNew(dir string, done bool) error {
	data, err := os.ReadFile(filepath.Join(dir, "f"))
	switch got := string(data); {
	case err != nil:
		return err
	case got != oldText && got != newText:
		return fmt.Errorf("f is a mix of %d bytes", len(got))
	case done && got != newText:
		return errors.New("the new content is lost")
	}
	return RemoveLeftovers(filepath.Join(dir, "f"), 0)
}

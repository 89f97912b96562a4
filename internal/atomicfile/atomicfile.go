// Package atomicfile replaces files durably: after Write returns nil, a crash
// or power cut leaves the new content; before that, the old one. There is
// never a mix and never neither.
//
// It owns the names of its temporary files, <path>.<random>.tmp, which a crash
// can leave behind (see RemoveLeftovers). Who may write which file when, and
// all locking, is left to the callers.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Write replaces the file at path with data, mode 0600: temporary file in the
// same directory, sync, rename, sync of the directory. On an error the file is
// as it was and the temporary file is gone.
func Write(path string, data []byte) error { return Replace(path, data, nil) }

// Replace is Write that tells ready, just before the rename, what os.Stat will
// say of the new file. So a caller who compares files by their stat can know
// its own file from the first moment that others see it. ready may be nil.
func Replace(path string, data []byte, ready func(fs.FileInfo)) (err error) {
	tmp := path + "." + strings.ToLower(rand.Text()) + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %s: %w", path, errors.Join(err, remove(tmp)))
		}
	}()
	if err := fill(f, data); err != nil {
		return err
	}
	if ready != nil {
		info, err := os.Stat(tmp)
		if err != nil {
			return err
		}
		ready(info)
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// fill writes data durably to f and closes it.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove is os.Remove for a file that may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir makes renames, creations and removals in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		// Some file systems cannot sync a directory; nothing more can be done there.
		err = nil
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// RemoveLeftovers removes temporary files of path that a crash left and that
// are older than age. Younger ones may belong to a writer that is still alive.
func RemoveLeftovers(path string, age time.Duration) error {
	dir, base := filepath.Split(path)
	names, err := os.ReadDir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for leftovers of %s: %w", path, err)
	}
	var faults []error
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), base+".") || !strings.HasSuffix(n.Name(), ".tmp") || !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if err != nil || time.Since(info.ModTime()) < age {
			continue
		}
		faults = append(faults, remove(filepath.Join(dir, n.Name())))
	}
	return errors.Join(faults...)
}

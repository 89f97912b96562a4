// Package atomicfile replaces files durably: after Write or Commit returns
// nil, a crash or power cut leaves the new content; before that, the old one.
// There is never a mix and never neither.
//
// It owns the names of its temporary files, <name>.<random>.tmp, which a crash
// can leave behind (see RemoveLeftovers). Who may write which file when, and
// all locking, is left to the callers.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// Write replaces the file at path with data, mode 0600. On an error the file
// is as it was and nothing is left behind; but when only the last step failed,
// the sync of the directory, others see the new content and a power cut may
// bring back the old.
func Write(path string, data []byte) error {
	var system *disk.FS
	root, err := system.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	defer root.Close()
	return Replace(root, filepath.Base(path), data)
}

// Replace is Write of a file in an open directory.
func Replace(root *disk.Root, name string, data []byte) error {
	t, err := Create(root, name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return t.Commit()
}

// Temp is new content for a file, durable beside it, that has not taken its
// place yet.
type Temp struct {
	root *disk.Root
	file string // that is to be replaced

	// Name is the name of the temporary file.
	Name string
	// Info describes it, and the file once Commit has been called: who compares
	// files by size and time knows its own file from the first moment that
	// others see it.
	Info fs.FileInfo
}

// Create writes new content for the file of this name in root: a temporary
// file in the same directory, mode 0600, synced. The caller calls Commit or
// Discard.
func Create(root *disk.Root, name string, content func(io.Writer) error) (*Temp, error) {
	t := &Temp{root: root, file: name, Name: name + "." + strings.ToLower(rand.Text()) + ".tmp"}
	f, err := root.OpenFile(t.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, t.failed(err)
	}
	if t.Info, err = fill(f, content); err != nil {
		return nil, t.failed(errors.Join(err, t.Discard()))
	}
	return t, nil
}

// fill writes content durably to f and closes it.
func fill(f *disk.File, content func(io.Writer) error) (info fs.FileInfo, err error) {
	b := bufio.NewWriterSize(f, 256<<10)
	err = content(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		info, err = f.Stat()
	}
	return info, errors.Join(err, f.Close())
}

// Commit puts the content in the place of the file, durably.
func (t *Temp) Commit() error {
	if err := t.root.Rename(t.Name, t.file); err != nil {
		return t.failed(errors.Join(err, t.Discard()))
	}
	if err := t.root.SyncDir(filepath.Dir(t.file)); err != nil {
		return t.failed(err)
	}
	return nil
}

// Discard removes the temporary file.
func (t *Temp) Discard() error {
	if err := t.root.Remove(t.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (t *Temp) failed(err error) error {
	return fmt.Errorf("replace %s: %w", filepath.Join(t.root.Dir(), t.file), err)
}

// SyncDir makes renames, creations and removals in a directory durable.
func SyncDir(dir string) error {
	var system *disk.FS
	if err := system.SyncDir(dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// RemoveLeftovers removes temporary files of path that a crash left and that
// are older than age. Younger ones may belong to a writer that is still alive.
func RemoveLeftovers(path string, age time.Duration) error {
	var system *disk.FS
	root, err := system.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for leftovers of %s: %w", path, err)
	}
	defer root.Close()
	return Sweep(root, filepath.Base(path), age)
}

// Sweep is RemoveLeftovers of a file in an open directory.
func Sweep(root *disk.Root, name string, age time.Duration) error {
	names, err := root.ReadDir(".")
	if err != nil {
		return fmt.Errorf("look for leftovers of %s: %w", filepath.Join(root.Dir(), name), err)
	}
	var faults []error
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), name+".") || !strings.HasSuffix(n.Name(), ".tmp") || !n.Type().IsRegular() {
			continue
		}
		info, err := n.Info()
		if err != nil || time.Since(info.ModTime()) < age {
			continue
		}
		if err := root.Remove(n.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

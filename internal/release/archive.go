package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"time"
)

// archive writes a .tar.gz with files, by their names in it, below a directory.
// Owner, mode and time say nothing of where it was made.
func archive(to, dir string, files map[string]string, when time.Time) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression) // a level that there is
	t := tar.NewWriter(z)
	defer func() { err = errors.Join(err, t.Close(), z.Close(), f.Close()) }()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode := int64(0o644)
		if name == "parley" {
			mode = 0o755
		}
		if err := add(t, path.Join(dir, path.Base(name)), files[name], mode, when); err != nil {
			return err
		}
	}
	return nil
}

func add(t *tar.Writer, name, file string, mode int64, when time.Time) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Size: info.Size(), Mode: mode, ModTime: when, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

package transcript

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/jstext"
)

// replace puts a new file in the place of a transcript: written beside it,
// synced, renamed over it. With backup the old file keeps existing under that
// name. A crash leaves the old file or the new one in place, never none.
func (l *Library) replace(root *os.Root, name, backup string, content func(io.Writer) error) (err error) {
	temp := name + "." + rand.Text() + ".tmp"
	defer func() {
		if err != nil {
			root.Remove(temp)
		}
	}()
	if err := writeFile(root, temp, content); err != nil {
		return err
	}
	if err := l.faults.step("written"); err != nil {
		return err
	}
	if backup != "" {
		if err := keep(root, name, backup); err != nil {
			return fmt.Errorf("keep the old transcript as %s: %w", backup, err)
		}
	}
	if err := l.faults.step("kept"); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return err
	}
	return syncDir(root, filepath.Dir(name))
}

// writeFile makes a new file and syncs it.
func writeFile(root *os.Root, name string, content func(io.Writer) error) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 64<<10)
	err = content(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// keep gives a file a second name: a link, or a copy where the file system
// has none. Only its owner may read it.
func keep(root *os.Root, name, backup string) error {
	err := root.Link(name, backup)
	if err == nil {
		return root.Chmod(backup, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	old, err := root.Open(name)
	if err != nil {
		return err
	}
	defer old.Close()
	return writeFile(root, backup, func(w io.Writer) error {
		_, err := io.Copy(w, old)
		return err
	})
}

// copyLines copies the lines that are not blank and that want says to; n
// counts those that are not blank, from 0.
func copyLines(in *lines, w io.Writer, want func(n int, line rawLine) bool) error {
	for n := 0; ; n++ {
		line, ok, err := in.line()
		for ok && blank(line.text) {
			line, ok, err = in.line()
		}
		if err != nil || !ok {
			return err
		}
		if !want(n, line) {
			continue
		}
		if _, err := w.Write(append(line.text[:len(line.text):len(line.text)], '\n')); err != nil {
			return err
		}
	}
}

// stamp is a time as it stands in the name of an archive.
func stamp(t time.Time) string {
	b := []byte(jstext.ISO(t))
	for i, c := range b {
		if c == ':' {
			b[i] = '-'
		}
	}
	return string(b)
}

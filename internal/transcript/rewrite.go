package transcript

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/jstext"
)

// claimWait is how long a rewrite waits for another program to end its run.
const claimWait = 10 * time.Second

// replace puts a new file in the place of a transcript, whose lock and claim
// the caller has. With backup the old file keeps existing under that name. A
// crash leaves the old file or the new one in place, never none.
func (l *Library) replace(root *disk.Root, p place, backup string, content func(io.Writer) error) error {
	key := p.key()
	// Also after a failure: then the new name may not be durable.
	defer l.cache.drop(key)
	t, err := atomicfile.Create(root, p.name, content)
	if err != nil {
		return err
	}
	if backup != "" {
		if err := keep(root, p.name, backup); err != nil {
			return errors.Join(fmt.Errorf("keep the old transcript as %s: %w", backup, err), t.Discard())
		}
	}
	if err = t.Commit(); err == nil {
		l.suspects.Delete(key)
		return nil
	}
	if now, look := root.Lstat(p.name); look == nil && os.SameFile(now, t.Info) {
		l.suspects.Store(key, true)
		return err // the new file is in place: the old one is needed
	}
	if backup == "" {
		return err
	}
	return errors.Join(err, root.Remove(backup))
}

// keep gives a file a second name, durably: a link, or a copy where the file
// system has none. Only its owner may read it. On an error the name is free.
func keep(root *disk.Root, name, backup string) error {
	err := root.Link(name, backup)
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if err != nil {
		return copyFile(root, name, backup)
	}
	if err = root.Chmod(backup, 0o600); err == nil {
		// Before the rename, lest a power cut keep the rename and lose the link.
		err = root.SyncDir(filepath.Dir(backup))
	}
	if err != nil {
		return errors.Join(err, root.Remove(backup))
	}
	return nil
}

func copyFile(root *disk.Root, from, to string) error {
	old, err := root.Open(from)
	if err != nil {
		return err
	}
	defer old.Close()
	t, err := atomicfile.Create(root, to, func(w io.Writer) error {
		_, err := io.Copy(w, old)
		return err
	})
	if err != nil {
		return err
	}
	return t.Commit()
}

// copyLines copies the lines that are not blank and that want says to; n
// counts those that are not blank, from 0.
func copyLines(in *lines, w io.Writer, want func(n int, line rawLine) bool) error {
	for n := 0; ; n++ {
		line, ok, err := in.line()
		for ok && !line.long && blank(line.text) {
			line, ok, err = in.line()
		}
		if err != nil || !ok {
			return err
		}
		if !want(n, line) {
			continue
		}
		if line.long {
			return errLong
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

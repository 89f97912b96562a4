package sessions

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

const (
	// rotateEvery is the least time between two rotations: a store that stays
	// above the limit would else be rotated by every write, and the few backups
	// that are kept would be seconds old.
	rotateEvery = time.Hour
	// keptBackups is how many rotated files are kept.
	keptBackups = 3
)

// rotate keeps the present file as a backup when it is larger than allowed. It
// is called just before a new file takes the place of the present one, which
// stays under its name until then: no moment exists without a store. A backup
// that cannot be made is no reason to leave the file out of date.
func (s *Store) rotate(base *Snapshot, now time.Time) {
	if err := s.backUp(base, now); err != nil && s.sweeper.rotateWarning.take(now) {
		s.log.Warn("session store file cannot be rotated", "path", s.path, "err", err)
	}
}

func (s *Store) backUp(base *Snapshot, now time.Time) error {
	if !s.rules().Enforce || base.stamp.size <= s.rules().RotateBytes {
		return nil
	}
	root, err := s.root()
	if err != nil {
		return err
	}
	defer root.Close()
	backups, err := s.backups(root)
	if err != nil {
		return err
	}
	recent := func(b backup) bool {
		return now.UnixMilli()-b.at < rotateEvery.Milliseconds() && b.at <= now.UnixMilli()
	}
	if slices.ContainsFunc(backups, recent) {
		return nil
	}
	name := filepath.Base(s.path)
	to := fmt.Sprintf("%s.bak.%d", name, now.UnixMilli())
	if err := duplicate(root, name, to); err != nil {
		return err
	}
	s.log.Info("rotated session store file", "path", s.path, "backup", to)
	s.dropBackups(root, append(backups, backup{now.UnixMilli(), to}))
	return root.Chmod(to, 0o600)
}

// duplicate gives the content of a file a second name: as a hard link, or as a
// copy where the file system has none.
func duplicate(root *disk.Root, from, to string) error {
	err := root.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyTo(root, from, to)
}

// backup is a rotated file and the time in its name.
type backup struct {
	at   int64
	name string
}

// dropBackups removes all but the newest of the rotated files. That they
// cannot be removed is no reason to keep the store from being written.
func (s *Store) dropBackups(root *disk.Root, all []backup) {
	slices.SortFunc(all, func(a, b backup) int { return cmp.Compare(a.at, b.at) })
	dropped := 0
	for _, b := range all[:max(0, len(all)-keptBackups)] {
		if err := root.Remove(b.name); err != nil {
			s.log.Warn("old session store backup cannot be removed", "path", s.path, "err", err)
			continue
		}
		dropped++
	}
	if dropped > 0 {
		s.log.Info("cleaned up old session store backups", "path", s.path, "count", dropped)
	}
}

func (s *Store) backups(root *disk.Root) ([]backup, error) {
	names, err := root.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var out []backup
	for _, n := range names {
		if at, ok := backupTime(filepath.Base(s.path), n.Name()); ok {
			out = append(out, backup{at, n.Name()})
		}
	}
	return out, nil
}

// backupTime is the time in the name of a rotated file, "<store>.bak.<ms>".
func backupTime(store, name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, store+".bak.")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	at, err := strconv.ParseInt(digits, 10, 64)
	return at, err == nil
}

package transcript

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

// repairName is the name of a copy that is made of a file before a repair: one
// that no file has.
func repairName(root *disk.Root, name string) string {
	for at := time.Now().UnixMilli(); ; at++ {
		to := fmt.Sprintf("%s.bak-%d-%d", name, os.Getpid(), at)
		if _, err := root.Lstat(to); err != nil {
			return to // if it is not just free, making the copy says what is wrong
		}
	}
}

// Repair drops the lines of a transcript that are not JSON, keeping the file
// as it was beside it. It returns how many it dropped: none when there is no
// file. A file without a valid header is left alone: Append gives it one.
func (l *Library) Repair(r Ref) (dropped int, err error) {
	ix, err := l.facts(r)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil || !ix.repairable() {
		return 0, err
	}
	s, err := l.open(r)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if dropped, _, err = l.repair(s); err != nil {
		return 0, fmt.Errorf("repair transcript %s: %w", r.SessionID, err)
	}
	return dropped, nil
}

func (ix *index) repairable() bool { return ix.head.ok && ix.bad > 0 }

// repair is Repair of an open file; copied is the name of the copy in the base
// of the file's place.
func (l *Library) repair(s *source) (dropped int, copied string, err error) {
	release, err := l.claim(s.key)
	if err != nil {
		return 0, "", err
	}
	defer release()
	defer l.locks.lock(s.key)()
	if err := s.reopen(); err != nil {
		return 0, "", err
	}
	ix, err := l.indexLocked(s)
	if err != nil || !ix.repairable() {
		return 0, "", err
	}
	root, err := l.disk.OpenRoot(s.place.base)
	if err != nil {
		return 0, "", err
	}
	defer root.Close()
	copied = repairName(root, s.place.name)
	err = l.replace(root, s.place, copied, func(w io.Writer) error {
		return copyLines(newLines(s, s.info.Size()), w, func(_ int, line rawLine) bool {
			_, parsed := parse(line.text)
			return parsed && !line.long
		})
	})
	if err != nil {
		return 0, "", err
	}
	l.log.Warn(fmt.Sprintf("session file repaired: dropped %d malformed line(s) (%s)", ix.bad, filepath.Base(s.place.name)))
	return ix.bad, copied, nil
}

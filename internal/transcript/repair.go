package transcript

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// repairName is the suffix of a copy that is made before a repair.
func repairName() string { return fmt.Sprintf(".bak-%d-%d", os.Getpid(), time.Now().UnixMilli()) }

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
	if dropped, err = l.repair(s); err != nil {
		return 0, fmt.Errorf("repair transcript %s: %w", r.SessionID, err)
	}
	return dropped, nil
}

func (ix *index) repairable() bool { return ix.head.ok && ix.bad > 0 }

func (l *Library) repair(s *source) (dropped int, err error) {
	release, err := l.claim(s.key)
	if err != nil {
		return 0, err
	}
	defer release()
	defer l.locks.lock(s.key)()
	if err := s.reopen(); err != nil {
		return 0, err
	}
	ix, err := l.indexLocked(s)
	if err != nil || !ix.repairable() {
		return 0, err
	}
	root, err := l.disk.OpenRoot(s.place.base)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	err = l.replace(root, s.place, s.place.name+repairName(), func(w io.Writer) error {
		return copyLines(newLines(s, s.info.Size()), w, func(_ int, line rawLine) bool {
			_, parsed := parse(line.text)
			return parsed && !line.long
		})
	})
	if err != nil {
		return 0, err
	}
	l.log.Warn(fmt.Sprintf("session file repaired: dropped %d malformed line(s) (%s)", ix.bad, filepath.Base(s.place.name)))
	return ix.bad, nil
}

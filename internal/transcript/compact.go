package transcript

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Compaction tells what Compact did.
type Compaction struct {
	Compacted bool
	Reason    string // why there was nothing to compact: "no transcript", or ""
	Kept      int    // lines kept, without the header when something was cut
	Archived  string // path of the file as it was
}

// Compact keeps the header and the last max other lines of a transcript, and
// the file as it was beside it. A transcript of at most max lines, its header
// counted, stays as it is.
func (l *Library) Compact(r Ref, max int) (Compaction, error) {
	s, err := l.open(r)
	if errors.Is(err, ErrNotFound) {
		return Compaction{Reason: "no transcript"}, nil
	}
	if err != nil {
		return Compaction{}, err
	}
	defer s.close()
	if ix, err := l.index(s); err != nil || ix.filled <= max {
		return keptAll(ix), err
	}
	release, err := l.claim(s.key)
	if err != nil {
		return Compaction{}, fmt.Errorf("compact transcript %s: %w", r.SessionID, err)
	}
	defer release()
	defer l.locks.lock(s.key)()
	if err := s.reopen(); err != nil {
		return Compaction{}, err
	}
	ix, err := l.indexLocked(s)
	if err != nil || ix.filled <= max {
		return keptAll(ix), err
	}
	archived, err := l.cut(s, ix, r, max)
	if err != nil {
		return Compaction{}, fmt.Errorf("compact transcript %s: %w", r.SessionID, err)
	}
	return Compaction{Compacted: true, Kept: max, Archived: archived.path()}, nil
}

// keptAll is the answer for a file that stays as it is.
func keptAll(ix *index) Compaction {
	if ix == nil {
		return Compaction{}
	}
	return Compaction{Kept: ix.filled}
}

// cut rewrites the file and returns where the old one is.
func (l *Library) cut(s *source, ix *index, r Ref, max int) (place, error) {
	root, err := l.disk.OpenRoot(s.place.base)
	if err != nil {
		return place{}, err
	}
	defer root.Close()
	archive := free(root, s.place, "bak", time.Now())
	others := ix.filled
	if ix.head.ok {
		others--
	}
	return archive, l.replace(root, s.place, archive.name, func(w io.Writer) error {
		if !ix.head.ok {
			if _, err := w.Write(append(headerLine(r.SessionID, "", time.Now()), '\n')); err != nil {
				return err
			}
		}
		seen := 0 // lines other than the header
		return copyLines(newLines(s, s.info.Size()), w, func(_ int, line rawLine) bool {
			if ix.head.ok && line.off == ix.head.off {
				return true
			}
			seen++
			return seen > others-max
		})
	})
}

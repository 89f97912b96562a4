package transcript

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/parleyd/parley/internal/disk"
)

// Condition is what Check finds out about a transcript.
type Condition struct {
	Size      int64  `json:"size"`
	Lines     int    `json:"lines"`     // that are not blank
	Messages  int    `json:"messages"`  // that readers count
	Header    bool   `json:"header"`    // the first line that is JSON is one
	SessionID string `json:"sessionId"` // in the header
	Version   int    `json:"version"`   // of the format; 0 without a header
	Bad       int    `json:"bad"`       // lines that are not JSON
	Torn      bool   `json:"torn"`      // the last line has no newline
	Repeated  int    `json:"repeated"`  // lines with an id that a line before has
	Orphans   int    `json:"orphans"`   // lines that name a parent which is not before them
}

// Faults says what is wrong with the transcript of a session, one sentence per
// fault. Not every fault needs repair: readers pass over all of them.
func (c Condition) Faults(sessionID string) (out []string) {
	fault := func(n int, format string, args ...any) {
		if n > 0 {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	one := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	fault(one(c.Lines > 0 && !c.Header), "there is no header")
	fault(one(c.Header && c.SessionID != sessionID), "the header is of session %q", c.SessionID)
	fault(one(c.Header && c.Version < Version), "the format is of version %d; the next message brings it to %d", c.Version, Version)
	fault(one(c.Version > Version), "the format is of version %d, which is not known here", c.Version)
	fault(c.Bad, "%d of %d lines are no JSON", c.Bad, c.Lines)
	fault(one(c.Torn), "the last line does not end")
	fault(c.Repeated, "%d lines have an id that a line before has", c.Repeated)
	fault(c.Orphans, "%d lines name a parent that is not before them", c.Orphans)
	return out
}

// Check reads the transcript at a path and tells its condition. It takes
// memory for its index only.
func Check(path string) (Condition, error) {
	var system *disk.FS
	root, err := system.OpenRoot(filepath.Dir(path))
	if err != nil {
		return Condition{}, fmt.Errorf("check transcript: %w", err)
	}
	defer root.Close()
	f, info, err := openRegular(root, filepath.Base(path), os.O_RDONLY)
	if err != nil {
		return Condition{}, fmt.Errorf("check transcript: %w", err)
	}
	defer f.Close()
	c, err := check(f, info.Size())
	if err != nil {
		return Condition{}, fmt.Errorf("check transcript %s: %w", path, err)
	}
	return c, nil
}

func check(r io.ReaderAt, size int64) (Condition, error) {
	ix, err := scan(r, size)
	if err != nil {
		return Condition{}, err
	}
	c := Condition{
		Size: size, Lines: ix.filled, Messages: ix.listed(), Header: ix.head.ok, Version: ix.head.version,
		Bad: ix.bad, Torn: !ix.ended, Orphans: ix.orphans,
	}
	if c.Header {
		line, err := readSpan(r, span{off: ix.head.off, n: ix.head.n})
		if err != nil {
			return Condition{}, err
		}
		f, _ := parse(line)
		c.SessionID = text(f.ID)
	}
	c.Repeated, err = ix.lines.repeated(r)
	return c, err
}

// repeated counts the lines with an id that a line before has.
func (t *table) repeated(r io.ReaderAt) (n int, err error) {
	type entry struct {
		id  tableID
		pos int32
	}
	var list []entry
	for i := range t.n {
		if s := t.at(i); s.hasID {
			list = append(list, entry{tableID{s.id, s.usual}, int32(i)})
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Or(cmp.Compare(a.id.value, b.id.value), cmp.Compare(a.pos, b.pos)) })
	for len(list) > 0 {
		k := 1
		for k < len(list) && list[k].id.value == list[0].id.value {
			k++
		}
		seen := map[string]bool{}
		for i := 0; k > 1 && i < k; i++ {
			id := fmt.Sprint(list[i].id)
			if !list[i].id.usual { // two ids may have one hash
				if id, err = t.idOf(r, int(list[i].pos)); err != nil {
					return 0, err
				}
			}
			if seen[id] {
				n++
			}
			seen[id] = true
		}
		list = list[k:]
	}
	return n, nil
}

// idOf reads the id of line i.
func (t *table) idOf(r io.ReaderAt, i int) (string, error) {
	line, err := readSpan(r, t.at(i))
	if err != nil {
		return "", err
	}
	f, _ := parse(line)
	return text(f.ID), nil
}

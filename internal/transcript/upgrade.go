package transcript

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// reshape rewrites a file that lacks a header or is of an older version. Lines
// that are not JSON stay as they are.
func (w *writer) reshape() error {
	u := &upgrade{head: w.ix.head, id: w.ref.SessionID, cwd: w.cwd, lines: w.ix.parsed}
	backup := ""
	if w.keep || !u.head.ok {
		backup = repairName(w.root, w.place.name)
	}
	if !u.head.ok {
		u.head.version = Version
		if w.ix.leaf() < 0 {
			u.head.version = 1 // no line has an id: an old file that lost its header
		}
	}
	if err := u.number(newLines(w.f, w.ix.size)); err != nil {
		return err
	}
	err := w.l.replace(w.root, w.place, backup, func(out io.Writer) error {
		return u.write(newLines(w.f, w.ix.size), out)
	})
	if err != nil {
		return fmt.Errorf("upgrade transcript: %w", err)
	}
	w.kept = backup
	if !w.ix.head.ok {
		w.l.log.Warn("transcript had no header; one was put before its lines", "session", w.ref.SessionID,
			"file", w.place.path(), "copy", filepath.Base(backup))
	}
	return nil
}

// upgrade turns the lines of an older file into those of the current version.
type upgrade struct {
	head header
	id   string // of the session, for a header
	cwd  string

	lines int      // that are JSON
	ids   []string // theirs, in order, the header included
}

// number gives ids to the lines of a file that has none.
func (u *upgrade) number(in *lines) error {
	if u.head.version >= 2 {
		return nil
	}
	used := newIDSet(u.lines)
	for {
		line, ok, err := in.line()
		if err != nil || !ok {
			return err
		}
		if line.long {
			return errLong
		}
		if blank(line.text) {
			continue
		}
		f, parsed := parse(readable(line.text))
		if !parsed {
			continue
		}
		id := ""
		if rawjson.Kind(line.text) == '{' && f.typ() != "session" {
			id = used.newID()
			if n, usual := hexID([]byte(id)); usual {
				used.add(n)
			}
		}
		u.ids = append(u.ids, id)
	}
}

// write copies the lines, changed where the version demands it.
func (u *upgrade) write(in *lines, out io.Writer) error {
	if !u.head.ok {
		if _, err := out.Write(append(headerLine(u.id, u.cwd, time.Now()), '\n')); err != nil {
			return err
		}
	}
	parent, n := "", 0
	for {
		line, ok, err := in.line()
		if err != nil || !ok {
			return err
		}
		if line.long {
			return errLong
		}
		if blank(line.text) {
			continue
		}
		raw := readable(line.text)
		if f, parsed := parse(raw); parsed {
			if changed := u.line(raw, &f, n, parent); changed != nil {
				raw = changed
			}
			if u.head.version < 2 && u.ids[n] != "" {
				parent = u.ids[n]
			}
			n++
		}
		if _, err := out.Write(append(raw[:len(raw):len(raw)], '\n')); err != nil {
			return err
		}
	}
}

// line is the new form of the nth line that is JSON, or nil for no change.
func (u *upgrade) line(raw []byte, f *fields, n int, parent string) []byte {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return nil
	}
	changed := false
	if n == 0 && u.head.ok {
		o.Put("version", Version)
		return o.JSON()
	}
	if u.head.version < 2 && u.ids[n] != "" {
		u.link(&o, f, n, parent)
		changed = true
	}
	if m, err := rawjson.Parse(f.Message); err == nil && u.head.version < 3 && f.typ() == "message" && m.Text("role") == "hookMessage" {
		m.Put("role", "custom")
		o.Set("message", m.JSON())
		changed = true
	}
	if !changed {
		return nil
	}
	return o.JSON()
}

// link gives a line of version 1 its id and parent.
func (u *upgrade) link(o *rawjson.Object, f *fields, n int, parent string) {
	o.Put("id", u.ids[n])
	o.Set("parentId", rawjson.Value("null"))
	if parent != "" {
		o.Put("parentId", parent)
	}
	at, ok := rawjson.Number(f.FirstKeptEntryIndex)
	if f.typ() != "compaction" || !ok {
		return
	}
	if i := int(at); i >= 0 && i < len(u.ids) && u.ids[i] != "" {
		o.Put("firstKeptEntryId", u.ids[i])
	}
	o.Delete("firstKeptEntryIndex")
}

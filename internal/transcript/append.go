package transcript

import (
	"fmt"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Line is one line to append.
type Line struct {
	Type   string
	Fields rawjson.Object // what follows type, id, parentId and timestamp
	ID     string         // made when empty
	At     time.Time      // now when zero
}

// Appended tells what a Line became.
type Appended struct {
	ID      string
	Seq     int           // its number among the messages; 0 for lines that are none
	Message rawjson.Value // as Messages gives it, with its id and number
}

// Append adds lines to the transcript of r and returns when they are on disk.
// A missing file is made, with a header that names cwd. The parent of each
// line is the last line of the file that has an id.
func (l *Library) Append(r Ref, cwd string, lines ...Line) ([]Appended, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	w, err := l.openWriter(r, cwd)
	if err != nil {
		return nil, fmt.Errorf("append to transcript %s: %w", r.SessionID, err)
	}
	defer w.close()
	text, next := w.start()
	out := make([]Appended, 0, len(lines))
	now := time.Now()
	for _, line := range lines {
		raw, id, err := next.compose(line, now)
		if err != nil {
			return nil, fmt.Errorf("append to transcript %s: %w", r.SessionID, err)
		}
		a := Appended{ID: id, Seq: next.add(raw, next.size, len(raw))}
		if m, ok := present(raw, a.Seq); ok {
			a.Message = m.Raw
		}
		out = append(out, a)
		text = append(append(text, raw...), '\n')
		next.size += int64(len(raw)) + 1
	}
	if err := w.write(text, next); err != nil {
		return nil, fmt.Errorf("append to transcript %s: %w", r.SessionID, err)
	}
	return out, nil
}

// compose is the JSON of the line that comes next, on one line.
func (ix *index) compose(line Line, now time.Time) (raw rawjson.Value, id string, err error) {
	if id = line.ID; id == "" {
		id = ix.freeIDs().newID()
	}
	at := line.At
	if at.IsZero() {
		at = now
	}
	var o rawjson.Object
	o.Put("type", line.Type)
	o.Put("id", id)
	o.Set("parentId", rawjson.Value("null"))
	if ix.leaf() >= 0 {
		o.Put("parentId", ix.leafID)
	}
	o.Put("timestamp", jstext.ISO(at))
	for name, value := range line.Fields.All() {
		o.Set(name, value)
	}
	// A value that somebody indented must not become two lines.
	raw, err = rawjson.Compact(o.JSON())
	if err != nil {
		return nil, "", fmt.Errorf("a %s line is not JSON: %w", line.Type, err)
	}
	return readable(raw), id, nil
}

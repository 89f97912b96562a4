package transcript

import (
	"errors"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// Told is a message of a Context, and the id of its line, "" where it has none.
type Told struct {
	ID      string
	Message rawjson.Value
}

// Context is what a model is told of a session: the messages on the path from
// the last line to the root, oldest first. After a compaction only its
// summary (a message of role compactionSummary), the part of the path that it
// kept, and what follows count. Messages come as they stand in the file;
// other lines that are part of the conversation come as messages of the roles
// custom and branchSummary. There is none when there is no file.
func (l *Library) Context(r Ref) ([]Told, error) {
	s, err := l.open(r)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.close()
	ix, err := l.index(s)
	if err != nil {
		return nil, err
	}
	summary, path, err := s.contextPath(ix)
	if err != nil {
		return nil, err
	}
	var out []Told
	if summary != nil {
		out = append(out, Told{Message: summary})
	}
	err = eachSpan(s, path, func(_ span, line []byte) error {
		f, _ := parse(line)
		if m := contextMessage(&f, line); m != nil {
			id, _ := rawjson.Text(f.ID)
			out = append(out, Told{id, m})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// contextPath is the lines that count on the path from the root to the leaf,
// and the summary of what the last compaction left out of it.
func (s *source) contextPath(ix *index) (summary rawjson.Value, path []span, err error) {
	for i := ix.leafOfPath(); i >= 0; i = ix.before(i) {
		sp := ix.lines.at(int(i))
		if sp.kind != kindCompaction {
			path = append(path, sp)
			continue
		}
		var kept []span
		if summary, kept, err = s.compacted(ix, sp); err != nil {
			return nil, nil, err
		}
		path = append(path, kept...)
		break
	}
	slices.Reverse(path)
	return summary, path, nil
}

// treeless reports whether the file is of the version that knew no tree: then
// all of it is one path.
func (ix *index) treeless() bool { return ix.head.ok && ix.head.version < 2 }

func (ix *index) leafOfPath() int32 {
	if ix.treeless() {
		return int32(ix.lines.n) - 1
	}
	return ix.leaf()
}

// before is the line before line i on the path to the root, or -1. It comes
// before it in the file, so that every path ends.
func (ix *index) before(i int32) int32 {
	if ix.treeless() {
		return i - 1
	}
	return ix.lines.parent(int(i))
}

// compacted is the summary of a compaction and the lines before it that it
// kept, from the newest to the oldest.
func (s *source) compacted(ix *index, at span) (summary rawjson.Value, kept []span, err error) {
	line, err := readSpan(s, at)
	if err != nil {
		return nil, nil, err
	}
	o, err := rawjson.Parse(line)
	if err != nil {
		return nil, nil, err
	}
	summary = derived("compactionSummary", o, "summary", "tokensBefore")
	first := o.Text("firstKeptEntryId")
	for i := ix.before(at.pos); i >= 0; i = ix.before(i) {
		sp := ix.lines.at(int(i))
		kept = append(kept, sp)
		same, err := hasID(s, sp, first)
		if err != nil {
			return nil, nil, err
		}
		if same {
			return summary, kept, nil
		}
	}
	return summary, nil, nil
}

// contextMessage is what a line says to a model, or nil.
func contextMessage(f *fields, line []byte) rawjson.Value {
	switch kindOf(f) {
	case kindMessage:
		if rawjson.Kind(f.Message) == '{' {
			return f.Message
		}
		return nil
	case kindCustomMessage, kindBranchSummary:
	default:
		return nil
	}
	o, err := rawjson.Parse(line)
	if err != nil {
		return nil
	}
	if kindOf(f) == kindBranchSummary {
		return derived("branchSummary", o, "summary", "fromId")
	}
	return derived("custom", o, "customType", "content", "display", "details")
}

// derived makes a message of a line that holds none.
func derived(role string, line rawjson.Object, names ...string) rawjson.Value {
	var o rawjson.Object
	o.Put("role", role)
	for _, name := range names {
		if v := line.Get(name); v != nil {
			o.Set(name, v)
		}
	}
	if t, ok := parseTime(line.Text("timestamp")); ok {
		o.Put("timestamp", t.UnixMilli())
	}
	return o.JSON()
}

package transcript

import (
	"errors"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// Context is what a model is told of a session: the messages on the path from
// the last line to the root, oldest first. After a compaction only its
// summary (a message of role compactionSummary), the part of the path that it
// kept, and what follows count. Messages come as they stand in the file;
// other lines that are part of the conversation come as messages of the roles
// custom and branchSummary. There is none when there is no file.
func (l *Library) Context(r Ref) ([]rawjson.Value, error) {
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
	path := ix.path()
	var out []rawjson.Value
	// The last compaction decides where the path begins.
	if i := slices.IndexFunc(path, func(sp span) bool { return sp.kind == kindCompaction }); i >= 0 {
		summary, kept, err := s.compacted(path[i], path[i+1:])
		if err != nil {
			return nil, err
		}
		out = append(out, summary)
		path = slices.Concat(path[:i], kept)
	}
	for _, sp := range slices.Backward(path) {
		line, err := s.section(sp.off, int64(sp.n))
		if err != nil {
			return nil, err
		}
		if m := contextMessage(readable(line)); m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// path is the lines from the leaf to the root. A file of a version without a
// tree is one path.
func (ix *index) path() []span {
	if ix.head.ok && ix.head.version < 2 {
		return reversed(ix.lines)
	}
	var out []span
	for i := ix.leaf; i >= 0; i = ix.lines[i].parent {
		if out = append(out, ix.lines[i]); len(out) > len(ix.lines) {
			break // a damaged file may have a loop
		}
	}
	return out
}

func reversed(in []span) []span {
	out := slices.Clone(in)
	slices.Reverse(out)
	return out
}

// compacted is the summary of a compaction and the lines before it (given from
// the newest to the oldest) that it kept.
func (s *source) compacted(at span, before []span) (summary rawjson.Value, kept []span, err error) {
	line, err := s.section(at.off, int64(at.n))
	if err != nil {
		return nil, nil, err
	}
	o, err := rawjson.Parse(readable(line))
	if err != nil {
		return nil, nil, err
	}
	first := o.Text("firstKeptEntryId")
	for i, sp := range before {
		same, err := s.hasID(sp, first)
		if err != nil {
			return nil, nil, err
		}
		if same {
			kept = before[:i+1]
			break
		}
	}
	return derived("compactionSummary", o, "summary", "tokensBefore"), kept, nil
}

// hasID reports whether a line has this id.
func (s *source) hasID(sp span, id string) (bool, error) {
	if n, usual := hexID(id); sp.usual || usual {
		return sp.usual && usual && sp.id == n, nil
	}
	line, err := s.section(sp.off, int64(sp.n))
	if err != nil {
		return false, err
	}
	f, _ := parse(readable(line))
	return rawjson.Kind(f.ID) == '"' && text(f.ID) == id, nil
}

// contextMessage is what a line says to a model, or nil.
func contextMessage(line []byte) rawjson.Value {
	f, _ := parse(line)
	switch kindOf(&f) {
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
	if kindOf(&f) == kindBranchSummary {
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

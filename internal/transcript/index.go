package transcript

import (
	"github.com/parleyd/parley/internal/rawjson"
)

// index is what one scan tells about a transcript. It does not change once it
// is in the cache: an append makes a new one, which shares its memory.
type index struct {
	size   int64 // bytes covered
	ended  bool  // the last line has its newline (true for an empty file)
	filled int   // lines that are not blank
	parsed int   // lines that are JSON
	bad    int   // lines that are not

	head    header
	lines   table
	leafID  string // of the last line with an id
	orphans int    // lines before which their parent is not, but the first one; as the scan saw it
	keys    *keySet
	ids     *idSet // made by the first append; the file's writer alone uses it
	tally   tally
	lastRun snapshot
}

func newIndex() *index { return &index{ended: true, lines: newTable(), keys: &keySet{}} }

// listed is the number of messages.
func (ix *index) listed() int { return int(ix.lines.listed) }

// leaf is the position of the last line with an id, or -1.
func (ix *index) leaf() int32 { return ix.lines.lastID }

// weight is how many bytes of memory ix takes.
func (ix *index) weight() int {
	n := 512 + ix.lines.size() + ix.keys.size()
	if ix.ids != nil {
		n += len(ix.ids.bits) * 8
	}
	return n
}

// header is what the first line that is JSON says of the file.
type header struct {
	ok      bool // it is a session header
	version int
	off     int64
	n       int64
}

// snapshot is the model that runs of the session used last.
type snapshot struct {
	any                  bool // a run has written to the file
	named                bool // and has said which model it uses
	provider, api, model string
}

// extend is a copy that add may change while readers use ix.
func (ix *index) extend() *index {
	next := *ix
	return &next
}

// add takes in the line that comes next; its parent is the leaf or nothing. It
// returns the line's number among the listed ones, or 0.
func (ix *index) add(line []byte, off int64, n int) int {
	var f fields
	s, ok := ix.take(&f, line, off, n)
	if !ok {
		return 0
	}
	if s.hasID {
		if ix.leaf() >= 0 && text(f.ParentID) == ix.leafID {
			s.parent = ix.leaf()
		}
		ix.leafID = text(f.ID)
		if ix.ids != nil && s.usual {
			ix.ids.add(s.id)
		}
	}
	ix.put(&f, s)
	if !s.listed {
		return 0
	}
	return ix.listed()
}

// take counts a line and reads it into f. ok is false for a line that has no
// place in the table; the parent of another is left to the caller.
func (ix *index) take(f *fields, line []byte, off int64, n int) (s span, ok bool) {
	if blank(line) {
		return s, false
	}
	ix.filled++
	if !f.read(line) {
		ix.bad++
		return s, false
	}
	ix.parsed++
	if ix.parsed == 1 && f.header() {
		ix.head = header{ok: true, version: f.version(), off: off, n: int64(n)}
		return s, false
	}
	s = span{off: off, n: int64(n), parent: -1, kind: kindOf(f), listed: f.listed()}
	// A second header is in no tree.
	if s.hasID = kindIs(f.ID, '"') && !is(f.Type, "session"); s.hasID {
		s.id, s.usual = idOf(f.ID)
	}
	return s, s.listed || s.hasID
}

// put adds a line to the table, and keeps what other questions than "where is
// it" need of it.
func (ix *index) put(f *fields, s span) {
	if key := f.own.IdempotencyKey; kindIs(key, '"') && len(key) > 2 {
		ix.keys.add(hashValue(key), int32(ix.lines.n))
	}
	ix.lines.add(s)
	ix.lastRun.note(f)
	if role := f.own.Role; kindIs(f.Message, '{') && (is(role, "assistant") || !kindIs(role, '"') || len(role) == 2) {
		ix.tally.note(first(f.own.Usage, f.Usage), first(f.own.Provider, f.Provider), first(f.own.Model, f.Model))
	}
}

func (s *snapshot) note(f *fields) {
	switch {
	case is(f.Type, "model_change"), is(f.Type, "thinking_level_change"):
		s.any = true
	case is(f.Type, "custom") && is(f.CustomType, "model-snapshot"):
		d, _ := rawjson.Parse(f.Data)
		*s = snapshot{any: true, named: true, provider: d.Text("provider"), api: d.Text("modelApi"), model: d.Text("modelId")}
	}
}

// join takes in what follows.
func (s *snapshot) join(o snapshot) {
	if o.named {
		*s = o
	}
	s.any = s.any || o.any
}

// first is a, or b when a is absent or null.
func first(a, b rawjson.Value) rawjson.Value {
	if len(a) == 0 || kindIs(a, 'n') {
		return b
	}
	return a
}

func kindOf(f *fields) kind {
	switch {
	case is(f.Type, "message"):
		return kindMessage
	case is(f.Type, "compaction"):
		return kindCompaction
	case is(f.Type, "custom_message"):
		return kindCustomMessage
	case is(f.Type, "branch_summary"):
		return kindBranchSummary
	}
	return kindOther
}

// idOf is what the table keeps of an id: its value, when it has the usual
// form, else a hash.
func idOf(id rawjson.Value) (value uint32, usual bool) {
	if s, ok := simple(id); ok {
		if n, ok := hexID(s); ok {
			return n, true
		}
		return hashText(s), false
	}
	s := []byte(text(id))
	if n, ok := hexID(s); ok { // with escapes
		return n, true
	}
	return hashText(s), false
}

// hashValue is the hash of what a string value says.
func hashValue(v rawjson.Value) uint32 {
	if s, ok := simple(v); ok {
		return hashText(s)
	}
	return hashText([]byte(text(v)))
}

// hexID is the value of an id of the usual form, eight lower-case hex digits.
func hexID(id []byte) (n uint32, ok bool) {
	if len(id) != 8 {
		return 0, false
	}
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// freeIDs knows which ids no line has.
func (ix *index) freeIDs() *idSet {
	if ix.ids != nil && !ix.ids.full() {
		return ix.ids
	}
	ix.ids = newIDSet(ix.lines.n)
	for i := range ix.lines.n {
		if s := ix.lines.flags(i); s&flagUsual != 0 {
			ix.ids.add(ix.lines.blocks[i/blockLines].id[i%blockLines])
		}
	}
	return ix.ids
}

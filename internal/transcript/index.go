package transcript

import (
	"hash/fnv"
	"io"
	"slices"
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// index is what one scan tells about a transcript. It does not change once it
// is in the cache: an append makes a new one, which shares the slices.
type index struct {
	size   int64 // bytes covered
	ended  bool  // the last line has its newline (true for an empty file)
	filled int   // lines that are not blank
	parsed int   // lines that are JSON
	bad    int   // lines that are not

	head    header
	lines   []span   // every listed line and every line with an id, in file order
	listed  int      // how many of them are listed
	leaf    int32    // position in lines of the last line with an id, or -1
	leafID  string   // that id
	keys    []uint64 // hashes of the messages' idempotency keys
	tally   tally
	lastRun snapshot
}

// header is what the first line that is JSON says of the file.
type header struct {
	ok      bool // it is a session header
	version int
	off     int64
	n       int64
}

// span is one line by its place in the file and in the tree.
type span struct {
	off    int64
	n      int32
	parent int32  // position of the parent in lines, -1 for a root
	id     uint32 // the id's value, when it has the usual form
	kind   kind
	listed bool
	usual  bool // id holds the line's id
}

type kind uint8

const (
	kindOther kind = iota
	kindMessage
	kindCompaction
	kindCustomMessage
	kindBranchSummary
)

// snapshot is the model that runs of the session used last.
type snapshot struct {
	any                  bool // a run has written to the file
	provider, api, model string
}

// scan reads a transcript of the given size.
func scan(r io.ReaderAt, size int64) (*index, error) {
	ix := &index{size: size, ended: true, leaf: -1}
	ids := map[string]int32{}
	for in := newLines(r, size); ; {
		line, ok, err := in.line()
		if err != nil {
			return nil, err
		}
		if !ok {
			ix.lines = slices.Clip(ix.lines)
			return ix, nil
		}
		ix.ended = line.ended
		ix.add(readable(line.text), line.off, len(line.text), ids)
	}
}

// extend is a copy that add may change while readers use ix.
func (ix *index) extend() *index {
	next := *ix
	return &next
}

// add takes in the next line. ids maps the ids before it to their lines; when
// it is nil the parent is the leaf or nothing. It returns the line's number
// among the listed ones, or 0.
func (ix *index) add(line []byte, off int64, n int, ids map[string]int32) int {
	if blank(line) {
		return 0
	}
	ix.filled++
	f, parsed := parse(line)
	if !parsed {
		ix.bad++
		return 0
	}
	ix.parsed++
	if ix.parsed == 1 && f.header() {
		ix.head = header{ok: true, version: f.version(), off: off, n: int64(n)}
		return 0
	}
	id, hasID := rawjson.Text(f.ID)
	if f.typ() == "session" {
		hasID = false // a second header is in no tree
	}
	listed := f.listed()
	if !hasID && !listed {
		return 0
	}
	s := span{off: off, n: int32(n), parent: -1, kind: kindOf(&f), listed: listed}
	if hasID {
		s.parent = ix.find(text(f.ParentID), ids)
		s.id, s.usual = hexID(id)
		ix.leaf, ix.leafID = int32(len(ix.lines)), id
		if ids != nil {
			ids[id] = ix.leaf
		}
	}
	ix.lines = append(ix.lines, s)
	ix.note(&f)
	if !listed {
		return 0
	}
	ix.listed++
	return ix.listed
}

// find is the position of the line with an id, or -1.
func (ix *index) find(id string, ids map[string]int32) int32 {
	if id == "" {
		return -1
	}
	if ids == nil {
		if id == ix.leafID {
			return ix.leaf
		}
		return -1
	}
	if i, ok := ids[id]; ok {
		return i
	}
	return -1
}

// note keeps what other questions than "where is it" need of a line.
func (ix *index) note(f *fields) {
	ix.lastRun.note(f)
	if rawjson.Kind(f.Message) != '{' {
		return
	}
	var m struct {
		Role           rawjson.Value `json:"role"`
		Usage          rawjson.Value `json:"usage"`
		Provider       rawjson.Value `json:"provider"`
		Model          rawjson.Value `json:"model"`
		IdempotencyKey rawjson.Value `json:"idempotencyKey"`
	}
	if err := rawjson.Unmarshal(f.Message, &m); err != nil {
		return
	}
	if key := text(m.IdempotencyKey); key != "" {
		ix.keys = append(ix.keys, hashKey(key))
	}
	if role := text(m.Role); role == "" || role == "assistant" {
		ix.tally.note(first(m.Usage, f.Usage), first(m.Provider, f.Provider), first(m.Model, f.Model))
	}
}

func (s *snapshot) note(f *fields) {
	switch f.typ() {
	case "model_change", "thinking_level_change":
		s.any = true
	case "custom":
		if text(f.CustomType) != "model-snapshot" {
			return
		}
		d, _ := rawjson.Parse(f.Data)
		*s = snapshot{any: true, provider: d.Text("provider"), api: d.Text("modelApi"), model: d.Text("modelId")}
	}
}

// first is the first value that is neither absent nor null.
func first(values ...rawjson.Value) rawjson.Value {
	for _, v := range values {
		if !rawjson.Null(v) {
			return v
		}
	}
	return nil
}

func kindOf(f *fields) kind {
	switch f.typ() {
	case "compaction":
		return kindCompaction
	case "custom_message":
		return kindCustomMessage
	case "branch_summary":
		return kindBranchSummary
	case "message":
		return kindMessage
	}
	return kindOther
}

// hexID is the value of an id of the usual form, eight lower-case hex digits.
func hexID(id string) (uint32, bool) {
	if len(id) != 8 {
		return 0, false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(id, 16, 32)
	return uint32(n), err == nil
}

// has reports whether a line has this id of the usual form.
func (ix *index) has(id uint32) bool {
	return slices.ContainsFunc(ix.lines, func(s span) bool { return s.usual && s.id == id })
}

// hashKey shortens an idempotency key: the index holds no texts.
func hashKey(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return h.Sum64()
}

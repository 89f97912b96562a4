package runs

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// A line ends in a checksum of its bytes before it, as its last member:
// {"op":"accepted",…,"crc":"0a1b2c3d"}. Lines without one are of a former
// version.
const (
	sumName = `,"crc":"`
	sumSize = len(sumName) + 8 + len(`"}`)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal is the end of a line whose other bytes are b.
func seal(b []byte) string {
	return fmt.Sprintf(`%s%08x"}`, sumName, crc32.Checksum(b, castagnoli))
}

// line is the record as a line of a journal.
func (r record) line() []byte {
	b := bytes.TrimSuffix(rawjson.MustMarshal(r), []byte("}"))
	return append(append(b, seal(b)...), '\n')
}

// parseLine reads a line, without its newline. It reports false for one that
// is damaged.
func parseLine(line []byte) (rec record, ok bool) {
	if i := len(line) - sumSize; i > 0 && bytes.HasPrefix(line[i:], []byte(sumName)) {
		return rec, string(line[i:]) == seal(line[:i]) && rawjson.Unmarshal(line, &rec) == nil && rec.whole()
	}
	// Without a checksum every member has to be known: one that is not can be a
	// checksum whose name is damaged.
	o, err := rawjson.Parse(line)
	if err != nil || rawjson.Unmarshal(line, &rec) != nil || !rec.whole() {
		return record{}, false
	}
	known, err := rawjson.Parse(rawjson.MustMarshal(rec))
	return rec, err == nil && known.Len() == o.Len()
}

// whole reports whether the record says of which run it tells what.
func (r record) whole() bool { return r.Op != "" && r.RunID != "" }

// intact is the length of a journal without a last line that is torn or
// damaged.
func intact(data []byte) int64 {
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 {
		return 0
	}
	start := bytes.LastIndexByte(data[:end-1], '\n') + 1
	if _, ok := parseLine(data[start : end-1]); !ok {
		return int64(start)
	}
	return int64(end)
}

// past is what the journals tell of one run of an earlier process.
type past struct {
	accepted record
	text     string
	textAt   int64
	ended    *record
}

func (p *past) key() claimKey { return claimKey{p.accepted.Kind, p.accepted.RunID} }

// lines are what a journal needs of a run that was accepted and has not ended.
func (p *past) lines() []byte {
	out := p.accepted.line()
	if p.text != "" {
		out = append(out, record{Op: "text", At: p.textAt, Kind: p.accepted.Kind, RunID: p.accepted.RunID, Add: p.text}.line()...)
	}
	return out
}

// parseJournal reads what a journal tells of each run, in order of acceptance.
// A last line without its end is what a crash has torn, and was never answered.
// Other lines that are damaged tell nothing either; it says which these are,
// counted from 1.
func parseJournal(data []byte) (runs []*past, damaged []int) {
	byKey := map[claimKey]*past{}
	n := 0
	for line := range bytes.Lines(data[:bytes.LastIndexByte(data, '\n')+1]) {
		n++
		rec, ok := parseLine(line[:len(line)-1])
		if !ok {
			damaged = append(damaged, n)
			continue
		}
		key := claimKey{rec.Kind, rec.RunID}
		p := byKey[key]
		if p == nil {
			p = &past{accepted: record{Kind: rec.Kind, RunID: rec.RunID}}
			byKey[key] = p
			runs = append(runs, p)
		}
		p.take(rec)
	}
	runs = slices.DeleteFunc(runs, func(p *past) bool { return p.ended == nil && p.accepted.Key == "" })
	slices.SortStableFunc(runs, func(a, b *past) int { return cmp.Compare(a.accepted.At, b.accepted.At) })
	return runs, damaged
}

// take is what one more record tells.
func (p *past) take(rec record) {
	switch rec.Op {
	case "accepted":
		if p.ended != nil && rec.At > p.ended.At {
			*p = past{} // the key was forgotten and used again
		}
		p.accepted = rec
	case "text":
		if rec.From >= 0 && rec.From <= len(p.text) {
			p.text, p.textAt = p.text[:rec.From]+rec.Add, rec.At
		}
	case "ended":
		p.ended = &rec
	}
}

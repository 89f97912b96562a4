package sessions

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/parleyd/parley/internal/rawjson"
)

// journalVersion is the version of the journal's form, see doc/disk.md.
const journalVersion = 1

// identity tells one content of a file from another. The zero value is that of
// a file that is missing or empty.
type identity struct {
	size int64
	hash uint64
}

// hashOf is the hash of a member's compact JSON.
func hashOf(raw rawjson.Value) string { return hexHash(xxhash.Sum64(raw)) }

func hexHash(h uint64) string { return fmt.Sprintf("%016x", h) }

func (id identity) append(dst []byte) []byte {
	if id == (identity{}) {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"size":`...)
	dst = strconv.AppendInt(dst, id.size, 10)
	dst = append(dst, `,"hash":"`...)
	dst = append(dst, hexHash(id.hash)...)
	return append(dst, `"}`...)
}

func (id *identity) UnmarshalJSON(data []byte) error {
	if rawjson.Null(data) {
		*id = identity{}
		return nil
	}
	var o struct {
		Size int64  `json:"size"`
		Hash string `json:"hash"`
	}
	if err := rawjson.Unmarshal(data, &o); err != nil {
		return err
	}
	hash, err := strconv.ParseUint(o.Hash, 16, 64)
	*id = identity{o.Size, hash}
	return err
}

// change is what one key became, as a line of the journal has it.
type change struct {
	key   string
	entry rawjson.Value // compact; nil when the key was removed
	was   string        // hash of the key's value in the file that the line continues, "" for none

	// Not in the line:
	n     int64 // number of the line
	t     int64 // when, ms
	order int64 // of new keys among each other
	moved bool  // the key was removed before, so it stands at the end now
}

// header is the first line of a journal: which content of sessions.json the
// lines after it continue, and the number of the last change in that.
type header struct {
	base identity
	n    int64
}

func (h header) line() []byte {
	b := fmt.Appendf(nil, `{"v":%d,"base":`, journalVersion)
	b = h.base.append(b)
	b = fmt.Appendf(b, `,"n":%d`, h.n)
	return endLine(b, 0)
}

// appendChanges appends the line of one Update: its number, the number of the
// first line that was written together with it, its time, and what changed.
func appendChanges(dst []byte, n, batch, t int64, set []change) []byte {
	start := len(dst)
	dst = append(dst, `{"n":`...)
	dst = strconv.AppendInt(dst, n, 10)
	dst = append(dst, `,"b":`...)
	dst = strconv.AppendInt(dst, batch, 10)
	dst = append(dst, `,"t":`...)
	dst = strconv.AppendInt(dst, t, 10)
	dst = append(dst, `,"set":[`...)
	for i, c := range set {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = rawjson.AppendString(dst, c.key)
		dst = append(dst, ',')
		dst = append(dst, orNull(c.entry)...)
		dst = append(dst, ',')
		if c.was == "" {
			dst = append(dst, "null]"...)
		} else {
			dst = append(append(append(dst, '"'), c.was...), `"]`...)
		}
	}
	return endLine(append(dst, ']'), start)
}

// checkpointLine says that the content of this identity, which holds all
// changes up to n, is about to become sessions.json.
func checkpointLine(id identity, n int64) []byte {
	b := id.append([]byte(`{"ckpt":`))
	b = fmt.Appendf(b, `,"n":%d`, n)
	return endLine(b, 0)
}

func orNull(raw rawjson.Value) rawjson.Value {
	if raw == nil {
		return rawjson.Value("null")
	}
	return raw
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcMember begins the last member of every line, crcLength is the length of
// all that follows the bytes it is the checksum of.
const (
	crcMember = `,"crc":"`
	crcLength = len(crcMember) + 8 + len(`"}`)
)

// endLine closes the line that begins at start with the checksum of its bytes.
func endLine(line []byte, start int) []byte {
	sum := crc32.Checksum(line[start:], castagnoli)
	return append(appendSum(append(line, crcMember...), sum), "\"}\n"...)
}

func appendSum(dst []byte, sum uint32) []byte {
	const digits = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[sum>>shift&0xf])
	}
	return dst
}

// intact reports whether a line (without its newline) is as it was written.
func intact(line []byte) bool {
	body := len(line) - crcLength
	if body < 0 {
		return false
	}
	var end [crcLength]byte
	sum := appendSum(append(end[:0], crcMember...), crc32.Checksum(line[:body], castagnoli))
	return string(line[body:]) == string(append(sum, "\"}"...))
}

// lineFields are the members of any line of a journal.
type lineFields struct {
	V     int             `json:"v"`
	Base  identity        `json:"base"`
	N     int64           `json:"n"`
	Batch int64           `json:"b"`
	T     int64           `json:"t"`
	Set   []rawjson.Value `json:"set"`
	Ckpt  *identity       `json:"ckpt"`
}

var (
	errTorn    = errors.New("line is torn or damaged")
	errVersion = errors.New("journal was written by a later version of parley")
)

// parseLine reads one line.
func parseLine(line []byte) (f lineFields, set []change, err error) {
	if !intact(line) {
		return f, nil, errTorn
	}
	if err := rawjson.Unmarshal(line, &f); err != nil {
		return f, nil, fmt.Errorf("%w: %w", errTorn, err)
	}
	for _, raw := range f.Set {
		part, ok := rawjson.Array(raw)
		if !ok || len(part) != 3 {
			return f, nil, errTorn
		}
		c := change{n: f.N, t: f.T}
		if c.key, ok = rawjson.Text(part[0]); !ok {
			return f, nil, errTorn
		}
		if !rawjson.Null(part[1]) {
			if c.entry, err = rawjson.Compact(part[1]); err != nil {
				return f, nil, fmt.Errorf("%w: %w", errTorn, err)
			}
		}
		c.was, _ = rawjson.Text(part[2])
		set = append(set, c)
	}
	return f, set, nil
}

// replay is what a journal's bytes say.
type replay struct {
	header   header
	ok       bool     // there is a header
	changes  []change // of all intact lines, in order
	ckpt     *header  // the last checkpoint that was begun
	n        int64    // number of the last intact line, the header's when there is none
	end      int64    // byte after the last line that counts
	torn     bool     // something that was never acknowledged follows it
	odd      bool     // a line of that has its end: a torn one seldom has
	damaged  []int64  // where acknowledged lines begin that cannot be read
	foreign  error    // the journal is of another version
	newlines int      // lines that count
}

// readJournal reads the bytes of a journal. Lines are written in batches, each
// synced as a whole before the next one is begun: so a line that cannot be read
// was never acknowledged if no line of a later batch follows it, else the file
// is damaged. Zeros are space that was not used yet.
func readJournal(data []byte) replay {
	var r replay
	var bad []int64
	for off := int64(0); off < int64(len(data)); {
		rest := data[off:]
		if rest[0] == 0 {
			skip := len(rest) - len(bytes.TrimLeft(rest, "\x00"))
			off += int64(skip)
			continue
		}
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		next := int64(len(data) - len(after))
		f, set, err := lineFields{}, []change(nil), errTorn
		if ended {
			f, set, err = parseLine(line)
		}
		if err != nil {
			bad = append(bad, off)
			r.odd = r.odd || ended
			off = resume(rest, off, next)
			continue
		}
		if len(bad) > 0 {
			if r.ok && f.Batch <= r.n+1 && f.Ckpt == nil {
				// Written together with what cannot be read: never acknowledged.
				bad = append(bad, off)
				off = next
				continue
			}
			r.damaged = append(r.damaged, bad...)
			bad, r.odd = nil, false
		}
		if !r.take(f, set) {
			return r
		}
		r.end = next
		off = next
	}
	r.torn = len(bad) > 0
	return r
}

// resume is where reading goes on after what cannot be read: where the next
// line begins, by its first member. The newline before it may be what is bad.
func resume(rest []byte, off, next int64) int64 {
	if i := bytes.Index(rest[1:], []byte(`{"n":`)); i >= 0 && off+int64(i)+1 < next {
		return off + int64(i) + 1
	}
	return next
}

// take counts an intact line; it is false when reading cannot go on.
func (r *replay) take(f lineFields, set []change) bool {
	r.newlines++
	switch {
	case f.V > journalVersion:
		r.foreign = errVersion
		return false
	case f.V > 0:
		r.header, r.ok = header{f.Base, f.N}, true
	case f.Ckpt != nil:
		r.ckpt = &header{*f.Ckpt, f.N}
		return true
	default:
		r.changes = append(r.changes, set...)
	}
	r.n = f.N
	return true
}

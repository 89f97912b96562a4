package transcript

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/parleyd/parley/internal/rawjson"
)

// maxDepth is how deep arrays and objects may lie in each other, as in
// encoding/json: a line of brackets only must not cost more than its length.
const maxDepth = 10_000

// syntax reads one JSON text strictly (RFC 8259) and once, without copying: a
// scan of a long transcript is as fast as this is. It does not look at whether
// strings are UTF-8, which JSON.parse never sees.
type syntax struct {
	b       []byte
	i       int
	plain   bool // no byte of b is a control character
	escaped bool // the last string has a backslash

	// The closing brackets of what is open inside the current value.
	n    int
	near [24]byte
	deep []byte
}

// each checks that v is one JSON object and hands on its members in order. A
// name that has escapes is decoded; values are as written.
func each(v []byte, f func(name, value []byte)) bool {
	s := syntax{b: v, plain: plain(v)}
	s.space()
	return s.object(func([]byte) bool { return s.value(1) }, f) && s.end()
}

// end reports whether nothing follows.
func (s *syntax) end() bool {
	s.space()
	return s.i == len(s.b)
}

// object reads an object. read reads the value of a member, f gets it.
func (s *syntax) object(read func(name []byte) bool, f func(name, value []byte)) bool {
	if !s.take('{') {
		return false
	}
	s.space()
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.name()
		if !ok {
			return false
		}
		start := s.i
		if !read(name) {
			return false
		}
		f(name, s.b[start:s.i])
		s.space()
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
		s.space()
	}
}

// name reads a member's name and the colon.
func (s *syntax) name() (name []byte, ok bool) {
	start := s.i
	if !s.take('"') || !s.text() {
		return nil, false
	}
	name = s.b[start+1 : s.i-1]
	if s.escaped {
		decoded, _ := rawjson.Text(s.b[start:s.i])
		name = []byte(decoded)
	}
	return name, s.colon()
}

func (s *syntax) colon() bool {
	s.space()
	if !s.take(':') {
		return false
	}
	s.space()
	return true
}

// value reads any value that lies in so many others. It keeps its own stack,
// so that no line can exhaust the goroutine's.
func (s *syntax) value(depth int) bool {
	s.n = 0
	for {
		opened, ok := s.begin(depth + s.n)
		if !ok {
			return false
		}
		if opened {
			continue
		}
		// A value is complete, and what ends with it.
		for s.n > 0 && s.closed() {
			s.n--
		}
		if s.n == 0 {
			return true
		}
		if !s.take(',') || !s.member() {
			return false
		}
	}
}

// closed reads the end of what was opened last.
func (s *syntax) closed() bool {
	s.space()
	return s.take(s.top())
}

func (s *syntax) push(closing byte) {
	if s.n < len(s.near) {
		s.near[s.n] = closing
	} else {
		s.deep = append(s.deep[:s.n-len(s.near)], closing)
	}
	s.n++
}

func (s *syntax) top() byte {
	if s.n <= len(s.near) {
		return s.near[s.n-1]
	}
	return s.deep[s.n-len(s.near)-1]
}

// begin reads a simple or an empty value, or opens another one and goes to its
// first element.
func (s *syntax) begin(depth int) (opened, ok bool) {
	if s.i == len(s.b) {
		return false, false
	}
	switch c := s.b[s.i]; c {
	case '"':
		s.i++
		return false, s.text()
	case '{', '[':
		if depth >= maxDepth {
			return false, false
		}
		s.i++
		s.space()
		if s.take(c + 2) { // the closing bracket of either
			return false, true
		}
		s.push(c + 2)
		return true, c == '[' || s.key()
	case 't':
		return false, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return false, s.word("null")
	}
	return false, s.number()
}

// member goes to the next element of what is open.
func (s *syntax) member() bool {
	s.space()
	return s.top() == ']' || s.key()
}

// key reads a name that nobody needs, and the colon.
func (s *syntax) key() bool { return s.take('"') && s.text() && s.colon() }

func (s *syntax) take(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *syntax) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *syntax) space() {
	if s.i < len(s.b) && s.b[s.i] <= ' ' {
		s.skip()
	}
}

func (s *syntax) skip() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *syntax) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		if s.i++; !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

// digits reads one digit or more.
func (s *syntax) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' < 10 {
		s.i++
	}
	return s.i > start
}

// text reads the rest of a string, behind its opening quote.
func (s *syntax) text() bool {
	start := s.i
	for s.escaped = false; ; s.escaped = true {
		i := find(s.b, s.i)
		if i < 0 {
			return false
		}
		s.i = i + 1
		if s.b[i] == '"' {
			return s.plain || plain(s.b[start:i])
		}
		if !s.escape() {
			return false
		}
	}
}

// escapes are what may follow a backslash, but for u.
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escape reads what follows a backslash.
func (s *syntax) escape() bool {
	if s.i == len(s.b) {
		return false
	}
	c := s.b[s.i]
	if s.i++; escapes[c] {
		return true
	}
	if c != 'u' || len(s.b)-s.i < 4 {
		return false
	}
	for _, c := range s.b[s.i : s.i+4] {
		if c |= 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	s.i += 4
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// window is how far findFar looks for a quote before it looks for backslashes:
// in a long text full of escapes the quote is far away for each of them.
const window = 512

// find is the place of the next quote or backslash, or -1. Names, short values
// and what lies between escapes end within a few words.
func find(b []byte, i int) int {
	for end := min(i+64, len(b)); i+8 <= end; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, e := w^('"'*ones), w^('\\'*ones)
		if m := ((q-ones)&^q | (e-ones)&^e) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	return findFar(b, i)
}

// findFar searches long text with the fastest means there is.
func findFar(b []byte, i int) int {
	for i < len(b) {
		part := b[i:min(len(b), i+window)]
		found := bytes.IndexByte(part, '"')
		if found >= 0 {
			part = part[:found]
		}
		if e := bytes.IndexByte(part, '\\'); e >= 0 {
			found = e
		}
		if found >= 0 {
			return i + found
		}
		i += len(part)
	}
	return -1
}

// plain reports whether b has no control character, which no string may hold.
func plain(b []byte) bool {
	const below = 0x20 * ones
	i := 0
	for ; i+32 <= len(b); i += 32 {
		w0, w1 := binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[i+8:])
		w2, w3 := binary.LittleEndian.Uint64(b[i+16:]), binary.LittleEndian.Uint64(b[i+24:])
		if ((w0-below)&^w0|(w1-below)&^w1|(w2-below)&^w2|(w3-below)&^w3)&highs != 0 {
			return false
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 {
			return false
		}
	}
	return true
}

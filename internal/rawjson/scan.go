package rawjson

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// maxDepth is how deep arrays and objects may be nested, as in encoding/json.
// Readers that recurse can rely on it.
const maxDepth = 10_000

// SyntaxError says where data stops being JSON.
type SyntaxError struct {
	Offset int // of the byte that cannot stand there; the length of the data at its end
	msg    string
}

func (e *SyntaxError) Error() string { return e.msg }

// scanner checks JSON in one pass and, if asked, copies it without white space
// on the way. Its methods take the place where they begin and return the place
// behind what they read. A negative place is the complement of that where the
// JSON is wrong: the loops carry one number and no error.
type scanner struct {
	data []byte
	base int  // of data's first byte, for errors
	deep bool // what is wrong is the depth

	// The brackets that are open: how many, the innermost of them as bits, and
	// 64 more in each word of outer. So common JSON needs no memory for them.
	depth int
	inner uint64 // bit 0 is the innermost; 1 is an object
	outer []uint64

	compact bool
	dst     []byte // data[:copied] without white space
	copied  int
}

// at is the byte at i. 0 stands for the end, as it may stand nowhere in JSON.
func (s *scanner) at(i int) byte {
	if uint(i) < uint(len(s.data)) {
		return s.data[i]
	}
	return 0
}

// whole checks that data is one value.
func (s *scanner) whole() error {
	i := s.value(0)
	if i >= 0 {
		i = s.end(i)
	}
	return s.err(i)
}

// end checks that there is only white space from i on.
func (s *scanner) end(i int) int {
	i = s.skip(i)
	if i < len(s.data) {
		return ^i
	}
	s.flush(i)
	return i
}

// value reads the value at i and white space before it. It keeps its own list
// of open brackets instead of calling itself, so that no input can exhaust the
// stack.
func (s *scanner) value(i int) int {
	base := s.depth
	for {
		i = s.skip(i)
		switch c := s.at(i); c {
		case '"':
			i = stringEnd(s.data, i+1)
		case '{', '[':
			if i = s.enter(i, c); s.at(i) == c+2 {
				break // empty: it is closed below
			}
			if c == '{' && i >= 0 {
				_, i = s.name(i)
			}
			if i < 0 {
				return i
			}
			continue
		default:
			i = scalarEnd(s.data, i)
		}
		if i < 0 {
			return i
		}
		if i = s.leave(i, base); i < 0 || s.depth == base {
			return i
		}
	}
}

// enter opens the bracket c at i.
func (s *scanner) enter(i int, c byte) int {
	if s.depth == maxDepth {
		s.deep = true
		return ^i
	}
	if s.depth%64 == 0 && s.depth > 0 {
		s.outer = append(s.outer, s.inner)
	}
	s.inner = s.inner<<1 | uint64(c>>5&1) // '{' is '[' and 1<<5
	s.depth++
	return s.skip(i + 1)
}

// close forgets the innermost open bracket.
func (s *scanner) close() {
	s.inner >>= 1
	if s.depth--; s.depth%64 == 0 && s.depth > 0 {
		last := len(s.outer) - 1
		s.inner, s.outer = s.outer[last], s.outer[:last]
	}
}

// leave reads on behind a value inside brackets: it closes what ends there,
// until only base brackets are open or another value follows.
func (s *scanner) leave(i, base int) int {
	for s.depth > base {
		i = s.skip(i)
		bracket := '[' | byte(s.inner&1)<<5
		switch s.at(i) {
		case ',':
			if bracket == '{' {
				_, i = s.name(s.skip(i + 1))
				return i
			}
			return i + 1
		case bracket + 2: // in ASCII, '}' and ']' come 2 behind '{' and '['
			s.close()
			i++
		default:
			return ^i
		}
	}
	return i
}

// name reads the member's name at i and its colon. end is the place behind the
// name.
func (s *scanner) name(i int) (end, next int) {
	if s.at(i) != '"' {
		return 0, ^i
	}
	if end = stringEnd(s.data, i+1); end < 0 {
		return 0, end
	}
	if i = s.skip(end); s.at(i) != ':' {
		return 0, ^i
	}
	return end, i + 1
}

// skip passes over white space.
func (s *scanner) skip(i int) int {
	if uint(i) < uint(len(s.data)) && s.data[i] > ' ' {
		return i
	}
	return s.space(i)
}

// space is skip where there may be some. Indentation is mostly a line end and
// some blanks, so blanks are counted eight at a time.
func (s *scanner) space(i int) int {
	data, from := s.data, i
	for i < len(data) && isSpace(data[i]) {
		for i++; i+8 <= len(data); i += 8 {
			if other := binary.LittleEndian.Uint64(data[i:]) ^ each*' '; other != 0 {
				i += bits.TrailingZeros64(other) / 8
				break
			}
		}
	}
	if s.compact && i > from {
		s.flush(from)
		s.copied = i
	}
	return i
}

// flush copies what was read before i.
func (s *scanner) flush(i int) {
	if s.compact && i > s.copied {
		s.dst = append(s.dst, s.data[s.copied:i]...)
		s.copied = i
	}
}

// trimSpace is b without white space around it.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// err is the error for a negative place.
func (s *scanner) err(i int) error {
	if i >= 0 {
		return nil
	}
	e := &SyntaxError{Offset: ^i + s.base}
	switch {
	case s.deep:
		e.msg = fmt.Sprintf("JSON nested deeper than %d at offset %d", maxDepth, e.Offset)
	case ^i >= len(s.data):
		e.msg = "unexpected end of JSON"
	default:
		e.msg = fmt.Sprintf("invalid JSON at offset %d: unexpected %q", e.Offset, s.data[^i])
	}
	return e
}

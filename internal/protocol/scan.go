package protocol

import (
	"bytes"

	"github.com/parleyd/parley/internal/rawjson"
)

// The scanner walks JSON that is known to be valid, which every frame is
// before it comes here: finding where a value ends then needs no second check
// of its grammar. Given anything else it finds wrong places, but ends.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString is the place after the string that begins at i. Most strings, and
// the long ones above all, are spelled without escapes.
func skipString(b []byte, i int) int {
	i++
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 {
		return len(b)
	}
	escape := bytes.IndexByte(b[i:i+n], '\\')
	if escape < 0 {
		return i + n + 1
	}
	for i += escape; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}

// skipValue is the place after the value that begins at i. It counts brackets
// instead of recursing, so depth costs nothing.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ' ', '\n', '\t', '\r', ',', ':':
			i++
			continue // between values; only inside brackets
		default:
			i = skipScalar(b, i)
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

// skipScalar is the place after the number or literal that begins at i.
func skipScalar(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r', ':', '"', '{', '[':
			return i
		}
	}
	return len(b)
}

// eachMember calls yield with the raw name, quotes included, and the raw value
// of every member of the object b, in order, repeated names included.
func eachMember(b []byte, yield func(name, value []byte)) {
	i := skipSpace(b, 0) + 1 // the brace
	for {
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		if i >= len(b) || b[i] != '"' {
			return
		}
		end := skipString(b, i)
		name := b[i:end]
		i = skipSpace(b, end)
		i = skipSpace(b, i+1) // the colon
		if i >= len(b) {
			return
		}
		end = skipValue(b, i)
		yield(name, b[i:end:end])
		i = end
	}
}

// eachElement calls yield with every raw element of the array b.
func eachElement(b []byte, yield func(value []byte)) {
	i := skipSpace(b, 0) + 1 // the bracket
	for {
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		if i >= len(b) || b[i] == ']' {
			return
		}
		end := skipValue(b, i)
		if end <= i {
			return
		}
		yield(b[i:end:end])
		i = end
	}
}

// plain is the inside of a raw string that is spelled without escapes; ok is
// false for one that has them.
func plain(raw []byte) (inside []byte, ok bool) {
	if len(raw) < 2 || bytes.IndexByte(raw, '\\') >= 0 {
		return nil, false
	}
	return raw[1 : len(raw)-1], true
}

// text is the string that raw spells.
func text(raw []byte) string {
	if inside, ok := plain(raw); ok {
		return string(inside)
	}
	s, _ := rawjson.Text(raw)
	return s
}

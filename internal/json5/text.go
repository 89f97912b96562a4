package json5

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// space reads white space and comments.
func (p *parser) space() error {
	for {
		r, n := p.peek()
		switch {
		case blank(r):
			p.at += n
		case r == '/':
			if err := p.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func blank(r rune) bool {
	switch r {
	case '\t', '\v', '\f', ' ', '\n', '\r', 0x2028, 0x2029, 0xFEFF:
		return true
	}
	return unicode.Is(unicode.Zs, r)
}

func lineEnd(r rune) bool { return r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029 }

func (p *parser) comment() error {
	p.at++ // the first slash
	switch {
	case p.take('*'):
		n := strings.Index(p.text[p.at:], "*/")
		if n < 0 {
			p.at = len(p.text)
			return p.unexpected()
		}
		p.at += n + len("*/")
		return nil
	case p.take('/'):
		for {
			r, n := p.peek()
			if r == end || lineEnd(r) {
				return nil
			}
			p.at += n
		}
	}
	return p.unexpected()
}

// name reads a member's name and gives it as a JSON string literal.
func (p *parser) name() ([]byte, error) {
	if r, _ := p.peek(); r == '"' || r == '\'' {
		return p.quoted()
	}
	w := newWriter()
	for first := true; ; first = false {
		start := p.at
		r, n := p.peek()
		if r == '\\' {
			p.at++
			if !p.take('u') {
				return nil, p.unexpected()
			}
			unit, err := p.hex(4)
			if err != nil {
				return nil, err
			}
			if r = rune(unit); !nameRune(r, first) {
				return nil, p.errorf(start, "invalid identifier character")
			}
		} else if nameRune(r, first) {
			p.at += n
		} else if first {
			return nil, p.unexpected()
		} else {
			return w.close(), nil
		}
		w.rune(r)
	}
}

// nameRune reports whether r may stand in a name without quotes: ECMAScript
// 5.1, IdentifierName.
func nameRune(r rune, first bool) bool {
	if r == '$' || r == '_' || unicode.In(r, unicode.L, unicode.Nl) {
		return true
	}
	return !first && (r == 0x200C || r == 0x200D || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc))
}

// quoted reads a string in either kind of quotes and gives it as a JSON
// string literal.
func (p *parser) quoted() ([]byte, error) {
	quote := rune(p.text[p.at])
	p.at++
	w := newWriter()
	for {
		r, n := p.peek()
		switch r {
		case quote:
			p.at++
			return w.close(), nil
		case end, '\n', '\r':
			return nil, p.unexpected()
		case '\\':
			p.at++
			if err := p.escape(w); err != nil {
				return nil, err
			}
		default:
			p.at += n
			w.rune(r)
		}
	}
}

// plain are the escapes of one letter.
const plain = "b\bf\fn\nr\rt\tv\v"

// escape reads what stands behind a backslash in a string.
func (p *parser) escape(w *writer) error {
	r, n := p.peek()
	switch {
	case r == end || r >= '1' && r <= '9':
		return p.unexpected()
	case r == '0':
		p.at++
		if next, _ := p.peek(); next >= '0' && next <= '9' {
			return p.unexpected()
		}
		w.rune(0)
		return nil
	case r == 'x' || r == 'u':
		p.at++
		digits := 2
		if r == 'u' {
			digits = 4
		}
		unit, err := p.hex(digits)
		if err == nil {
			w.unit(unit)
		}
		return err
	case lineEnd(r): // the string goes on in the next line
		p.at += n
		if r == '\r' {
			p.take('\n')
		}
		return nil
	}
	p.at += n
	if i := strings.IndexRune(plain, r); i >= 0 && i%2 == 0 {
		r = rune(plain[i+1])
	}
	w.rune(r)
	return nil
}

// hex reads exactly n hexadecimal digits.
func (p *parser) hex(n int) (uint16, error) {
	var unit uint16
	for range n {
		d, ok := p.hexDigit()
		if !ok {
			return 0, p.unexpected()
		}
		unit = unit<<4 | uint16(d)
	}
	return unit, nil
}

func (p *parser) hexDigit() (byte, bool) {
	if p.at >= len(p.text) {
		return 0, false
	}
	var d byte
	switch c := p.text[p.at]; {
	case c >= '0' && c <= '9':
		d = c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		d = c | 0x20 - 'a' + 10
	default:
		return 0, false
	}
	p.at++
	return d, true
}

// A writer makes a JSON string literal of characters and UTF-16 units. Halves
// of a surrogate pair that meet become one character; one that stays alone is
// kept as an escape, because UTF-8 has no place for it.
type writer struct {
	out  []byte
	high uint16 // a first half waiting for its second
}

func newWriter() *writer { return &writer{out: []byte{'"'}} }

func (w *writer) unit(u uint16) {
	if r := utf16.DecodeRune(rune(w.high), rune(u)); r != utf8.RuneError {
		w.high = 0
		w.rune(r)
		return
	}
	w.flush()
	switch {
	case u >= 0xD800 && u < 0xDC00:
		w.high = u
	case utf16.IsSurrogate(rune(u)):
		w.out = fmt.Appendf(w.out, `\u%04x`, u)
	default:
		w.rune(rune(u))
	}
}

func (w *writer) rune(r rune) {
	w.flush()
	switch {
	case r == '"' || r == '\\':
		w.out = append(w.out, '\\', byte(r))
	case r < ' ':
		w.out = fmt.Appendf(w.out, `\u%04x`, r)
	default:
		w.out = utf8.AppendRune(w.out, r)
	}
}

func (w *writer) flush() {
	if w.high != 0 {
		w.out = fmt.Appendf(w.out, `\u%04x`, w.high)
		w.high = 0
	}
}

func (w *writer) close() []byte {
	w.flush()
	return append(w.out, '"')
}

// Package json5 turns JSON5 text into JSON. It owns the syntax of Parley's
// configuration files and nothing else: no file, no meaning of a name.
//
// It follows the JSON5 specification 1.0.0: comments, trailing commas, names
// without quotes, single quotes, line continuations, hexadecimal numbers, a
// leading or trailing decimal point, signs, Infinity and NaN. What is no
// JSON5 is refused with the line and column of the character that cannot
// stand there.
//
// The result is one compact JSON text. Members keep the order of the file; a
// repeated name keeps its first place and takes its last value, as in
// JavaScript. Numbers keep their digits where JSON knows the spelling.
// Infinity becomes 1e999, which every reader takes for infinite, and NaN
// becomes null, because JSON has neither.
//
// All functions are pure and may be called at the same time.
package json5

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/rawjson"
)

// maxDepth bounds how deep arrays and objects may lie in each other: more is
// a mistake or an attack on the stack, never a configuration.
const maxDepth = 500

// Error is a place in a text that is no JSON5.
type Error struct {
	// Line and Column count from 1; a column is one character.
	Line, Column int
	// Problem says what is wrong there.
	Problem string
}

// Error gives the problem and its place as "line:column".
func (e *Error) Error() string {
	return fmt.Sprintf("%s at %d:%d", e.Problem, e.Line, e.Column)
}

// Parse turns JSON5 text into compact JSON. Its errors are of type *Error.
// Bytes that are no UTF-8 count as U+FFFD.
func Parse(text string) (rawjson.Value, error) {
	p := parser{text: text, out: make([]byte, 0, len(text))}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.out, nil
}

// A parser reads text from left to right and appends JSON to out.
type parser struct {
	text  string
	at    int // byte offset of the next character
	depth int
	out   []byte
}

// end is what peek gives behind the last character.
const end rune = -1

func (p *parser) peek() (rune, int) {
	if p.at >= len(p.text) {
		return end, 0
	}
	return utf8.DecodeRuneInString(p.text[p.at:])
}

// take moves behind the next character if it is c.
func (p *parser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// unexpected is the error that the next character cannot stand here.
func (p *parser) unexpected() error {
	r, _ := p.peek()
	if r == end {
		return p.errorf(p.at, "invalid end of input")
	}
	return p.errorf(p.at, "invalid character %s", strconv.QuoteRune(r))
}

func (p *parser) errorf(offset int, format string, args ...any) error {
	before := p.text[:offset]
	// CR LF is one line end, each of them alone is one too.
	before = strings.ReplaceAll(before, "\r\n", "\n")
	before = strings.ReplaceAll(before, "\r", "\n")
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Problem: fmt.Sprintf(format, args...),
	}
}

func (p *parser) document() error {
	if err := p.value(); err != nil {
		return err
	}
	if err := p.space(); err != nil {
		return err
	}
	if r, _ := p.peek(); r != end {
		return p.unexpected()
	}
	return nil
}

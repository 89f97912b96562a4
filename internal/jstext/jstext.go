// Package jstext has the text rules of JavaScript that the protocol's limits
// and previews are defined by: lengths in UTF-16 units, JavaScript's idea of
// white space, and its time format. All functions are pure.
package jstext

import (
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Len is the length of s in UTF-16 code units, as JavaScript counts.
func Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Cut is the longest prefix of s that has at most n UTF-16 units. It never
// splits a character: where JavaScript would keep half of a surrogate pair,
// the half is dropped.
func Cut(s string, n int) string {
	for i, r := range s {
		n--
		if r > 0xFFFF {
			n--
		}
		if n < 0 {
			return s[:i]
		}
	}
	return s
}

// IsSpace reports whether r is white space to JavaScript's trim and \s, which
// unlike Go's unicode.IsSpace has U+FEFF and lacks U+0085.
func IsSpace(r rune) bool {
	switch r {
	case '\t', '\n', '\v', '\f', '\r', ' ', 0xA0, 0xFEFF, 0x2028, 0x2029:
		return true
	}
	return r > 0x7F && unicode.Is(unicode.Zs, r)
}

// Trim removes JavaScript white space at both ends.
func Trim(s string) string { return strings.TrimFunc(s, IsSpace) }

// TrimEnd removes JavaScript white space at the end.
func TrimEnd(s string) string { return strings.TrimRightFunc(s, IsSpace) }

// TrimStart removes JavaScript white space at the start.
func TrimStart(s string) string { return strings.TrimLeftFunc(s, IsSpace) }

// Blank reports whether s is empty or all white space.
func Blank(s string) bool { return Trim(s) == "" }

// CollapseSpace makes each run of white space one space and trims the ends.
func CollapseSpace(s string) string { return strings.Join(strings.FieldsFunc(s, IsSpace), " ") }

// CollapseStart is CollapseSpace of s up to the word that makes it longer than n
// UTF-16 units. What follows is not looked at.
func CollapseStart(s string, n int) string {
	var out strings.Builder
	for word := range strings.FieldsFuncSeq(s, IsSpace) {
		if out.Len() > 0 {
			out.WriteByte(' ')
			n--
		}
		out.WriteString(word)
		if n -= Len(word); n < 0 {
			break
		}
	}
	return out.String()
}

// Lower is s in lower case by the full Unicode rules, as toLowerCase has it.
func Lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Lower(language.Und).String(s)
		}
	}
	return strings.ToLower(s)
}

// ISO is t in UTC with exactly three decimals, as toISOString writes it.
func ISO(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// ValidUTF8 is b with U+FFFD for what is no UTF-8, as JavaScript decodes it: one
// for each byte that begins no character, and one for a character that breaks
// off.
func ValidUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		n := brokenLen(b)
		if r, size := utf8.DecodeRune(b); r != utf8.RuneError || size > 1 {
			n = size
			out = append(out, b[:n]...)
		} else {
			out = append(out, "\uFFFD"...)
		}
		b = b[n:]
	}
	return out
}

// brokenLen is how many bytes at the beginning of b, which is not empty, look
// like the beginning of a character.
func brokenLen(b []byte) int {
	least, most := byte(0x80), byte(0xBF) // of the second byte
	want := 1
	switch first := b[0]; {
	case first >= 0xE0 && first <= 0xEF:
		want = 2
		if first == 0xE0 {
			least = 0xA0
		} else if first == 0xED {
			most = 0x9F
		}
	case first >= 0xF0 && first <= 0xF4:
		want = 3
		if first == 0xF0 {
			least = 0x90
		} else if first == 0xF4 {
			most = 0x8F
		}
	}
	n := 1
	for n < want && n < len(b) && b[n] >= least && b[n] <= most {
		least, most = 0x80, 0xBF
		n++
	}
	return n
}

// ParseInt reads the whole number that text begins with, as JavaScript's
// parseInt does with radix 10: what follows it does not matter. Numbers that are
// too large become the largest. It reports false when there is none.
func ParseInt(text string) (n int, ok bool) {
	text = TrimStart(text)
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	for ; text != "" && text[0] >= '0' && text[0] <= '9'; text = text[1:] {
		ok = true
		if n > (math.MaxInt-9)/10 {
			n = math.MaxInt
			continue
		}
		n = 10*n + int(text[0]-'0')
	}
	if negative {
		n = -n
	}
	return n, ok
}

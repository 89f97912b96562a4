// Package jstext has the text rules of JavaScript that the protocol's limits
// and previews are defined by: lengths in UTF-16 units, JavaScript's idea of
// white space, and its time format. All functions are pure.
package jstext

import (
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

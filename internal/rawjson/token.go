package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// each times a byte is a word of eight such bytes.
const each = 0x0101010101010101

// breaks marks, with the top bit of its byte, the first byte of w that ends a
// run of text inside a JSON string: a quote, a backslash or a control character.
// Marks above the first may be wrong.
//
// Subtracting sets the top bit of a byte that was too small; bytes that had it
// before, which are those of other letters than ASCII, are taken out.
func breaks(w uint64) uint64 {
	return ((w ^ each*'"' - each) | (w ^ each*'\\' - each) | (w - each*' ')) &^ w & (each * 0x80)
}

// plain reports whether text is ASCII without a backslash, as nearly all names
// are. For long texts utf8.Valid and bytes.IndexByte are faster.
func plain(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] {
		w := binary.LittleEndian.Uint64(text)
		if ((w^each*'\\'-each)|w)&(each*0x80) != 0 {
			return false
		}
	}
	for _, c := range text {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// runEnd is the place of the first quote, backslash or control character at or
// behind i, or the end.
func runEnd(data []byte, i int) int {
	for ; i+16 <= len(data); i += 16 {
		b := data[i : i+16]
		if m := breaks(binary.LittleEndian.Uint64(b)); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		if m := breaks(binary.LittleEndian.Uint64(b[8:])); m != 0 {
			return i + 8 + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}

// stringEnd checks the string whose first letter is at i and returns the place
// behind its closing quote.
func stringEnd(data []byte, i int) int {
	for {
		i = runEnd(data, i)
		switch {
		case i == len(data):
			return ^i
		case data[i] == '"':
			return i + 1
		case data[i] != '\\':
			return ^i
		}
		if i = escapeEnd(data, i+1); i < 0 {
			return i
		}
	}
}

// escapeEnd checks what follows a backslash.
func escapeEnd(data []byte, i int) int {
	if i == len(data) {
		return ^i
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for range 4 {
			if i++; i == len(data) || unhex(data[i]) < 0 {
				return ^i
			}
		}
		return i + 1
	}
	return ^i
}

// unhex is the value of a hexadecimal digit, or -1.
func unhex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// scalarEnd checks the number, true, false or null at i.
func scalarEnd(data []byte, i int) int {
	if i == len(data) {
		return ^i
	}
	switch data[i] {
	case 't':
		return wordEnd(data, i, "true")
	case 'f':
		return wordEnd(data, i, "false")
	case 'n':
		return wordEnd(data, i, "null")
	}
	return numberEnd(data, i)
}

func wordEnd(data []byte, i int, word string) int {
	for j := range len(word) {
		if i+j == len(data) || data[i+j] != word[j] {
			return ^(i + j)
		}
	}
	return i + len(word)
}

func numberEnd(data []byte, i int) int {
	if data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if i = digitsEnd(data, i); i < 0 {
		return i
	}
	if i < len(data) && data[i] == '.' {
		if i = digitsEnd(data, i+1); i < 0 {
			return i
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		return digitsEnd(data, i)
	}
	return i
}

// digitsEnd checks the digits at i, of which there must be one.
func digitsEnd(data []byte, i int) int {
	from := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return ^i
	}
	return i
}

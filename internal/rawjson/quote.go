package rawjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendString appends s as a JSON string with no escapes beyond those that
// JSON demands.
func AppendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		// AppendQuote reports invalid UTF-8 after having replaced it by U+FFFD.
		return out
	}
	return out
}

// unquote decodes a valid string with its quotes. It shares the memory of what
// needs no decoding.
func unquote(quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	if len(text) <= 64 && plain(text) {
		return text[:len(text):len(text)]
	}
	valid := utf8.Valid(text)
	if valid && bytes.IndexByte(text, '\\') < 0 {
		return text[:len(text):len(text)]
	}
	if !valid {
		text = []byte(string([]rune(string(text)))) // a U+FFFD for each wrong byte
	}
	return appendUnescaped(make([]byte, 0, len(text)), text)
}

// appendUnescaped appends what text, the inside of a valid string, stands for.
// Half a surrogate pair becomes U+FFFD.
func appendUnescaped(dst, text []byte) []byte {
	for {
		i := runEnd(text, 0)
		dst = append(dst, text[:i]...)
		if i == len(text) {
			return dst
		}
		var r rune
		if r, text = escaped(text[i+1:]); r < utf8.RuneSelf {
			dst = append(dst, byte(r))
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
}

// escaped is the letter that the text behind a backslash stands for, and the
// text behind it.
func escaped(text []byte) (rune, []byte) {
	c, rest := text[0], text[1:]
	switch c {
	case 'b':
		return '\b', rest
	case 'f':
		return '\f', rest
	case 'n':
		return '\n', rest
	case 'r':
		return '\r', rest
	case 't':
		return '\t', rest
	case 'u':
		r, rest := unit(rest), rest[4:]
		if !utf16.IsSurrogate(r) {
			return r, rest
		}
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			if pair := utf16.DecodeRune(r, unit(rest[2:])); pair != utf8.RuneError {
				return pair, rest[6:]
			}
		}
		return utf8.RuneError, rest
	}
	return rune(c), rest
}

// unit is the UTF-16 unit that four hexadecimal digits say.
func unit(digits []byte) rune {
	return unhex(digits[0])<<12 | unhex(digits[1])<<8 | unhex(digits[2])<<4 | unhex(digits[3])
}

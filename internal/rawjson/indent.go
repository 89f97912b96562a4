package rawjson

import (
	"slices"
	"strings"
)

// margin is a line end and enough indentation for common depths.
const margin = "\n                                                                "

// AppendIndent appends v, which must be compact and valid as the values of this
// package are, as JSON.stringify lays it out with an indentation of two: {} and
// [] stay on their line, and lines behind the first begin with depth*2 blanks.
// The result of deep nesting is large: its size grows with the square of the
// depth.
func AppendIndent(dst []byte, v Value, depth int) []byte {
	dst = slices.Grow(dst, len(v)+len(v)/3)
	from := 0 // v[:from] is appended
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			// Bad JSON is copied on, so that it is no worse than it was.
			if i = stringEnd(v, i+1) - 1; i < 0 {
				return append(dst, v[from:]...)
			}
		case ':':
			dst = append(append(dst, v[from:i+1]...), ' ')
			from = i + 1
		case ',':
			dst = appendLine(append(dst, v[from:i+1]...), depth)
			from = i + 1
		case '{', '[':
			if i+1 < len(v) && v[i+1] == v[i]+2 {
				i++
				continue
			}
			depth++
			dst = appendLine(append(dst, v[from:i+1]...), depth)
			from = i + 1
		case '}', ']':
			depth--
			dst = appendLine(append(dst, v[from:i]...), depth)
			from = i
		}
	}
	return append(dst, v[from:]...)
}

// appendLine begins a line at a depth.
func appendLine(dst []byte, depth int) []byte {
	if n := 1 + 2*depth; n <= len(margin) {
		return append(dst, margin[:max(n, 1)]...)
	}
	return append(append(dst, '\n'), strings.Repeat("  ", depth)...)
}

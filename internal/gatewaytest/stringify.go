package gatewaytest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// stringify is JSON.stringify(v), with ok false for undefined.
func stringify(v any) (text string, ok bool) {
	if v == any(undefined) {
		return "", false
	}
	return string(appendJSON(nil, v, "", "")), true
}

// compact is stringify for what is known to be a value.
func compact(v any) string {
	text, _ := stringify(v)
	return text
}

// indented is JSON.stringify(v, null, 2).
func indented(v any) string { return string(appendJSON(nil, v, "  ", "\n")) }

// appendJSON writes v; step is the indentation of one level, newline the line
// break with the indentation so far (both empty: compact).
func appendJSON(dst []byte, v any, step, newline string) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...)
		}
		return append(dst, numberText(v)...)
	case string:
		return appendQuoted(dst, v)
	case []any:
		return appendArray(dst, v, step, newline)
	case *object:
		return appendObject(dst, v, step, newline)
	}
	return append(dst, "null"...) // null, and undefined inside an array
}

func appendArray(dst []byte, v []any, step, newline string) []byte {
	if len(v) == 0 {
		return append(dst, "[]"...)
	}
	inner := deeper(step, newline)
	for i, e := range v {
		dst = append(dst, "[,"[min(i, 1)])
		dst = append(dst, inner...)
		dst = appendJSON(dst, e, step, inner)
	}
	return append(append(dst, newline...), ']')
}

func appendObject(dst []byte, o *object, step, newline string) []byte {
	inner, n := deeper(step, newline), 0
	for _, k := range o.keys {
		v := o.vals[k]
		if v == any(undefined) {
			continue
		}
		dst = append(dst, "{,"[min(n, 1)])
		dst = append(dst, inner...)
		dst = append(appendQuoted(dst, k), ':')
		if step != "" {
			dst = append(dst, ' ')
		}
		dst = appendJSON(dst, v, step, inner)
		n++
	}
	if n == 0 {
		return append(dst, "{}"...)
	}
	return append(append(dst, newline...), '}')
}

func deeper(step, newline string) string {
	if step == "" {
		return ""
	}
	return newline + step
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		if r, ok := surrogateAt(s[i:]); ok {
			dst = fmt.Appendf(dst, `\u%04x`, r)
			i += 3
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20 && strings.ContainsRune("\b\f\n\r\t", r):
			dst = append(dst, '\\', "btn\x00fr"[r-'\b'])
		case r < 0x20:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// numberText is String(f).
func numberText(f float64) string {
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.Replace(strconv.FormatFloat(f, 'f', -1, 64), "Inf", "Infinity", 1)
	case f == 0:
		return "0"
	case abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	return strings.NewReplacer("e-0", "e-", "e+0", "e+").Replace(text)
}

// text is String(v), as string concatenation and Array.join use it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case undefinedType:
		return "undefined"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return numberText(v)
	case string:
		return v
	case []any:
		return join(v, ",")
	}
	return "[object Object]"
}

// join is Array.join: null and undefined are empty.
func join(vs []any, sep string) string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		if !nullish(v) {
			parts[i] = text(v)
		}
	}
	return strings.Join(parts, sep)
}

// clone is JSON.parse(JSON.stringify(v)): a deep copy in which undefined
// members are gone, undefined elements are null and -0 is 0.
func clone(v any) any {
	switch v := v.(type) {
	case undefinedType:
		return nil
	case float64:
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return nil
		case v == 0:
			return 0.0 // also for -0
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case *object:
		out := newObject()
		for _, k := range v.keys {
			if e := v.vals[k]; e != any(undefined) {
				out.set(k, clone(e))
			}
		}
		return out
	}
	return v
}

func splitPath(path string) []string { return strings.Split(path, ".") }

// merge lays b over a: objects member by member, all else replaced.
func merge(a, b any) any {
	over, ok := b.(*object)
	if !ok {
		if b == any(undefined) {
			return a
		}
		return b
	}
	out := newObject()
	if base, ok := a.(*object); ok {
		for _, k := range base.keys {
			out.set(k, base.vals[k])
		}
	}
	for _, k := range over.keys {
		out.set(k, merge(out.get(k), over.vals[k]))
	}
	return out
}

// drop deletes what is at a path in which * stands for every name.
func drop(v any, path string) { dropPath(v, splitPath(path)) }

func dropPath(v any, path []string) {
	var names []string
	switch v := v.(type) {
	case *object:
		names = append(names, v.keys...)
	case []any:
		for i := range v {
			names = append(names, strconv.Itoa(i))
		}
	}
	if path[0] != "*" {
		names = []string{path[0]}
	}
	for _, name := range names {
		if len(path) > 1 {
			dropPath(member(v, name), path[1:])
			continue
		}
		switch v := v.(type) {
		case *object:
			v.delete(name)
		case []any:
			// delete leaves a hole, which JavaScript skips when it lists names
			// and which both sides of a comparison have alike.
			if n, ok := arrayIndex(name); ok && n < uint64(len(v)) {
				v[n] = undefined
			}
		}
	}
}

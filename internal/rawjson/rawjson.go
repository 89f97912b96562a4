// Package rawjson reads and writes JSON without changing what it does not
// understand: an Object keeps the order of its members and the exact spelling
// of their values (numbers, escapes, unknown fields).
//
// It is the one place that decides how Parley marshals: no HTML escaping,
// U+2028 and U+2029 as they are, lone surrogates and duplicate names accepted
// on reading (the last duplicate wins, as in JavaScript). Names match exactly,
// unlike encoding/json, which ignores their case.
//
// Values of this package are not safe for concurrent mutation; an Object that
// nobody changes may be read by many goroutines.
package rawjson

import (
	stdjson "encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Value is one JSON text, as written.
type Value = stdjson.RawMessage

var writing = json.JoinOptions(
	json.Deterministic(true),
	json.FormatNilSliceAsNull(false),
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
	jsontext.PreserveRawStrings(true),
)

var reading = json.JoinOptions(
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
)

// Appender is a value that appends its own JSON: compact, valid, and not looked
// at again.
type Appender interface {
	AppendJSON(dst []byte) []byte
}

// Marshal encodes v compactly. Struct tags follow encoding/json's names, with
// the semantics of json/v2: a nil slice is [], omitzero drops zero values and
// omitempty drops values that would read "", [], {} or null.
//
// An Appender's own JSON is taken as it is. A Value is checked and compacted.
func Marshal(v any) (Value, error) {
	switch v := v.(type) {
	case Appender:
		return v.AppendJSON(nil), nil
	case Value:
		if len(v) > 0 { // else it is null
			return Compact(v)
		}
	}
	return json.Marshal(v, writing)
}

// MustMarshal is Marshal for values that cannot fail: strings, numbers,
// booleans and structs made of them. It panics on an error.
func MustMarshal(v any) Value {
	b, err := Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("rawjson: marshal %T: %v", v, err))
	}
	return b
}

// Unmarshal decodes data into v. Names match exactly, unknown names are
// ignored, the last of several equal names wins.
func Unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v, reading)
}

// Kind is the kind of a JSON value: one of '{', '[', '"', 't', 'f', 'n', '0'
// (any number), or 0 when v is empty. It looks at the first byte only,
// behind white space.
func Kind(v Value) byte {
	for _, c := range v {
		switch {
		case isSpace(c):
		case c == '-' || '0' <= c && c <= '9':
			return '0'
		default:
			return c
		}
	}
	return 0
}

// Null reports whether v is absent or null.
func Null(v Value) bool { k := Kind(v); return k == 0 || k == 'n' }

// Text is the string that v holds, if it is a string. Half a surrogate pair and
// invalid UTF-8 become U+FFFD.
func Text(v Value) (string, bool) {
	v = trimSpace(v)
	if len(v) == 0 || v[0] != '"' || stringEnd(v, 1) != len(v) {
		return "", false
	}
	return string(unquote(v)), true
}

// Number is the finite number that v holds, if it is one.
func Number(v Value) (float64, bool) {
	if Kind(v) != '0' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(trimSpace(v)), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// Bool is the boolean that v holds, if it is one.
func Bool(v Value) (value, ok bool) {
	switch Kind(v) {
	case 't':
		return true, true
	case 'f':
		return false, true
	}
	return false, false
}

// Truthy reports whether JavaScript would take v for true: anything but
// absent, null, false, 0 and "".
func Truthy(v Value) bool {
	switch Kind(v) {
	case 0, 'n', 'f':
		return false
	case '"':
		s, _ := Text(v)
		return s != ""
	case '0':
		f, ok := Number(v)
		return !ok || f != 0
	}
	return true
}

// List is the array of some values. Each is checked and compacted.
func List(values []Value) (Value, error) {
	n := len("[]")
	for _, v := range values {
		n += len(v) + len(",")
	}
	out := append(make([]byte, 0, n), '[')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = AppendCompact(out, v); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

// Array splits a JSON array into its elements, if v is an array. They are as
// written and share v's memory.
func Array(v Value) ([]Value, bool) {
	s := scanner{data: v}
	i := s.skip(0)
	if s.at(i) != '[' {
		return nil, false
	}
	out := []Value{}
	if i = s.enter(i, '['); s.at(i) == ']' {
		return out, s.end(i+1) >= 0
	}
	for {
		value, next := s.element(i)
		if next < 0 {
			return nil, false
		}
		out = append(out, value)
		switch i = s.skip(next); s.at(i) {
		case ',':
			i++
		case ']':
			if s.end(i+1) < 0 {
				return nil, false
			}
			return out, true
		default:
			return nil, false
		}
	}
}

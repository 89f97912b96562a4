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
	"bytes"
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

// Marshal encodes v compactly. Struct tags follow encoding/json's names, with
// the semantics of json/v2: a nil slice is [], omitzero drops zero values and
// omitempty drops values that would read "", [], {} or null.
func Marshal(v any) (Value, error) {
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

// Valid reports whether data is exactly one JSON value.
func Valid(data []byte) bool { return stdjson.Valid(data) }

// Kind is the kind of a JSON value: one of '{', '[', '"', 't', 'f', 'n', '0'
// (any number), or 0 when v is empty. It looks at the first byte only.
func Kind(v Value) byte {
	v = bytes.TrimLeft(v, " \t\r\n")
	if len(v) == 0 {
		return 0
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return c
	}
	return '0'
}

// Null reports whether v is absent or null.
func Null(v Value) bool { k := Kind(v); return k == 0 || k == 'n' }

// Text is the string that v holds, if it is a string.
func Text(v Value) (string, bool) {
	if Kind(v) != '"' {
		return "", false
	}
	var s string
	if err := Unmarshal(v, &s); err != nil {
		return "", false
	}
	return s, true
}

// Number is the finite number that v holds, if it is one.
func Number(v Value) (float64, bool) {
	if Kind(v) != '0' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(v)), 64)
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

// Array splits a JSON array into its elements, if v is an array.
func Array(v Value) ([]Value, bool) {
	if Kind(v) != '[' {
		return nil, false
	}
	out := []Value{}
	if err := Unmarshal(v, &out); err != nil {
		return nil, false
	}
	return out, true
}

// Compact is v without insignificant white space; strings and numbers keep
// their spelling.
func Compact(v Value) (Value, error) {
	var b bytes.Buffer
	b.Grow(len(v))
	if err := stdjson.Compact(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

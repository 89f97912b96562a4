package gatewaytest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A JavaScript value is an any that holds nil (null), undefined, bool,
// float64, string, []any or *object. Strings are WTF-8: a lone surrogate
// stands as its three bytes, so that it is kept and compares unequal to
// U+FFFD.

type undefinedType struct{}

// undefined is the value of a member that is not there.
var undefined = undefinedType{}

// object is a JavaScript object: members in order, integer names first.
type object struct {
	keys []string
	vals map[string]any
}

func newObject() *object { return &object{vals: map[string]any{}} }

func (o *object) has(name string) bool { _, ok := o.vals[name]; return ok }

func (o *object) get(name string) any {
	if v, ok := o.vals[name]; ok {
		return v
	}
	return undefined
}

// set adds a member at the place that JavaScript enumerates it, or replaces
// its value.
func (o *object) set(name string, v any) {
	if !o.has(name) {
		at := len(o.keys)
		if n, ok := arrayIndex(name); ok {
			at = slices.IndexFunc(o.keys, func(k string) bool { m, ok := arrayIndex(k); return !ok || m > n })
			if at < 0 {
				at = len(o.keys)
			}
		}
		o.keys = slices.Insert(o.keys, at, name)
	}
	o.vals[name] = v
}

func (o *object) delete(name string) {
	if o.has(name) {
		delete(o.vals, name)
		o.keys = slices.Delete(o.keys, slices.Index(o.keys, name), slices.Index(o.keys, name)+1)
	}
}

// arrayIndex is the number that an integer name stands for.
func arrayIndex(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	return n, err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == name
}

// parseJSON is JSON.parse.
func parseJSON(text []byte) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := parseValue(dec)
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if rest := bytes.TrimLeft(text[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, fmt.Errorf("not JSON: %.20q after the value", rest)
	}
	return v, nil
}

func parseValue(dec *jsontext.Decoder) (any, error) {
	switch dec.PeekKind() {
	case '{':
		return parseMembers(dec)
	case '[':
		return parseElements(dec)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	switch raw.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return raw.Kind() == 't', nil
	case '"':
		return unquote(raw), nil
	}
	f, _ := strconv.ParseFloat(string(raw), 64) // out of range: ±Inf or 0, as JavaScript has it
	return f, nil
}

func parseMembers(dec *jsontext.Decoder) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	o := newObject()
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		key := unquote(name)
		v, err := parseValue(dec)
		if err != nil {
			return nil, err
		}
		o.set(key, v)
	}
	_, err := dec.ReadToken()
	return o, err
}

func parseElements(dec *jsontext.Decoder) (any, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	out := []any{}
	for dec.PeekKind() != ']' {
		v, err := parseValue(dec)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := dec.ReadToken()
	return out, err
}

// unquote decodes a valid JSON string to WTF-8. Surrogate halves that meet
// become one character.
func unquote(raw []byte) string {
	raw = raw[1 : len(raw)-1]
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			r, size := utf8.DecodeRune(raw[i:])
			out = utf8.AppendRune(out, r)
			i += size - 1
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescape(raw[i]))
			continue
		}
		unit := hexUnit(raw[i+1:])
		i += 4
		if high(unit) && i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
			if low := hexUnit(raw[i+3:]); low >= 0xDC00 && low <= 0xDFFF {
				out = utf8.AppendRune(out, (unit-0xD800)<<10+(low-0xDC00)+0x10000)
				i += 6
				continue
			}
		}
		out = appendUnit(out, unit)
	}
	return string(out)
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func hexUnit(b []byte) rune {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 32)
	return rune(n)
}

func high(r rune) bool { return r >= 0xD800 && r <= 0xDBFF }

// appendUnit appends a UTF-16 unit, a surrogate as its three bytes.
func appendUnit(dst []byte, r rune) []byte {
	if r < 0xD800 || r > 0xDFFF {
		return utf8.AppendRune(dst, r)
	}
	return append(dst, 0xED, 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
}

// surrogateAt is the lone surrogate at the start of WTF-8 text.
func surrogateAt(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2]&0xC0 != 0x80 {
		return 0, false
	}
	return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
}

// at is the value on a path of names with dots between, or undefined.
func at(v any, path string) any {
	for _, name := range splitPath(path) {
		v = member(v, name)
	}
	return v
}

// member is v[name] where null and undefined have no members.
func member(v any, name string) any {
	switch v := v.(type) {
	case *object:
		return v.get(name)
	case []any:
		if name == "length" {
			return float64(len(v))
		}
		if n, ok := arrayIndex(name); ok && n < uint64(len(v)) {
			return v[n]
		}
	}
	return undefined
}

func truthy(v any) bool {
	switch v := v.(type) {
	case nil, undefinedType:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && v == v
	case string:
		return v != ""
	}
	return true
}

// nullish reports whether v is null or undefined.
func nullish(v any) bool { return v == nil || v == any(undefined) }

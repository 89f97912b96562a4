package protocol

import (
	"math"
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// decode makes the value that the library judges: of raw as much as s looks
// at, so that a large attachment is not copied to be ignored. What s accepts
// unseen becomes nil, and the content of a string or object that it only wants
// to be one is left out. Of repeated names the last wins.
//
// Numbers are JavaScript's: a double, as the clients mean them.
func decode(s *schema, raw rawjson.Value) any {
	if s.free() {
		return nil
	}
	switch rawjson.Kind(raw) {
	case '{':
		return decodeObject(s, raw)
	case '[':
		return decodeArray(s, raw)
	case '"':
		if s.scalarFree() {
			return ""
		}
	}
	return decodeScalar(raw)
}

func decodeObject(s *schema, raw rawjson.Value) map[string]any {
	if s.objectFree() {
		return map[string]any{}
	}
	out := make(map[string]any, len(s.properties))
	eachMember(raw, func(name, value []byte) {
		// A name without escapes is looked up before a string is made of it.
		if inside, ok := plain(name); ok {
			if p := s.byName[string(inside)]; p != nil {
				out[string(inside)] = decode(p, value)
				return
			}
		}
		key := text(name)
		out[key] = s.decodeOther(key, value)
	})
	return out
}

// decodeOther decodes the value of a property that is declared by a pattern,
// or spelled with escapes, or not at all.
func (s *schema) decodeOther(key string, value rawjson.Value) any {
	if p := s.byName[key]; p != nil {
		return decode(p, value)
	}
	for _, p := range s.patterns {
		if p.names.MatchString(key) {
			return decode(p.schema, value)
		}
	}
	return nil
}

func decodeArray(s *schema, raw rawjson.Value) []any {
	out := []any{}
	if s.arrayFree() {
		return out
	}
	items := s.items
	if items == nil {
		items = &schema{}
	}
	eachElement(raw, func(value []byte) { out = append(out, decode(items, value)) })
	return out
}

func decodeScalar(raw rawjson.Value) any {
	switch rawjson.Kind(raw) {
	case '"':
		return text(raw)
	case 't':
		return true
	case 'f':
		return false
	case '0':
		return number(raw)
	}
	return nil
}

// decodeWhole makes the value of raw with nothing left out. Each level scans
// what lies below it once more, so it is not for what clients send.
func decodeWhole(raw rawjson.Value) any {
	switch rawjson.Kind(raw) {
	case '{':
		out := map[string]any{}
		eachMember(raw, func(name, value []byte) { out[text(name)] = decodeWhole(value) })
		return out
	case '[':
		out := []any{}
		eachElement(raw, func(value []byte) { out = append(out, decodeWhole(value)) })
		return out
	}
	return decodeScalar(raw)
}

// Read reads an object that the schema of v has accepted into the struct that v
// points to. Of repeated names the last counts, as for the schema: an earlier
// one may be of a type that v has no place for.
func Read(raw rawjson.Value, v any) error {
	err := rawjson.Unmarshal(raw, v)
	if err == nil {
		return nil
	}
	o, notObject := rawjson.Parse(raw)
	if notObject != nil {
		return err
	}
	return rawjson.Unmarshal(o.JSON(), v)
}

// number is the JavaScript number that raw spells. One beyond the range of a
// double is an infinity there, which the rules take for an integer beyond every
// limit; the largest double is both too, and the library can compute with it.
func number(raw []byte) float64 {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err == nil || !math.IsInf(f, 0) {
		return f
	}
	return math.Copysign(math.MaxFloat64, f)
}

package protocol

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/rawjson"
)

// fits reports whether raw, which is JSON, is surely valid. It looks at the bytes
// as they are, and knows plain strings and names only: of anything else, and of
// what is wrong, it says no, and the library has to decide. Nearly all that
// clients send fits.
func (s *schema) fits(raw rawjson.Value) bool {
	kind := rawjson.Kind(raw)
	if !s.typeFits(kind, raw) || !s.choiceFits(raw) {
		return false
	}
	switch kind {
	case '0':
		return s.numberFits(raw)
	case '"':
		return s.textFits(raw)
	case '[':
		return s.arrayFits(raw)
	case '{':
		return s.objectFits(raw)
	}
	return true
}

// choiceFits looks at what is listed in the schema. Constants are spelled there
// as quoting spells them.
func (s *schema) choiceFits(raw rawjson.Value) bool {
	if s.constant != nil && !bytes.Equal(raw, s.constant) {
		return false
	}
	if s.enum != nil && !slices.ContainsFunc(s.enum, func(c rawjson.Value) bool { return bytes.Equal(raw, c) }) {
		return false
	}
	return s.anyOf == nil || slices.ContainsFunc(s.anyOf, func(branch *schema) bool { return branch.fits(raw) })
}

func (s *schema) numberFits(raw rawjson.Value) bool {
	if s.minimum == nil && s.maximum == nil {
		return true
	}
	f := number(raw)
	return (s.minimum == nil || f >= s.minimum.value) && (s.maximum == nil || f <= s.maximum.value)
}

func (s *schema) textFits(raw rawjson.Value) bool {
	if s.minLength == nil && s.maxLength == nil && s.pattern == nil {
		return true
	}
	inside, ok := plain(raw)
	if !ok {
		return false
	}
	n := float64(utf8.RuneCount(inside))
	return (s.minLength == nil || n >= s.minLength.value) && (s.maxLength == nil || n <= s.maxLength.value) &&
		(s.pattern == nil || s.pattern.Match(inside))
}

func (s *schema) arrayFits(raw rawjson.Value) bool {
	if s.arrayFree() {
		return true
	}
	n, ok := 0, true
	eachElement(raw, func(value []byte) {
		n++
		ok = ok && (s.items == nil || s.items.fits(value))
	})
	return ok && (s.minItems == nil || float64(n) >= s.minItems.value) && (s.maxItems == nil || float64(n) <= s.maxItems.value)
}

// objectFits looks at each member. Of a name that is repeated each value must fit.
func (s *schema) objectFits(raw rawjson.Value) bool {
	if s.objectFree() {
		return true
	}
	if len(s.patterns) > 0 || len(s.required) > 64 {
		return false
	}
	var there uint64 // of the required ones
	ok := true
	eachMember(raw, func(quoted, value []byte) {
		name, simple := plain(quoted)
		p := s.byName[string(name)]
		ok = ok && simple && (p != nil || !s.closed) && (p == nil || p.fits(value))
		for i, required := range s.required {
			if string(name) == required {
				there |= 1 << i
			}
		}
	})
	return ok && there == 1<<len(s.required)-1
}

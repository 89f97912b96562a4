package protocol

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// problems says what is wrong with raw, in the words and the order that
// clients know (doc/protocol.md, Validation): depth first, properties as the
// schema declares them, each text once. It is "" exactly when raw is valid.
func problems(s *schema, raw rawjson.Value) string {
	w := walk{}
	w.value(s, raw)
	seen := make(map[string]bool, len(w.found))
	return strings.Join(slices.DeleteFunc(w.found, func(text string) bool {
		known := seen[text]
		seen[text] = true
		return known
	}), "; ")
}

// maxProblems is how many problems are put into words. No client reads more,
// and one that sends a million wrong values gets no hundred megabytes back.
const maxProblems = 1000

// walk is one pass over a value. Its path is the JSON pointer of the value
// that is looked at.
type walk struct {
	path  string
	count int      // of problems
	found []string // the first maxProblems of them
}

func (w *walk) report(format string, args ...any) {
	w.count++
	if len(w.found) == maxProblems {
		return
	}
	text := fmt.Sprintf(format, args...)
	if w.path != "" {
		text = "at " + w.path + ": " + text
	}
	w.found = append(w.found, text)
}

func (w *walk) value(s *schema, raw rawjson.Value) {
	kind := rawjson.Kind(raw)
	if !s.typeFits(kind, raw) {
		w.report("must be %s", s.typ)
	}
	// Limits hold for whatever is a number or a string, of the right type or not.
	switch kind {
	case '0':
		w.number(s, raw)
	case '"':
		w.text(s, raw)
	}
	w.choice(s, raw)
	switch kind {
	case '[':
		w.array(s, raw)
	case '{':
		w.object(s, raw)
	}
}

func (s *schema) typeFits(kind byte, raw rawjson.Value) bool {
	switch s.typ {
	case "":
		return true
	case "object":
		return kind == '{'
	case "array":
		return kind == '['
	case "string":
		return kind == '"'
	case "boolean":
		return kind == 't' || kind == 'f'
	case "null":
		return kind == 'n'
	case "integer":
		return kind == '0' && number(raw) == math.Trunc(number(raw))
	}
	return false
}

func (w *walk) number(s *schema, raw rawjson.Value) {
	f := number(raw)
	if s.maximum != nil && f > s.maximum.value {
		w.report("must be <= %s", s.maximum.text)
	}
	if s.minimum != nil && f < s.minimum.value {
		w.report("must be >= %s", s.minimum.text)
	}
}

func (w *walk) text(s *schema, raw rawjson.Value) {
	if s.maxLength == nil && s.minLength == nil && s.pattern == nil {
		return
	}
	t := text(raw)
	length := float64(utf8.RuneCountInString(t))
	if s.maxLength != nil && length > s.maxLength.value {
		w.report("must NOT have more than %s characters", s.maxLength.text)
	}
	if s.minLength != nil && length < s.minLength.value {
		w.report("must NOT have fewer than %s characters", s.minLength.text)
	}
	if s.pattern != nil && !s.pattern.MatchString(t) {
		w.report(`must match pattern "%s"`, s.pattern)
	}
}

func (w *walk) choice(s *schema, raw rawjson.Value) {
	if s.constant != nil && !equalsText(raw, s.constant) {
		w.report("must be equal to constant")
	}
	if s.enum != nil && !slices.ContainsFunc(s.enum, func(c rawjson.Value) bool { return equalsText(raw, c) }) {
		w.report("must be equal to one of the allowed values")
	}
	if s.anyOf == nil {
		return
	}
	count, found := w.count, w.found
	for _, branch := range s.anyOf {
		before := w.count
		w.value(branch, raw)
		if w.count == before {
			w.count, w.found = count, found // one fits: what the others say is void
			return
		}
	}
	w.report("must match a schema in anyOf")
}

// equalsText reports whether raw is the string c, however raw spells it.
func equalsText(raw, c rawjson.Value) bool {
	return rawjson.Kind(raw) == '"' && text(raw) == text(c)
}

func (w *walk) array(s *schema, raw rawjson.Value) {
	if s.arrayFree() {
		return
	}
	n := 0
	eachElement(raw, func([]byte) { n++ })
	if s.maxItems != nil && float64(n) > s.maxItems.value {
		w.report("must NOT have more than %s items", s.maxItems.text)
	}
	if s.minItems != nil && float64(n) < s.minItems.value {
		w.report("must NOT have fewer than %s items", s.minItems.text)
	}
	if s.items == nil || s.items.free() {
		return
	}
	n = 0
	eachElement(raw, func(value []byte) {
		w.inside(strconv.Itoa(n), s.items, value)
		n++
	})
}

func (w *walk) object(s *schema, raw rawjson.Value) {
	if s.objectFree() {
		return
	}
	m := newMembers(raw)
	for _, name := range s.required {
		if !m.has(name) {
			w.report("must have required property '%s'", name)
		}
	}
	if s.closed {
		w.unexpected(s, m)
	}
	for _, p := range s.properties {
		if m.has(p.name) {
			w.inside(p.name, p.schema, m.values[p.name])
		}
	}
	for _, p := range s.patterns {
		for _, name := range m.names {
			if p.names.MatchString(name) {
				w.inside(name, p.schema, m.values[name])
			}
		}
	}
}

func (w *walk) unexpected(s *schema, m members) {
	for _, name := range m.names {
		if s.byName[name] != nil || slices.ContainsFunc(s.patterns, func(p patternProperty) bool { return p.names.MatchString(name) }) {
			continue
		}
		switch {
		case jstext.Trim(name) == "":
			w.report("must NOT have additional properties")
		case w.path == "":
			w.report("at root: unexpected property '%s'", name)
		default:
			w.report("unexpected property '%s'", name)
		}
	}
}

// inside walks a value that lies under name in the present one.
func (w *walk) inside(name string, s *schema, raw rawjson.Value) {
	outer := w.path
	w.path += "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	w.value(s, raw)
	w.path = outer
}

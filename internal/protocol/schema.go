package protocol

import (
	"fmt"
	"regexp"

	"github.com/parleyd/parley/internal/rawjson"
)

// schema is a JSON Schema as the walker reads it: with its properties and
// required names in the order of the file, which decides the order of problems.
// It knows the keywords that our files use and no others; newSchema refuses a
// file with one that it would have to ignore.
type schema struct {
	typ string // "" for any

	minimum, maximum     *limit // of a number
	minLength, maxLength *limit // of a string, in code points
	pattern              *regexp.Regexp
	constant             rawjson.Value // a string
	enum                 []rawjson.Value
	anyOf                []*schema

	items              *schema
	minItems, maxItems *limit

	required   []string
	closed     bool // no properties but the declared ones
	properties []property
	byName     map[string]*schema
	patterns   []patternProperty
}

type property struct {
	name   string
	schema *schema
}

type patternProperty struct {
	names  *regexp.Regexp
	schema *schema
}

// limit is a number of a schema and its spelling there, which goes into texts.
type limit struct {
	value float64
	text  string
}

func newSchema(raw rawjson.Value) (*schema, error) {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("a schema must be an object: %w", err)
	}
	s := &schema{}
	for name, value := range o.All() {
		if err := s.keyword(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s, nil
}

// newScalar refuses a schema that looks into arrays or objects, which neither
// decode nor our files want in these places.
func newScalar(raw rawjson.Value) (*schema, error) {
	s, err := newSchema(raw)
	if err == nil && !(s.arrayFree() && s.objectFree() && s.anyOf == nil) {
		err = fmt.Errorf("want a schema of a plain value, not %s", raw)
	}
	return s, err
}

func (s *schema) keyword(name string, value rawjson.Value) (err error) {
	switch name {
	case "$schema", "$id", "$comment", "title", "description", "default", "examples":
	case "type":
		var ok bool
		if s.typ, ok = rawjson.Text(value); !ok {
			return fmt.Errorf("want one type, not %s", value)
		}
	case "minimum":
		s.minimum, err = newLimit(value)
	case "maximum":
		s.maximum, err = newLimit(value)
	case "minLength":
		s.minLength, err = newLimit(value)
	case "maxLength":
		s.maxLength, err = newLimit(value)
	case "minItems":
		s.minItems, err = newLimit(value)
	case "maxItems":
		s.maxItems, err = newLimit(value)
	case "pattern":
		s.pattern, err = newPattern(value)
	case "const":
		s.constant, err = newConstant(value)
	case "enum":
		s.enum, err = each(value, newConstant)
	case "anyOf":
		s.anyOf, err = each(value, newScalar)
	case "items":
		s.items, err = newSchema(value)
	case "required":
		err = rawjson.Unmarshal(value, &s.required)
	case "additionalProperties":
		if s.closed = string(value) == "false"; !s.closed {
			return fmt.Errorf("want false, not %s", value)
		}
	case "properties":
		err = s.setProperties(value)
	case "patternProperties":
		err = s.setPatterns(value)
	default:
		return fmt.Errorf("the walker does not know this keyword")
	}
	return err
}

func (s *schema) setProperties(value rawjson.Value) error {
	o, err := rawjson.Parse(value)
	if err != nil {
		return err
	}
	s.byName = make(map[string]*schema, o.Len())
	for name, v := range o.All() {
		p, err := newSchema(v)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.properties = append(s.properties, property{name, p})
		s.byName[name] = p
	}
	return nil
}

func (s *schema) setPatterns(value rawjson.Value) error {
	o, err := rawjson.Parse(value)
	if err != nil {
		return err
	}
	for name, v := range o.All() {
		re, err := regexp.Compile(name)
		if err != nil {
			return err
		}
		p, err := newScalar(v)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.patterns = append(s.patterns, patternProperty{re, p})
	}
	return nil
}

// free reports whether the schema accepts every value.
func (s *schema) free() bool {
	return s.typ == "" && s.scalarFree() && s.arrayFree() && s.objectFree()
}

// scalarFree reports whether the schema looks at no more than the type of a
// number or string.
func (s *schema) scalarFree() bool {
	return s.minimum == nil && s.maximum == nil && s.minLength == nil && s.maxLength == nil &&
		s.pattern == nil && s.constant == nil && s.enum == nil && s.anyOf == nil
}

// arrayFree reports whether the schema does not look into arrays.
func (s *schema) arrayFree() bool { return s.items == nil && s.minItems == nil && s.maxItems == nil }

// objectFree reports whether the schema does not look into objects.
func (s *schema) objectFree() bool {
	return s.required == nil && !s.closed && s.properties == nil && s.patterns == nil
}

func newLimit(value rawjson.Value) (*limit, error) {
	f, ok := rawjson.Number(value)
	if !ok {
		return nil, fmt.Errorf("want a number, not %s", value)
	}
	return &limit{f, string(value)}, nil
}

func newPattern(value rawjson.Value) (*regexp.Regexp, error) {
	p, ok := rawjson.Text(value)
	if !ok {
		return nil, fmt.Errorf("want a string, not %s", value)
	}
	return regexp.Compile(p)
}

// newConstant takes a string, the only kind of constant in our files, in the
// spelling that quoting its text gives.
func newConstant(value rawjson.Value) (rawjson.Value, error) {
	c, ok := rawjson.Text(value)
	if !ok {
		return nil, fmt.Errorf("want a string, not %s", value)
	}
	return rawjson.AppendString(nil, c), nil
}

func each[T any](value rawjson.Value, read func(rawjson.Value) (T, error)) ([]T, error) {
	elements, ok := rawjson.Array(value)
	if !ok || len(elements) == 0 {
		return nil, fmt.Errorf("want a filled array, not %s", value)
	}
	out := []T{}
	for _, e := range elements {
		t, err := read(e)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// A decoder walks a configuration and collects everything that is wrong with
// it, so that a person can mend it in one go. With a shape it reads nothing
// and describes instead what it would read (see describe.go); what the readers
// fill is then of no use.
type decoder struct {
	shape    rawjson.Value // JSON Schema of what the last reader takes, nil when reading
	env      environment
	unset    map[string]bool // paths of texts in which a variable is missing
	issues   []Issue
	unused   []string // paths of keys that OpenClaw knows and we do not use
	warnings []Warning
}

func (d *decoder) issue(at, format string, args ...any) {
	d.issues = append(d.issues, Issue{at, fmt.Sprintf(format, args...)})
}

func (d *decoder) expected(at, what string, v rawjson.Value) {
	d.issue(at, "Invalid input: expected %s, received %s", what, kindOf(v))
}

// kindOf names the kind of a value as problems do.
func kindOf(v rawjson.Value) string {
	switch rawjson.Kind(v) {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case '0':
		return "number"
	case 'n':
		return "null"
	}
	return "undefined"
}

// A reader takes the value at a path, or says what is wrong with it.
type reader func(d *decoder, at string, v rawjson.Value)

// A memberReader is a reader of a member that knows its name.
type memberReader func(d *decoder, name, at string, v rawjson.Value)

// A field is one key of an object and what reads it.
type field struct {
	name     string
	read     reader
	required bool
}

// object reads an object with these fields. The names in others, separated by
// spaces, are accepted and reported once; every other name is a problem.
func object(fields []field, others string) reader { return open(fields, others, nil) }

// open is object where rest, if there is one, reads the members of all other
// names, in order.
func open(fields []field, others string, rest memberReader) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.shape != nil {
			d.describeObject(at, fields, others, rest)
			return
		}
		o, err := rawjson.Parse(v)
		if err != nil {
			d.expected(at, "object", v)
			return
		}
		names := strings.Fields(others)
		for _, f := range fields {
			if o.Has(f.name) {
				f.read(d, join(at, f.name), o.Get(f.name))
			} else if f.required {
				d.expected(join(at, f.name), "string", nil)
			}
		}
		for _, name := range names {
			if o.Has(name) {
				d.unused = append(d.unused, join(at, name))
			}
		}
		for _, f := range fields {
			names = append(names, f.name)
		}
		if rest == nil {
			d.unknown(at, o, names)
			return
		}
		for name, member := range o.All() {
			if !slices.Contains(names, name) {
				rest(d, name, join(at, name), member)
			}
		}
	}
}

// unknown reports the members of o that are not among names, in one problem.
func (d *decoder) unknown(at string, o rawjson.Object, names []string) {
	var odd []string
	for name := range o.All() {
		if slices.Contains(names, name) {
			continue
		}
		text := strconv.Quote(name)
		if near := suggest(name, names); near != "" {
			text += fmt.Sprintf(" (did you mean %q?)", near)
		}
		odd = append(odd, text)
	}
	switch len(odd) {
	case 0:
	case 1:
		d.issue(at, "Unrecognized key: %s", odd[0])
	default:
		d.issue(at, "Unrecognized keys: %s", strings.Join(odd, ", "))
	}
}

// unused checks a value like read and reports that nothing comes of it.
func unused(read reader) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.shape != nil {
			d.describeUnused(read, at)
			return
		}
		read(d, at, v)
		d.unused = append(d.unused, at)
	}
}

// members reads an object with free names, in order.
func members(read memberReader) reader { return open(nil, "", read) }

// either reads a value of one kind with special, every other with usual.
func either(kind byte, special, usual reader) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		switch {
		case d.shape != nil:
			d.describeChoice(at, usual, special)
		case rawjson.Kind(v) == kind:
			special(d, at, v)
		default:
			usual(d, at, v)
		}
	}
}

// off reads false, which either has found.
func off(then func()) reader {
	return func(d *decoder, _ string, _ rawjson.Value) {
		if !d.describes(`{"const":false}`) {
			then()
		}
	}
}

// each reads the elements of an array.
func each(read reader) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.shape != nil {
			d.describeArray(read, at)
			return
		}
		list, ok := rawjson.Array(v)
		if !ok {
			d.expected(at, "array", v)
			return
		}
		for i, element := range list {
			read(d, join(at, strconv.Itoa(i)), element)
		}
	}
}

// text reads a string.
func text(to *string) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":"string"}`) {
			return
		}
		s, ok := rawjson.Text(v)
		if !ok {
			d.expected(at, "string", v)
			return
		}
		*to = s
	}
}

// trimmed reads a string without the white space around it.
func trimmed(to *string) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		text(to)(d, at, v)
		*to = jstext.Trim(*to)
	}
}

// texts reads an array of strings.
func texts(to *[]string) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		*to = []string{}
		each(func(d *decoder, at string, v rawjson.Value) {
			var s string
			text(&s)(d, at, v)
			*to = append(*to, s)
		})(d, at, v)
	}
}

// oneOf reads a string out of a few.
func oneOf[T ~string](to *T, options ...T) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":"string","enum":` + string(rawjson.MustMarshal(options)) + `}`) {
			return
		}
		s, ok := rawjson.Text(v)
		if ok && slices.Contains(options, T(s)) {
			*to = T(s)
			return
		}
		quoted := make([]string, len(options))
		for i, o := range options {
			quoted[i] = strconv.Quote(string(o))
		}
		d.issue(at, "Invalid option: expected one of %s", strings.Join(quoted, "|"))
	}
}

// boolean reads true or false.
func boolean(to *bool) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":"boolean"}`) {
			return
		}
		b, ok := rawjson.Bool(v)
		if !ok {
			d.expected(at, "boolean", v)
			return
		}
		*to = b
	}
}

// whole reads an integer within limits.
func whole[T ~int | ~int64](to *T, lowest, highest int64) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(fmt.Sprintf(`{"type":"integer","minimum":%d,"maximum":%d}`, lowest, highest)) {
			return
		}
		f, ok := rawjson.Number(v)
		switch {
		case !ok:
			d.expected(at, "number", v)
		case f < float64(lowest):
			d.issue(at, "Too small: expected number to be >=%d", lowest)
		case f > float64(highest):
			d.issue(at, "Too big: expected number to be <=%d", highest)
		case f != float64(int64(f)):
			d.expected(at, "int", v)
		default:
			*to = T(f)
		}
	}
}

// maxWhole is the largest integer that JavaScript counts exactly.
const maxWhole = 1<<53 - 1

// amount reads a number that is not negative.
func amount(to *float64) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		if d.describes(`{"type":"number","minimum":0}`) {
			return
		}
		f, ok := rawjson.Number(v)
		switch {
		case !ok:
			d.expected(at, "number", v)
		case f < 0:
			d.issue(at, "Too small: expected number to be >=0")
		default:
			*to = f
		}
	}
}

// secret reads a string that must not be shown, or a reference to a variable
// that holds it. One whose variable is missing counts as not there: its text
// would be a secret that everybody knows.
func secret(to *Secret) reader {
	return either('{', func(d *decoder, at string, v rawjson.Value) {
		d.secretReference(at, v, to)
	}, func(d *decoder, at string, v rawjson.Value) {
		var s string
		text(&s)(d, at, v)
		if d.unset[at] {
			s = ""
		}
		*to = NewSecret(s)
	})
}

func (d *decoder) secretReference(at string, v rawjson.Value, to *Secret) {
	var source, provider, id string
	object([]field{{name: "source", read: text(&source), required: true}, {name: "provider", read: text(&provider)}, {name: "id", read: text(&id), required: true}}, "")(d, at, v)
	if d.shape != nil {
		return
	}
	if source != "env" {
		d.issue(at, "secrets from source %q are not supported: write the value, or ${NAME}", source)
		return
	}
	*to = NewSecret(d.env.get(id))
	if to.Empty() {
		d.warnings = append(d.warnings, Warning(fmt.Sprintf("missing env var %q at %s — feature using this value will be unavailable", id, at)))
	}
}

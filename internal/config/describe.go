package config

import (
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// Schema describes the configuration as JSON Schema (draft 7). It is made by
// the readers that read a configuration, so it cannot say anything else than
// they do; rules between keys are theirs alone.
func Schema() rawjson.Value {
	d := &decoder{shape: rawjson.Value("{}")}
	new(Config).decode(d, nil)
	body, _ := rawjson.Parse(explain("", d.shape)) // decode makes an object
	var o rawjson.Object
	o.Put("$schema", "http://json-schema.org/draft-07/schema#")
	o.Put("title", "Parley configuration")
	o.Put("description", "What $include and ${NAME} give; both may stand in the file itself.")
	for name, v := range body.All() {
		o.Set(name, v)
	}
	return o.JSON()
}

// SchemaAt is the part of Schema that describes the value at path, such as
// gateway.auth, agents.list[0].id or models.providers.*.apiKey, and that path
// in dots. An empty path is the whole.
func SchemaAt(path string) (part rawjson.Value, dotted string, ok bool) {
	steps := strings.FieldsFunc(strings.NewReplacer("[]", ".*", "[", ".", "]", "").Replace(path), func(r rune) bool { return r == '.' })
	part = Schema()
	for _, step := range steps {
		if part = below(part, step); part == nil {
			return nil, "", false
		}
	}
	return part, strings.Join(steps, "."), true
}

// below is what a schema says of a member or an element, nil when there may be
// none.
func below(schema rawjson.Value, step string) rawjson.Value {
	o, err := rawjson.Parse(schema)
	if err != nil {
		return nil
	}
	if properties, err := rawjson.Parse(o.Get("properties")); err == nil && properties.Has(step) {
		return properties.Get(step)
	}
	if rest := o.Get("additionalProperties"); rawjson.Kind(rest) == '{' {
		return rest
	}
	if items := o.Get("items"); items != nil {
		if _, err := strconv.ParseUint(step, 10, 32); err == nil || step == "*" {
			return items
		}
	}
	choices, _ := rawjson.Array(o.Get("anyOf"))
	for _, choice := range choices {
		if found := below(choice, step); found != nil {
			return found
		}
	}
	return nil
}

// describes says what the reader at hand takes, when d describes rather than
// reads. Then there is no value, and the reader is done.
func (d *decoder) describes(shape string) bool {
	if d.shape == nil {
		return false
	}
	d.shape = rawjson.Value(shape)
	return true
}

// shapeOf is what a reader takes, as JSON Schema; {} is anything.
func shapeOf(read reader, at string) rawjson.Value {
	d := &decoder{shape: rawjson.Value("{}")}
	read(d, at, nil)
	return d.shape
}

// withoutEffect is added to what is accepted for OpenClaw's sake.
const withoutEffect = "Accepted, without effect in Parley."

// describeUnused is a reader's shape with the remark that nothing comes of it.
func (d *decoder) describeUnused(read reader, at string) {
	o, _ := rawjson.Parse(shapeOf(read, at)) // shapes are objects
	o.Put("description", withoutEffect)
	d.shape = o.JSON()
}

// describeObject is the shape of what open reads.
func (d *decoder) describeObject(at string, fields []field, others string, rest memberReader) {
	var properties rawjson.Object
	var required []string
	for _, f := range fields {
		properties.Set(f.name, shapeOf(f.read, join(at, f.name)))
		if f.required {
			required = append(required, f.name)
		}
	}
	for _, name := range strings.Fields(others) {
		properties.Set(name, rawjson.MustMarshal(struct {
			Description string `json:"description"`
		}{withoutEffect}))
	}
	var o rawjson.Object
	o.Put("type", "object")
	if properties.Len() > 0 {
		o.Set("properties", properties.JSON())
	}
	if required != nil {
		o.Put("required", required)
	}
	o.Set("additionalProperties", rawjson.Value("false"))
	if rest != nil {
		o.Set("additionalProperties", shapeOf(func(d *decoder, at string, v rawjson.Value) { rest(d, "*", at, v) }, join(at, "*")))
	}
	d.shape = o.JSON()
}

// describeArray is the shape of what each reads.
func (d *decoder) describeArray(read reader, at string) {
	var o rawjson.Object
	o.Put("type", "array")
	o.Set("items", shapeOf(read, join(at, "*")))
	d.shape = o.JSON()
}

// describeChoice is the shape of what either reads.
func (d *decoder) describeChoice(at string, readers ...reader) {
	var choices []rawjson.Value
	for _, read := range readers {
		choices = append(choices, shapeOf(read, at))
	}
	var o rawjson.Object
	o.Put("anyOf", choices)
	d.shape = o.JSON()
}

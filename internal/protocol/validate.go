package protocol

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/schemas"
)

// Validator judges frames and params by the files of package schemas. It is
// immutable after NewValidator and safe for concurrent use.
//
// The verdict is that of a library that knows JSON Schema, which is asked about
// what does not fit at first sight (schema.fits). The library reports violations
// in random order and words of its own, so on a refusal a walk over the same
// schema makes the text that clients know.
type Validator struct {
	methods map[string]*judge
	shapes  map[string]*jsonschema.Schema // every file, frames and results too
	texts   map[string][]byte
	frame   *judge
}

// judge is one schema in its two forms: verdict and words.
type judge struct {
	verdict *jsonschema.Schema
	words   *schema
}

const frameSchema = "_frame.request"

// NewValidator compiles every schema. It fails when a file is no valid schema
// or uses a keyword that has no words here.
func NewValidator() (*Validator, error) {
	v := &Validator{methods: map[string]*judge{}, shapes: map[string]*jsonschema.Schema{}, texts: map[string][]byte{}}
	c := jsonschema.NewCompiler()
	ids, err := v.load(c)
	if err != nil {
		return nil, err
	}
	for name, text := range v.texts {
		shape, err := c.Compile(ids[name])
		if err != nil {
			return nil, fmt.Errorf("compile schema %s: %w", name, err)
		}
		v.shapes[name] = shape
		if strings.HasPrefix(name, "_") && name != frameSchema {
			continue // nothing that a client sends
		}
		words, err := newSchema(text)
		if err != nil {
			return nil, fmt.Errorf("read schema %s: %w", name, err)
		}
		v.methods[name] = &judge{shape, words}
	}
	v.frame = v.methods[frameSchema]
	if v.frame == nil {
		return nil, fmt.Errorf("schema %s is missing", frameSchema)
	}
	delete(v.methods, frameSchema)
	return v, nil
}

// load reads all files into v.texts and c and returns their ids by name.
func (v *Validator) load(c *jsonschema.Compiler) (ids map[string]string, err error) {
	files, err := fs.ReadDir(schemas.FS, ".")
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	ids = map[string]string{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".json")
		text, err := schemas.FS.ReadFile(f.Name())
		if err != nil {
			return nil, fmt.Errorf("read schema %s: %w", name, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("parse schema %s: %w", name, err)
		}
		ids[name] = schemas.Base + f.Name()
		if err := c.AddResource(ids[name], doc); err != nil {
			return nil, fmt.Errorf("add schema %s: %w", name, err)
		}
		v.texts[name] = text
	}
	return ids, nil
}

// Params says what is wrong with the params of a method, without the words
// "invalid <method> params: " before it; "" means nothing is. Absent and null
// params count as {}, but not those of connect, which names its client. A
// method without a schema accepts everything.
func (v *Validator) Params(method string, params rawjson.Value) string {
	j := v.methods[method]
	if j == nil {
		return ""
	}
	if rawjson.Null(params) {
		params = rawjson.Value(`{}`)
		if method == "connect" {
			params = rawjson.Value(`null`)
		}
	}
	return j.problems(params)
}

// large is the size from which problems are looked for before the library is
// asked: of a refusal it makes a tree with a node for each wrong value, which
// costs a hundred times the message.
const large = 1 << 20

// problems asks the library, and for words only when it refuses.
func (j *judge) problems(raw rawjson.Value) string {
	if j.words.fits(raw) {
		return ""
	}
	if len(raw) > large {
		if text := problems(j.words, raw); text != "" {
			return text
		}
	}
	if j.verdict.Validate(decode(j.words, raw)) == nil {
		return ""
	}
	if text := problems(j.words, raw); text != "" {
		return text
	}
	// The two disagree, which a fuzz test says they never do. The verdict
	// stands, and a refusal must not look like consent.
	return "must match its schema"
}

// Has reports whether there is a schema for the params of method.
func (v *Validator) Has(method string) bool { return v.methods[method] != nil }

// Names are the names of all schema files, sorted, without ".json".
func (v *Validator) Names() []string { return slices.Sorted(maps.Keys(v.texts)) }

// Schema is the text of the schema file <name>.json, or nil when there is none.
// The caller may keep and change it.
func (v *Validator) Schema(name string) []byte { return bytes.Clone(v.texts[name]) }

// Conforms checks a frame, event, result or part against the schema file
// <name>.json, for those who send or receive one and want to be sure.
func (v *Validator) Conforms(name string, value rawjson.Value) error {
	shape := v.shapes[name]
	if shape == nil {
		return fmt.Errorf("there is no schema %s", name)
	}
	if !rawjson.Valid(value) {
		return fmt.Errorf("%s is not JSON", name)
	}
	if err := shape.Validate(decodeWhole(value)); err != nil {
		return fmt.Errorf("%s does not conform: %w", name, err)
	}
	return nil
}

package rawjson

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrNotObject is returned by Parse for JSON that is not an object.
var ErrNotObject = errors.New("not a JSON object")

// Member is one name and value of an Object.
type Member struct {
	Name  string
	Value Value
}

// Object is a JSON object in the order of its members. The zero value is the
// empty object. Copying an Object shares its members: use Clone before
// changing a copy.
type Object struct {
	members []Member
}

// NewObject makes an object of members, in this order.
func NewObject(members ...Member) Object { return Object{members: members} }

// Parse splits a JSON object into its members. Values are compact and
// otherwise as written; they do not share memory with data. A repeated name
// keeps its first place and takes its last value.
func Parse(data []byte) (Object, error) {
	var c bytes.Buffer
	c.Grow(len(data))
	if err := stdjson.Compact(&c, data); err != nil {
		return Object{}, err
	}
	return parseCompact(c.Bytes())
}

// parseCompact splits compact, valid JSON; the values share its memory.
func parseCompact(data []byte) (Object, error) {
	if Kind(data) != '{' {
		return Object{}, ErrNotObject
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), reading)
	if _, err := dec.ReadToken(); err != nil {
		return Object{}, err
	}
	var c collector
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return Object{}, err
		}
		key := name.String()
		end := dec.InputOffset()
		if err := dec.SkipValue(); err != nil {
			return Object{}, err
		}
		// One colon stands between the name and the value of compact JSON.
		c.add(key, Value(data[end+1:dec.InputOffset():dec.InputOffset()]))
	}
	return c.o, nil
}

// collector gathers members as they are read. Of a large object it knows the
// places of all names, so that it is not searched once for each member.
type collector struct {
	o      Object
	places map[string]int
}

func (c *collector) add(name string, value Value) {
	if c.places == nil {
		c.o.Set(name, value)
		if len(c.o.members) == 64 {
			c.places = make(map[string]int, 128)
			for i, m := range c.o.members {
				c.places[m.Name] = i
			}
		}
		return
	}
	if i, ok := c.places[name]; ok {
		c.o.members[i].Value = value
		return
	}
	c.places[name] = len(c.o.members)
	c.o.members = append(c.o.members, Member{name, value})
}

func (o Object) index(name string) int {
	for i := range o.members {
		if o.members[i].Name == name {
			return i
		}
	}
	return -1
}

// Len is the number of members.
func (o Object) Len() int { return len(o.members) }

// All yields the members in order.
func (o Object) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, m := range o.members {
			if !yield(m.Name, m.Value) {
				return
			}
		}
	}
}

// Get is the value of name, or nil when there is none.
func (o Object) Get(name string) Value {
	if i := o.index(name); i >= 0 {
		return o.members[i].Value
	}
	return nil
}

// Has reports whether name is there, be it null.
func (o Object) Has(name string) bool { return o.index(name) >= 0 }

// Text is the string member name, or "" when it is absent or no string.
func (o Object) Text(name string) string {
	s, _ := Text(o.Get(name))
	return s
}

// Set gives name a raw value: in its place when it is there, else at the end.
func (o *Object) Set(name string, value Value) {
	if i := o.index(name); i >= 0 {
		o.members[i].Value = value
		return
	}
	o.members = append(o.members, Member{name, value})
}

// Put is Set with a Go value, which must be one that MustMarshal takes.
func (o *Object) Put(name string, v any) { o.Set(name, MustMarshal(v)) }

// Delete removes the named members.
func (o *Object) Delete(names ...string) {
	o.members = slices.DeleteFunc(o.members, func(m Member) bool { return slices.Contains(names, m.Name) })
}

// Clone is a copy that can be changed without changing o.
func (o Object) Clone() Object { return Object{members: slices.Clone(o.members)} }

// AppendJSON appends the object's compact JSON to dst.
func (o Object) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, m := range o.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, m.Name)
		dst = append(dst, ':')
		dst = append(dst, m.Value...)
	}
	return append(dst, '}')
}

// JSON is the object's compact JSON.
func (o Object) JSON() Value { return o.AppendJSON(nil) }

// MarshalJSON is JSON, for json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) { return o.JSON(), nil }

// UnmarshalJSON is Parse, for json.Unmarshaler.
func (o *Object) UnmarshalJSON(data []byte) error {
	p, err := Parse(data)
	if err != nil {
		return fmt.Errorf("read object: %w", err)
	}
	*o = p
	return nil
}

// AppendString appends s as a JSON string with no escapes beyond those that
// JSON demands.
func AppendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		// AppendQuote reports invalid UTF-8 after having replaced it by U+FFFD.
		return out
	}
	return out
}

package rawjson

import (
	"errors"
	"fmt"
	"iter"
	"slices"
)

// ErrNotObject is returned for JSON that is not an object.
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
// otherwise as written; they do not share memory with data, but with each
// other. A repeated name keeps its first place and takes its last value.
func Parse(data []byte) (Object, error) {
	// Most objects fit into these, which need no garbage collection.
	var (
		roomForNames   [512]byte
		roomForMembers [32]Member
		roomForEnds    [32]int
	)
	names, members, ends := roomForNames[:0], roomForMembers[:0], roomForEnds[:0]
	_, err := CompactObject(make([]byte, 0, len(data)), data, func(name []byte, value Value) error {
		names = append(names, name...)
		ends = append(ends, len(names))
		members = append(members, Member{Value: value})
		return nil
	})
	if err != nil || len(members) == 0 {
		return Object{}, err
	}
	all, from := string(names), 0
	for i, end := range ends {
		members[i].Name = all[from:end]
		from = end
	}
	return Object{slices.Clone(joinRepeats(members))}, nil
}

// joinRepeats gives the first member of each name the value of the last, and
// drops the others.
func joinRepeats(members []Member) []Member {
	if len(members) > 64 {
		return joinRepeatsOfMany(members)
	}
	// A name whose bit nobody has set is new, which spares most searches.
	var seen [4]uint64
	kept := members[:0]
	for _, m := range members {
		h := byte(len(m.Name))
		if h > 0 {
			h = h*31 ^ m.Name[0]*7 ^ m.Name[len(m.Name)/2]*3 ^ m.Name[len(m.Name)-1]
		}
		word, bit := &seen[h>>6], uint64(1)<<(h&63)
		if *word&bit != 0 {
			if i := (Object{kept}).index(m.Name); i >= 0 {
				kept[i].Value = m.Value
				continue
			}
		}
		*word |= bit
		kept = append(kept, m)
	}
	return kept
}

func joinRepeatsOfMany(members []Member) []Member {
	places := make(map[string]int, len(members))
	kept := members[:0]
	for _, m := range members {
		if i, ok := places[m.Name]; ok {
			kept[i].Value = m.Value
			continue
		}
		places[m.Name] = len(kept)
		kept = append(kept, m)
	}
	return kept
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
func (o Object) JSON() Value {
	n := len("{}")
	for _, m := range o.members {
		n += len(m.Name) + len(m.Value) + len(`"":,`)
	}
	return o.AppendJSON(make([]byte, 0, n))
}

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

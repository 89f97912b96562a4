package sessions

import (
	"sync"

	"github.com/parleyd/parley/internal/rawjson"
)

// Entry is one stored session, an immutable JSON object whose fields keep
// their order and spelling. The zero value is an entry without fields. Copies
// share everything; an Entry may be read by many goroutines.
type Entry struct{ e *entry }

type entry struct {
	raw    rawjson.Value // compact
	fields func() rawjson.Object
}

// ParseEntry reads an entry; raw must be a JSON object.
func ParseEntry(raw rawjson.Value) (Entry, error) {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return Entry{}, err
	}
	return NewEntry(o), nil
}

// NewEntry makes an entry of fields, which must not be changed afterwards.
func NewEntry(fields rawjson.Object) Entry {
	return Entry{&entry{raw: fields.JSON(), fields: func() rawjson.Object { return fields }}}
}

// lazyEntry is the entry of a compact, valid JSON object; the fields are split
// when they are first asked for.
func lazyEntry(raw rawjson.Value) Entry {
	return Entry{&entry{raw: raw, fields: sync.OnceValue(func() rawjson.Object {
		// A store file has been checked as a whole, so this cannot fail.
		o, _ := rawjson.Parse(raw)
		return o
	})}}
}

// Fields are the entry's fields. They are shared: Clone before changing.
func (e Entry) Fields() rawjson.Object {
	if e.e == nil {
		return rawjson.Object{}
	}
	return e.e.fields()
}

// With is a copy of the entry with a change applied to its fields.
func (e Entry) With(change func(*rawjson.Object)) Entry {
	o := e.Fields().Clone()
	change(&o)
	return NewEntry(o)
}

// Text is the string field name, or "" when it is absent or no string.
func (e Entry) Text(name string) string { return e.Fields().Text(name) }

// Number is the number field name, if it is one.
func (e Entry) Number(name string) (float64, bool) { return rawjson.Number(e.Fields().Get(name)) }

// Bool is the boolean field name, if it is one.
func (e Entry) Bool(name string) (value, ok bool) { return rawjson.Bool(e.Fields().Get(name)) }

// Value is the field name as stored, nil when it is absent.
func (e Entry) Value(name string) rawjson.Value { return e.Fields().Get(name) }

// SessionID names the session's transcript; a session may have none.
func (e Entry) SessionID() string { return e.Text("sessionId") }

// UpdatedAt is the time of the last activity in ms, 0 when there is none.
func (e Entry) UpdatedAt() int64 {
	n, _ := e.Number("updatedAt")
	return int64(n)
}

// Raw is the entry's compact JSON.
func (e Entry) Raw() rawjson.Value {
	if e.e == nil {
		return rawjson.Value("{}")
	}
	return e.e.raw
}

// MarshalJSON is Raw, so that an Entry can be a field of an answer.
func (e Entry) MarshalJSON() ([]byte, error) { return e.Raw(), nil }

// IsZero reports whether the entry is the zero value, for omitzero.
func (e Entry) IsZero() bool { return e.e == nil }

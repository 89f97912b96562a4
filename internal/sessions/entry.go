package sessions

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/parleyd/parley/internal/rawjson"
)

// Entry is one stored session, an immutable JSON object whose fields keep
// their order and spelling. The zero value is an entry without fields. Copies
// share everything; an Entry may be read by many goroutines.
type Entry struct{ e *entry }

// entry holds what is known of an entry's text. The fields are split when they
// are first asked for: most entries of a large store never are.
type entry struct {
	raw rawjson.Value // compact, as it was read or made
	// loose is there for text from a file that may have an old form. Readers see
	// it with the fields of today, and once loose is true, in the form that is
	// written: a change of the file brings all its entries in order.
	loose   *atomic.Bool
	fields  atomic.Pointer[split]
	settled atomic.Pointer[rawjson.Value] // of a loose entry: the form that is written
	found   atomic.Pointer[found]         // what a search looks at
	talk    atomic.Pointer[talk]          // what every reader of the transcript asks
}

// talk is what an entry says of its transcript, in every form of its text.
type talk struct{ id, file string }

// split is an entry's fields as readers see them: before (written is false) or
// after the file has changed.
type split struct {
	rawjson.Object
	written bool
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
	e := &entry{raw: fields.JSON()}
	e.fields.Store(&split{Object: fields})
	return Entry{e}
}

// splits are what of the entries of all stores was split last: fields take three
// times the room of their text, and most entries are hardly ever looked at.
var splits lastSplits

// lastSplits keeps a number of entries split. It is safe for concurrent use.
type lastSplits struct {
	mu   sync.Mutex // guards the rest
	ring [4096]keptSplit
	next int
}

type keptSplit struct {
	e *entry
	f *split
}

// keep keeps an entry's fields for a while; those that were kept longest go.
func (l *lastSplits) keep(e *entry, f *split) {
	l.mu.Lock()
	old := l.ring[l.next]
	l.ring[l.next] = keptSplit{e, f}
	l.next = (l.next + 1) % len(l.ring)
	l.mu.Unlock()
	if old.e != nil {
		old.e.fields.CompareAndSwap(old.f, nil)
	}
}

// lazyEntry is the entry of a compact, valid JSON object.
func lazyEntry(raw rawjson.Value, loose *atomic.Bool) Entry {
	return Entry{&entry{raw: raw, loose: loose}}
}

// object is the entry's fields. Two goroutines may split the text at the same
// time; they come to the same.
func (e *entry) object() rawjson.Object {
	written := e.loose != nil && e.loose.Load()
	if f := e.fields.Load(); f != nil && f.written == written {
		return f.Object
	}
	f := &split{written: written}
	if written {
		f.Object, _ = rawjson.Parse(e.text()) // made of an object
	} else {
		f.Object = e.migrated().Fields()
	}
	e.fields.Store(f)
	splits.keep(e, f)
	return f.Object
}

// migrated is the entry with the fields of today. It is not kept.
func (e *entry) migrated() Entry {
	// Where an entry comes from its text has been checked, so this cannot fail.
	o, _ := rawjson.Parse(e.raw)
	m := Entry{&entry{raw: e.raw}}
	m.e.fields.Store(&split{Object: o})
	if e.loose != nil {
		m = migrate(m)
	}
	return m
}

// text is the entry's compact JSON in the form that is written. Unlike object
// it does not keep the fields: a checkpoint looks at every entry.
func (e *entry) text() rawjson.Value {
	if e.loose == nil {
		return e.raw
	}
	if t := e.settled.Load(); t != nil {
		return *t
	}
	text := normalize(e.migrated()).e.raw
	if string(text) == string(e.raw) {
		text = e.raw
	}
	e.settled.CompareAndSwap(nil, &text)
	return text
}

// unsettled reports whether the form that is written differs from the text that
// was read. It holds after text.
func (e *entry) unsettled() bool { return e.loose != nil && string(*e.settled.Load()) != string(e.raw) }

// settledAs reports whether next, which came of e by a change of other fields,
// has the form that is written because e has it.
func (e *entry) settledAs(next *entry) bool {
	if e.loose != nil && (e.settled.Load() == nil || e.unsettled()) {
		return false
	}
	return sameForm(e.object(), next.object())
}

// mayHold reports whether a string of the entry may be this word, of letters. It
// does not split the text: who looks for few among all entries asks first.
func (e Entry) mayHold(word string) bool {
	return e.e != nil && (bytes.Contains(e.e.raw, []byte(word)) || bytes.Contains(e.e.raw, []byte(`\u`)))
}

// Fields are the entry's fields. They are shared: Clone before changing.
func (e Entry) Fields() rawjson.Object {
	if e.e == nil {
		return rawjson.Object{}
	}
	return e.e.object()
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
func (e Entry) SessionID() string {
	id, _ := e.Transcript()
	return id
}

// Transcript is what names the session's transcript: sessionId and sessionFile, ""
// where they are absent or no text.
func (e Entry) Transcript() (sessionID, sessionFile string) {
	if e.e == nil {
		return "", ""
	}
	t := e.e.talk.Load()
	if t == nil {
		t = &talk{e.Text("sessionId"), e.Text("sessionFile")}
		e.e.talk.Store(t)
	}
	return t.id, t.file
}

// UpdatedAt is the time of the last activity in ms, 0 when there is none.
func (e Entry) UpdatedAt() int64 {
	n, _ := e.Number("updatedAt")
	return int64(n)
}

// Raw is the entry's compact JSON.
func (e Entry) Raw() rawjson.Value {
	switch {
	case e.e == nil:
		return rawjson.Value("{}")
	case e.e.loose != nil:
		return e.e.object().JSON()
	}
	return e.e.raw
}

// MarshalJSON is Raw, so that an Entry can be a field of an answer.
func (e Entry) MarshalJSON() ([]byte, error) { return e.Raw(), nil }

// IsZero reports whether the entry is the zero value, for omitzero.
func (e Entry) IsZero() bool { return e.e == nil }

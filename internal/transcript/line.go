package transcript

import (
	"time"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/rawjson"
)

// fields are the members of a line that this package looks at, as written;
// they share the line's memory.
type fields struct {
	Type, ID, ParentID, Version, Timestamp rawjson.Value
	Message, Usage, Provider, Model        rawjson.Value
	CustomType, Data, DurationMs           rawjson.Value
	FirstKeptEntryID, FirstKeptEntryIndex  rawjson.Value

	own messageFields
}

// messageFields are those of the line's message, when it is an object.
type messageFields struct {
	Role, Usage, Provider, Model, IdempotencyKey rawjson.Value
}

// parse reads a line. parsed is false for what is not JSON; JSON that is no
// object gives no fields. Of equal names the last one counts.
func parse(line []byte) (f fields, parsed bool) {
	if !f.read(line) {
		return fields{}, false
	}
	return f, true
}

// read is parse for who wants to keep the memory.
func (f *fields) read(line []byte) (parsed bool) {
	*f = fields{}
	s := syntax{b: line, plain: plain(line)}
	s.space()
	if s.i == len(line) || line[s.i] != '{' {
		return s.value(0) && s.end()
	}
	return s.object(func(name []byte) bool {
		if string(name) != "message" {
			return s.value(1)
		}
		f.own = messageFields{}
		if s.i == len(line) || line[s.i] != '{' {
			return s.value(1)
		}
		return s.object(func([]byte) bool { return s.value(2) }, f.own.set)
	}, f.set) && s.end()
}

func (f *fields) set(name, value []byte) {
	switch string(name) {
	case "type":
		f.Type = value
	case "id":
		f.ID = value
	case "parentId":
		f.ParentID = value
	case "version":
		f.Version = value
	case "timestamp":
		f.Timestamp = value
	case "message":
		f.Message = value
	case "usage":
		f.Usage = value
	case "provider":
		f.Provider = value
	case "model":
		f.Model = value
	case "customType":
		f.CustomType = value
	case "data":
		f.Data = value
	case "durationMs":
		f.DurationMs = value
	case "firstKeptEntryId":
		f.FirstKeptEntryID = value
	case "firstKeptEntryIndex":
		f.FirstKeptEntryIndex = value
	}
}

func (m *messageFields) set(name, value []byte) {
	switch string(name) {
	case "role":
		m.Role = value
	case "usage":
		m.Usage = value
	case "provider":
		m.Provider = value
	case "model":
		m.Model = value
	case "idempotencyKey":
		m.IdempotencyKey = value
	}
}

func (f *fields) typ() string { return text(f.Type) }

// listed reports whether the line is one of the messages that readers count:
// whatever its type, it has a message, or it is a compaction.
func (f *fields) listed() bool {
	return kindIs(f.Message, '{') || rawjson.Truthy(f.Message) || is(f.Type, "compaction")
}

// header reports whether the line is a session header.
func (f *fields) header() bool {
	return is(f.Type, "session") && kindIs(f.ID, '"')
}

// version of the format, by a header line; the oldest did not say it.
func (f *fields) version() int {
	if n, ok := rawjson.Number(f.Version); ok {
		return int(n)
	}
	return 1
}

// kindIs reports whether a value that parse found begins so.
func kindIs(v rawjson.Value, c byte) bool { return len(v) > 0 && v[0] == c }

// is reports whether v is the string s, which needs no escapes.
func is(v rawjson.Value, s string) bool {
	if len(v) == len(s)+2 && v[0] == '"' {
		return string(v[1:len(v)-1]) == s
	}
	return len(v) > len(s)+2 && text(v) == s // it may be spelled with escapes
}

// text is the string that v holds, or "".
func text(v rawjson.Value) string {
	if s, ok := simple(v); ok {
		return string(s)
	}
	s, _ := rawjson.Text(readable(v))
	return s
}

// simple is the content of a string that is spelled as it reads.
func simple(v rawjson.Value) ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	for _, c := range v {
		if c == '\\' || c >= utf8.RuneSelf {
			return nil, false
		}
	}
	return v[1 : len(v)-1], true
}

// present makes the message that clients see of a line; ok is false for a
// line that is not listed.
func present(line []byte, seq int) (m Message, ok bool) {
	f, _ := parse(line)
	if !f.listed() {
		return Message{}, false
	}
	m = Message{ID: text(f.ID), Seq: seq}
	hasID := rawjson.Kind(f.ID) == '"'
	if !rawjson.Truthy(f.Message) {
		m.Raw = compactionMessage(&f, hasID, m.ID, seq)
		return m, true
	}
	o, err := rawjson.Parse(f.Message)
	if err != nil { // a message that is no object goes out as it is
		m.Raw = f.Message
		return m, true
	}
	own, _ := rawjson.Parse(o.Get("__openclaw"))
	if hasID {
		own.Set("id", f.ID)
	}
	own.Put("seq", seq)
	o.Set("__openclaw", own.JSON())
	m.Raw = o.JSON()
	return m, true
}

func compactionMessage(f *fields, hasID bool, id string, seq int) rawjson.Value {
	at := time.Now()
	if t, ok := parseTime(text(f.Timestamp)); ok {
		at = t
	}
	own := rawjson.NewObject(rawjson.Member{Name: "kind", Value: rawjson.Value(`"compaction"`)})
	if hasID {
		own.Put("id", id)
	}
	own.Put("seq", seq)
	var o rawjson.Object
	o.Put("role", "system")
	o.Set("content", rawjson.Value(`[{"type":"text","text":"Compaction"}]`))
	o.Put("timestamp", at.UnixMilli())
	o.Set("__openclaw", own.JSON())
	return o.JSON()
}

// timeLayouts are the spellings of ISO time that JavaScript reads and that
// occur: with a zone, without one (then local), and a bare day, month or year
// (then UTC). A space may stand for the T.
var timeLayouts = []struct {
	layout string
	zone   *time.Location
}{
	{time.RFC3339Nano, time.UTC},
	{"2006-01-02T15:04Z07:00", time.UTC},
	{"2006-01-02T15:04:05.999999999", time.Local},
	{"2006-01-02T15:04", time.Local},
	{"2006-01-02", time.UTC},
	{"2006-01-02T15:04:05Z0700", time.UTC},
	{"2006-01-02 15:04:05.999999999", time.Local},
	{"2006-01-02 15:04:05Z07:00", time.UTC},
	{"2006-01-02 15:04", time.Local},
	{"2006-01", time.UTC},
	{"2006", time.UTC},
}

// parseTime reads an ISO time.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	for _, l := range timeLayouts {
		if t, err := time.ParseInLocation(l.layout, s, l.zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

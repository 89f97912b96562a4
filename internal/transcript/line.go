package transcript

import (
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// fields are the members of a line that this package looks at.
type fields struct {
	Type                rawjson.Value `json:"type"`
	ID                  rawjson.Value `json:"id"`
	ParentID            rawjson.Value `json:"parentId"`
	Version             rawjson.Value `json:"version"`
	Timestamp           rawjson.Value `json:"timestamp"`
	Message             rawjson.Value `json:"message"`
	Usage               rawjson.Value `json:"usage"`
	Provider            rawjson.Value `json:"provider"`
	Model               rawjson.Value `json:"model"`
	CustomType          rawjson.Value `json:"customType"`
	Data                rawjson.Value `json:"data"`
	FirstKeptEntryID    rawjson.Value `json:"firstKeptEntryId"`
	FirstKeptEntryIndex rawjson.Value `json:"firstKeptEntryIndex"`
}

// parse reads a line. parsed is false for what is not JSON; JSON that is no
// object gives no fields.
func parse(line []byte) (f fields, parsed bool) {
	if rawjson.Kind(line) != '{' {
		return f, rawjson.Valid(line)
	}
	if err := rawjson.Unmarshal(line, &f); err != nil {
		return fields{}, false
	}
	return f, true
}

func (f *fields) typ() string { return text(f.Type) }

// listed reports whether the line is one of the messages that readers count:
// whatever its type, it has a message, or it is a compaction.
func (f *fields) listed() bool { return rawjson.Truthy(f.Message) || f.typ() == "compaction" }

// header reports whether the line is a session header.
func (f *fields) header() bool {
	return f.typ() == "session" && rawjson.Kind(f.ID) == '"'
}

// version of the format, by a header line; the oldest did not say it.
func (f *fields) version() int {
	if n, ok := rawjson.Number(f.Version); ok {
		return int(n)
	}
	return 1
}

// text is the string that v holds, or "".
func text(v rawjson.Value) string {
	s, _ := rawjson.Text(v)
	return s
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
// occur: with a zone, without one (then local), and a bare day (then UTC).
var timeLayouts = []struct {
	layout string
	zone   *time.Location
}{
	{time.RFC3339Nano, time.UTC},
	{"2006-01-02T15:04Z07:00", time.UTC},
	{"2006-01-02T15:04:05.999999999", time.Local},
	{"2006-01-02T15:04", time.Local},
	{"2006-01-02", time.UTC},
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

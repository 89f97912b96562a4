package protocol

import (
	"bytes"

	"github.com/parleyd/parley/internal/rawjson"
)

// Frame reads a request frame from text, which must be valid JSON of any kind.
// The second result says what is wrong with it, without the words "invalid
// request frame: " before it; "" means nothing is. The request's ID can be
// answered to in either case: it is the frame's id, whatever its type, or
// "invalid" when there is none. Params share the memory of text.
func (v *Validator) Frame(text []byte) (Request, string) {
	r := Request{ID: rawjson.Value(`"invalid"`)}
	if rawjson.Kind(text) == '{' && r.read(text) {
		return r, ""
	}
	return r, v.frame.problems(text)
}

// read fills r from a frame. It reports whether the frame is the usual one,
// which is valid at first sight; of any other the schema must be asked. Every
// message passes here, and asking costs ten times as much as reading (see
// BenchmarkFrame); FuzzFrame holds the two together.
func (r *Request) read(frame []byte) (usual bool) {
	var id []byte
	isRequest, others := false, false
	eachMember(frame, func(name, value []byte) {
		switch string(name) {
		case `"type"`:
			isRequest = string(value) == `"req"`
		case `"id"`:
			id = value
		case `"method"`:
			r.Method = stringOf(value)
		case `"params"`:
			r.Params = value
		case `"traceparent"`:
			r.Trace = stringOf(value)
			others = others || rawjson.Kind(value) != '"'
		default:
			others = true
			r.readEscaped(name, value, &id)
		}
	})
	if !rawjson.Null(id) {
		r.ID = bytes.Clone(id)
	}
	if rawjson.Null(r.Params) {
		r.Params = nil
	}
	return isRequest && !others && len(id) > 2 && id[0] == '"' && r.Method != ""
}

// readEscaped takes a member whose name is spelled with escapes.
func (r *Request) readEscaped(name, value []byte, id *[]byte) {
	if bytes.IndexByte(name, '\\') < 0 {
		return
	}
	switch text(name) {
	case "id":
		*id = value
	case "method":
		r.Method = stringOf(value)
	case "params":
		r.Params = value
	case "traceparent":
		r.Trace = stringOf(value)
	}
}

func stringOf(value []byte) string {
	if rawjson.Kind(value) != '"' {
		return ""
	}
	return text(value)
}

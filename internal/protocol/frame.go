package protocol

import (
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// Request is a call as it came in a frame.
type Request struct {
	ID     rawjson.Value // the raw JSON text of the id
	Method string
	Params rawjson.Value // nil when absent or null
	Trace  string        // traceparent, "" when absent
}

// StateVersion numbers the presence and health that an event belongs to.
type StateVersion struct {
	Presence int64 `json:"presence"`
	Health   int64 `json:"health"`
}

// AppendResponse appends the frame that answers the request id with payload;
// a nil payload is left out.
func AppendResponse(dst []byte, id, payload rawjson.Value) []byte {
	dst = append(dst, `{"type":"res","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"ok":true`...)
	return append(appendMember(dst, `,"payload":`, payload), '}')
}

// AppendResponseFrom is AppendResponse for a payload that appends itself.
func AppendResponseFrom(dst []byte, id rawjson.Value, payload rawjson.Appender) []byte {
	dst = append(dst, `{"type":"res","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"ok":true,"payload":`...)
	return append(payload.AppendJSON(dst), '}')
}

// AppendErrorResponse appends the frame that refuses the request id; a nil
// payload, which most refusals have, is left out.
func AppendErrorResponse(dst []byte, id rawjson.Value, e *Error, payload rawjson.Value) []byte {
	dst = append(dst, `{"type":"res","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"ok":false`...)
	dst = appendMember(dst, `,"payload":`, payload)
	dst = append(dst, `,"error":`...)
	return append(e.appendJSON(dst), '}')
}

func (e *Error) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = rawjson.AppendString(dst, string(e.Code))
	dst = append(dst, `,"message":`...)
	dst = rawjson.AppendString(dst, e.Message)
	dst = appendMember(dst, `,"details":`, e.Details)
	if e.Retryable {
		dst = append(dst, `,"retryable":true`...)
	}
	if e.RetryAfterMs != 0 {
		dst = append(dst, `,"retryAfterMs":`...)
		dst = strconv.AppendInt(dst, e.RetryAfterMs, 10)
	}
	return append(dst, '}')
}

// EventLead is what every event frame begins with.
const EventLead = `{"type":"event",`

// AppendEvent appends an event frame without its closing brace, so that one
// encoded frame serves all connections: each appends `}` or `,"seq":N}`.
func AppendEvent(dst []byte, event string, payload rawjson.Value, v *StateVersion) []byte {
	dst = append(append(dst, EventLead...), `"event":`...)
	dst = rawjson.AppendString(dst, event)
	dst = appendMember(dst, `,"payload":`, payload)
	if v != nil {
		dst = append(dst, `,"stateVersion":{"presence":`...)
		dst = strconv.AppendInt(dst, v.Presence, 10)
		dst = append(dst, `,"health":`...)
		dst = strconv.AppendInt(dst, v.Health, 10)
		dst = append(dst, '}')
	}
	return dst
}

func appendMember(dst []byte, name string, value rawjson.Value) []byte {
	if value == nil {
		return dst
	}
	return append(append(dst, name...), value...)
}

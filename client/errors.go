package client

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// Code is the kind of an Error, for programs.
type Code string

// The codes of gateways.
const (
	// InvalidRequest is anything that the caller did wrong, want of rights
	// included.
	InvalidRequest Code = "INVALID_REQUEST"
	// Unavailable is an internal failure, a limit, or "not now".
	Unavailable Code = "UNAVAILABLE"
	// NotPaired refuses a connection for want of an approved device.
	NotPaired Code = "NOT_PAIRED"
	// AgentTimeout says that an agent took too long.
	AgentTimeout Code = "AGENT_TIMEOUT"
)

// Error is a refusal or failure that the gateway answered with. Find it with
// errors.As; its Code and Details are for programs, its Message for people.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Details are particular to the kind of refusal; nil for none.
	Details json.RawMessage `json:"details,omitzero"`
	// Retryable says that the same call may succeed later, RetryAfterMs when.
	Retryable    bool  `json:"retryable,omitzero"`
	RetryAfterMs int64 `json:"retryAfterMs,omitzero"`
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Detail is a text of the details, "" when they have none of that name. The
// detail "code" tells refusals of one Code apart.
func (e *Error) Detail(name string) string {
	o, err := rawjson.Parse(e.Details)
	if err != nil {
		return ""
	}
	return o.Text(name)
}

// RetryAfter is how long to wait before the next try, 0 when nothing is said.
func (e *Error) RetryAfter() time.Duration { return time.Duration(e.RetryAfterMs) * time.Millisecond }

// Errors of connections.
var (
	// ErrClosed is what a call gets on a connection that Close has ended.
	ErrClosed = errors.New("the connection is closed")
	// ErrSlow ends an iterator of events whose loop takes them too slowly. The
	// connection itself goes on.
	ErrSlow = errors.New("too many events wait to be taken")
	// ErrSilent ends a connection on which even the gateway's regular signs of
	// life stay out.
	ErrSilent = errors.New("the gateway has fallen silent")
	// ErrLost is in the error of a call whose connection ended before the answer
	// came. The gateway may have carried the call out.
	ErrLost = errors.New("the connection was lost before the answer came")
)

// lost is why the connection of a call has ended, and an ErrLost.
type lost struct{ error }

// Is makes it an ErrLost.
func (l lost) Is(target error) bool { return target == ErrLost }

// Unwrap is why the connection has ended.
func (l lost) Unwrap() error { return l.error }

// unsent is why a connection took no call any more: this one was not sent.
type unsent struct{ error }

// Unwrap is why the connection has ended.
func (u unsent) Unwrap() error { return u.error }

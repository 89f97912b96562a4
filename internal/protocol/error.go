package protocol

import (
	"fmt"

	"github.com/parleyd/parley/internal/rawjson"
)

// Code is the machine-readable kind of an Error.
type Code string

// The codes that clients know.
const (
	// InvalidRequest is anything that the caller did wrong, rights included.
	InvalidRequest Code = "INVALID_REQUEST"
	// Unavailable is an internal failure, a rate limit, or "not now".
	Unavailable Code = "UNAVAILABLE"
	// NotPaired refuses a handshake for want of an approved device.
	NotPaired Code = "NOT_PAIRED"
	// AgentTimeout says that an agent took too long.
	AgentTimeout Code = "AGENT_TIMEOUT"
)

// Error is a refusal or failure as a client reads it. Its message is for
// people and says what to do, its details are for programs.
type Error struct {
	Code         Code          `json:"code"`
	Message      string        `json:"message"`
	Details      rawjson.Value `json:"details,omitzero"`
	Retryable    bool          `json:"retryable,omitzero"`
	RetryAfterMs int64         `json:"retryAfterMs,omitzero"`
}

// Invalidf makes an Error with code InvalidRequest.
func Invalidf(format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Message: fmt.Sprintf(format, args...)}
}

// Unavailablef makes an Error with code Unavailable.
func Unavailablef(format string, args ...any) *Error {
	return &Error{Code: Unavailable, Message: fmt.Sprintf(format, args...)}
}

// Error is the message, as clients read it.
func (e *Error) Error() string { return e.Message }

// WithDetails is e with v as details; e itself stays as it is. A v that cannot
// be encoded leaves the details absent: an error must not fail.
func (e *Error) WithDetails(v any) *Error {
	c := *e
	c.Details = nil
	if d, err := rawjson.Marshal(v); err == nil {
		c.Details = d
	}
	return &c
}

package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/parleyd/parley/internal/rawjson"
)

// A Caller makes calls: a Conn or a Client.
type Caller interface {
	Call(ctx context.Context, method string, params any) (json.RawMessage, error)
}

// A Connection makes calls and hands out events: a Conn or a Client.
type Connection interface {
	Caller
	Events(ctx context.Context) iter.Seq2[Event, error]
	Hello() *Hello
}

// Call asks for a method by its name and decodes the result into an R, which
// stays its zero value when the answer has no payload. Names match exactly,
// unknown ones are ignored.
func Call[R any](ctx context.Context, c Caller, method string, params any) (R, error) {
	var result R
	payload, err := c.Call(ctx, method, params)
	if err != nil || payload == nil {
		return result, err
	}
	if err := rawjson.Unmarshal(payload, &result); err != nil {
		return result, fmt.Errorf("decode the answer of %s: %w", method, err)
	}
	return result, nil
}

// A Method is a method of the gateway by its name, with the types of its params
// and its result. The constants of this package are the methods of the session
// plane; others can be made the same way:
//
//	const Describe client.Method[Params, Result] = "plugin.describe"
type Method[P, R any] string

// Call asks for the method.
func (m Method[P, R]) Call(ctx context.Context, c Caller, params P) (R, error) {
	return Call[R](ctx, c, string(m), params)
}

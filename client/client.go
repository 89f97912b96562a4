// Package client speaks the gateway protocol to a Parley (or OpenClaw) gateway:
// it connects with a shared token and, where wanted, a device identity, calls
// methods and hands out events.
//
//	conn, err := client.Dial(ctx, "ws://127.0.0.1:18789", client.Options{Token: token})
//	if err != nil { … }
//	defer conn.Close()
//	payload, err := conn.Call(ctx, "sessions.list", map[string]any{"limit": 10})
//
// A Conn is safe for concurrent use. Calls may overlap; answers find their call
// by id. Events keep the order in which the gateway sent them, and an event
// that a call caused comes after the answer of that call, as the gateway
// promises. A connection does not reconnect by itself: when it has ended, all
// its calls and iterators end with the reason, and a new one can be dialled.
//
// What the methods take and give is the protocol's matter (see the schemas
// directory and doc/protocol.md): params are any value that encodes to JSON,
// payloads come back as JSON.
package client

import (
	"encoding/json"
	"errors"

	"github.com/parleyd/parley/internal/protocol"
)

// Error is a refusal or failure that the gateway answered with. Find it with
// errors.As; its Code and Details are for programs, its Message for people.
type Error = protocol.Error

// Hello is what the gateway said when the connection began: who it is, what it
// can do, and the state it was in.
type Hello = protocol.HelloOK

// Info says what connects; see Options.
type Info = protocol.Client

// Event is something that the gateway told without being asked.
type Event struct {
	// Name is the kind of event, such as "chat" or "sessions.changed".
	Name string
	// Payload is the event's content.
	Payload json.RawMessage
	// Seq numbers the broadcasts of this connection; it is 0 for an event that
	// was sent to subscribers only. A gap means that events were left out.
	Seq int64
}

// Errors that a connection ends with.
var (
	// ErrClosed is what a call gets on a connection that Close has ended.
	ErrClosed = errors.New("the connection is closed")
	// ErrSlow ends an iterator of events whose loop takes them too slowly. The
	// connection itself goes on.
	ErrSlow = errors.New("too many events wait to be taken")
	// ErrSilent ends a connection on which even the gateway's regular signs of
	// life stay out.
	ErrSilent = errors.New("the gateway has fallen silent")
)

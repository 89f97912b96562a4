// Package protocol holds the vocabulary of the gateway's wire: the frames, the
// names and rights of the methods, the params of each method, the shapes of
// hello, presence and session rows, and the errors that clients read.
//
// It alone knows what makes a frame or its params valid and the exact text
// that tells a client what is wrong with them (see Validator). Everything here
// is a value or immutable after construction and safe for concurrent use; no
// input makes it panic, and equal input gives equal output.
//
// What it leaves to others: sockets, connection state and the order of frames
// belong to the gateway; rules beyond a schema (an unknown session, a label in
// use) belong to whoever keeps the state they are about.
package protocol

import "time"

// Limits that the gateway announces in hello and holds clients to.
const (
	// MaxPayload is the largest message of a connection after its handshake.
	MaxPayload = 26_214_400
	// MaxBuffered is how many bytes may wait unsent for one connection.
	MaxBuffered = 52_428_800
	// MaxHandshake is the largest message before the handshake has succeeded.
	MaxHandshake = 65_536
	// TickInterval is the time between two tick events.
	TickInterval = 30 * time.Second
)

// Versions of the protocol that this package speaks.
const (
	// Version3 is the version that every client knows.
	Version3 = 3
	// Version4 adds fields to Version3 and takes nothing away.
	Version4 = 4
)

// Roles that a client can connect with.
const (
	// RoleOperator is a person or program that uses sessions.
	RoleOperator = "operator"
	// RoleNode is a device that offers its abilities to the gateway.
	RoleNode = "node"
)

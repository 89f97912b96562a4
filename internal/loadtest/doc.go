// Package loadtest measures a gateway from outside, as its clients and its
// operating system see it, beside a floor: a bare WebSocket server of the same
// library that answers prepared bytes of the same sizes, and for durable changes
// appends and syncs before it does.
//
// Everything that is measured runs in a process of its own, on a state directory
// of its own: the gateway, another one to compare with if that is wanted, and the
// floor. They take turns, round by round, so that what the machine does besides
// hits all alike; a row is the median of its rounds, and means something only as
// a ratio. Command parley-bench is the program.
package loadtest

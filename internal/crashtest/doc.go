// Package crashtest tests from outside, on the built binary and through the
// wire, that an answered change is never lost: daemons that are killed at any
// moment, clients that change one session at once, a second program that
// rewrites the session store, a disk that is full or cannot be written.
//
// All of it is tests; nothing may import the package. The tests know only what
// clients and operators know: the protocol, and the formats of sessions.json
// and of transcripts. `make crash` runs the long form.
package crashtest

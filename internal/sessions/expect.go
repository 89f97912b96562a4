package sessions

import (
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

// sessionChanged are the details of a refusal: a program tells by them that the
// session has another id than it thought.
type sessionChanged struct {
	Reason string `json:"reason"`
}

// Expect refuses a change, which is named, of a session that has another id than
// the caller saw when it decided on the change. An id that is not given fits.
func Expect(key, id string, e Entry, change string) error {
	id, now := jstext.Trim(id), e.SessionID()
	if id == "" || id == now {
		return nil
	}
	is := "it has " + now
	if now == "" {
		is = "it has none"
	}
	return protocol.Invalidf("Session %s changed before %s: session id %s was expected, but %s. Read the session again before you decide.",
		key, change, id, is).WithDetails(sessionChanged{"session-changed"})
}

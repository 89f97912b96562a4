package gateway

import (
	"bytes"
	"maps"
	"regexp"
	"sync/atomic"

	"github.com/parleyd/parley/internal/hub"
)

// spellings are keys that a client is told in its own words. Events name sessions
// by their canonical keys, which all clients know how to read but one: the bridge
// for editors (`openclaw acp`) makes up keys without an agent, and takes only
// events whose key is, to the letter, what it sent; a prompt waited for ever. So
// a connection that sent to such a key hears of that session under it. The zero
// value is ready to use; it is safe for concurrent use.
type spellings struct {
	byKey atomic.Pointer[map[string]string] // replaced, never changed
}

// bridgeKey is a key as the bridge makes it up.
var bridgeKey = regexp.MustCompile(`^acp:[0-9a-f-]{36}$`)

// spellingsLimit bounds what a connection can have kept; the bridge has one per
// editor session.
const spellingsLimit = 256

// learn keeps how a client spells a key, if it is of the bridge's kind.
func (s *spellings) learn(canonical, given string) {
	if canonical == given || !bridgeKey.MatchString(given) {
		return
	}
	for {
		old := s.byKey.Load()
		next := map[string]string{canonical: given}
		if old != nil {
			if len(*old) >= spellingsLimit || (*old)[canonical] == given {
				return
			}
			maps.Copy(next, *old)
			next[canonical] = given
		}
		if s.byKey.CompareAndSwap(old, &next) {
			return
		}
	}
}

// respell is an event's frame with the key that the client knows. The bytes of
// such a member cannot stand in a text, where quotes are escaped.
func (s *spellings) respell(f *hub.Frame, open []byte) []byte {
	known := s.byKey.Load()
	if known == nil || f.Name != "chat" && f.Name != "agent" {
		return open
	}
	for key, given := range *known {
		member := []byte(`"sessionKey":"` + key + `"`)
		if bytes.Contains(open, member) {
			return bytes.Replace(open, member, []byte(`"sessionKey":"`+given+`"`), 1)
		}
	}
	return open
}

package sessions

import (
	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// CreateKey is the canonical key of the session that sessions.create makes of
// a key and an agent id, both optional: a bare key goes to the agent named,
// and without a key the session gets one of its own.
func (k Keys) CreateKey(key, agentID string) (string, error) {
	key = jstext.Trim(key)
	agent := k.DefaultAgent
	named := !jstext.Blank(agentID)
	if named {
		agent = NormalizeAgentID(agentID)
	}
	if key == "" {
		return "agent:" + agent + ":dashboard:" + uuid.NewString(), nil
	}
	if Malformed(key) {
		return "", malformed(key)
	}
	if own, _, ok := ParseKey(key); ok {
		if own = NormalizeAgentID(own); named && own != agent {
			return "", protocol.Invalidf("sessions.create key agent (%s) does not match agentId (%s)", own, agent)
		}
	} else if low := jstext.Lower(key); named && low != globalKey && low != unknownKey {
		return k.Canonical("agent:" + agent + ":" + key), nil
	}
	return k.Canonical(key), nil
}

// CheckKey refuses keys under which nothing may be written.
func CheckKey(key string) error {
	if Malformed(key) {
		return malformed(key)
	}
	return nil
}

func malformed(key string) *protocol.Error {
	return protocol.Invalidf("malformed session key \"%s\"", jstext.Trim(key))
}

// Create is the entry of a new session, or an existing one changed as if it
// had been patched. label, model and parent may be empty; parent is canonical.
func Create(old Entry, exists bool, label, model, parent string, r Rules) (Entry, error) {
	if !exists {
		old = r.NewSession()
	}
	var p protocol.SessionChanges
	if label != "" {
		p.Label = protocol.Some(label)
	}
	if model != "" {
		p.Model = protocol.Some(model)
	}
	e, err := Patch(old, p, r)
	if err != nil {
		return old, err
	}
	return e.With(func(o *rawjson.Object) {
		if e.SessionID() == "" {
			o.Put("sessionId", uuid.NewString())
		}
		if parent != "" {
			o.Put("parentSessionKey", parent)
		}
	}), nil
}

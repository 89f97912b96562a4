package hub

import (
	"strings"

	"github.com/parleyd/parley/internal/protocol"
)

// required is the scope a listener needs for an event (spec: protocol, scope
// guards; chat and agent events need read as well, see doc/compatibility.md).
func required(event string) protocol.Scope {
	switch event {
	case "chat", "agent", "presence", "health":
		return protocol.ScopeRead
	}
	switch {
	case strings.HasPrefix(event, "sessions."), strings.HasPrefix(event, "session."):
		return protocol.ScopeRead
	case strings.HasPrefix(event, "device.pair."), strings.HasPrefix(event, "node.pair."):
		return protocol.ScopePairing
	case strings.HasPrefix(event, "exec.approval."):
		return protocol.ScopeApprovals
	}
	return protocol.ScopeNone
}

// allowed reports whether a listener may hear an event: everybody hears tick
// and shutdown, a node hears nothing that needs a scope.
func allowed(event string, s Sink) bool {
	need := required(event)
	if need == protocol.ScopeNone {
		return true
	}
	return s.Role() == protocol.RoleOperator && s.Scopes().Allows(need)
}

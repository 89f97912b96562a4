package gateway

import (
	"context"
	"fmt"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// method is one entry of the handler table.
type method struct {
	name  string // also names its schema: schemas/<name>.json
	scope protocol.Scope
	flags flags
	serve func(*Gateway, context.Context, *call, rawjson.Value) (any, error)
}

type flags uint8

const (
	// blocking methods may wait (for a run, for an interrupt, for a cold scan
	// of a large file): they get a goroutine of their own and do not hold up
	// the calls behind them.
	blocking flags = 1 << iota
	// unvalidated methods look at their params themselves, and what is no object
	// counts as an empty one; the schema that bears their name is for readers.
	unvalidated
	// abandoned methods are blocking and only wait: their context ends with the
	// connection. All other calls run to their end when the client leaves, so
	// that nothing is left half done.
	abandoned
	// socketed methods are about what the caller hears: they need a WebSocket.
	socketed
)

// rawParams are the params of unvalidated methods.
type rawParams = rawjson.Value

// bind makes a table entry of a typed handler: params arrive valid and
// decoded, the result is encoded.
func bind[P, R any](name string, scope protocol.Scope, h func(*Gateway, context.Context, *call, P) (R, error), fs ...flags) method {
	m := method{name: name, scope: scope}
	for _, f := range fs {
		m.flags |= f
	}
	m.serve = func(g *Gateway, ctx context.Context, c *call, params rawjson.Value) (any, error) {
		var p P
		if err := protocol.Read(params, &p); err != nil {
			return nil, fmt.Errorf("decode params of %s: %w", name, err)
		}
		return h(g, ctx, c, p)
	}
	return m
}

// methods is everything a client can call, sorted by name. hello-ok advertises
// exactly this.
var methods = []method{
	bind("agent", protocol.ScopeWrite, (*Gateway).agent, abandoned),
	bind("agent.identity.get", protocol.ScopeRead, (*Gateway).agentIdentityGet),
	bind("agent.wait", protocol.ScopeWrite, (*Gateway).agentWait, abandoned),
	bind("agents.list", protocol.ScopeRead, (*Gateway).agentsList),
	bind("channels.status", protocol.ScopeRead, (*Gateway).channelsStatus),
	bind("chat.abort", protocol.ScopeWrite, (*Gateway).chatAbort),
	bind("chat.history", protocol.ScopeRead, (*Gateway).chatHistory, blocking),
	bind("chat.inject", protocol.ScopeAdmin, (*Gateway).chatInject),
	bind("chat.send", protocol.ScopeWrite, (*Gateway).chatSend),
	bind("config.apply", protocol.ScopeAdmin, (*Gateway).configApply),
	bind("config.get", protocol.ScopeRead, (*Gateway).configGet),
	bind("config.patch", protocol.ScopeAdmin, (*Gateway).configPatch),
	bind("config.schema", protocol.ScopeAdmin, (*Gateway).configSchema),
	bind("config.schema.lookup", protocol.ScopeRead, (*Gateway).configSchemaLookup),
	bind("config.set", protocol.ScopeAdmin, (*Gateway).configSet),
	bind("device.pair.approve", protocol.ScopePairing, (*Gateway).devicePairApprove),
	bind("device.pair.list", protocol.ScopePairing, (*Gateway).devicePairList),
	bind("device.pair.reject", protocol.ScopePairing, (*Gateway).devicePairReject),
	bind("device.pair.remove", protocol.ScopePairing, (*Gateway).devicePairRemove),
	bind("device.token.revoke", protocol.ScopePairing, (*Gateway).deviceTokenRevoke),
	bind("device.token.rotate", protocol.ScopePairing, (*Gateway).deviceTokenRotate),
	bind("doctor", protocol.ScopeAdmin, (*Gateway).doctor, blocking),
	bind("exec.approval.list", protocol.ScopeApprovals, (*Gateway).execApprovalList),
	bind("exec.approval.resolve", protocol.ScopeApprovals, (*Gateway).execApprovalResolve),
	bind("gateway.identity.get", protocol.ScopeRead, (*Gateway).gatewayIdentity, unvalidated),
	bind("health", protocol.ScopeNone, (*Gateway).healthMethod, unvalidated),
	bind("last-heartbeat", protocol.ScopeRead, (*Gateway).lastHeartbeat, unvalidated),
	bind("logs.tail", protocol.ScopeRead, (*Gateway).logsTail),
	bind("models.list", protocol.ScopeRead, (*Gateway).modelsList),
	bind("node.list", protocol.ScopeRead, (*Gateway).nodeList),
	bind("node.pair.list", protocol.ScopePairing, (*Gateway).nodePairList),
	bind("sessions.abort", protocol.ScopeWrite, (*Gateway).sessionsAbort),
	bind("sessions.archives", protocol.ScopeRead, (*Gateway).sessionsArchives, blocking),
	bind("sessions.cleanup", protocol.ScopeAdmin, (*Gateway).sessionsCleanup, blocking),
	bind("sessions.compact", protocol.ScopeAdmin, (*Gateway).sessionsCompact, blocking),
	bind("sessions.create", protocol.ScopeWrite, (*Gateway).sessionsCreate),
	bind("sessions.delete", protocol.ScopeAdmin, (*Gateway).sessionsDelete, blocking),
	bind("sessions.describe", protocol.ScopeRead, (*Gateway).sessionsDescribe, blocking),
	bind("sessions.export", protocol.ScopeAdmin, (*Gateway).sessionsExport, blocking),
	bind("sessions.fork", protocol.ScopeWrite, (*Gateway).sessionsFork, blocking),
	bind("sessions.get", protocol.ScopeRead, (*Gateway).sessionsGet, unvalidated, blocking),
	bind("sessions.import", protocol.ScopeAdmin, (*Gateway).sessionsImport, blocking),
	bind("sessions.import.part", protocol.ScopeAdmin, (*Gateway).sessionsImportPart, blocking),
	bind("sessions.list", protocol.ScopeRead, (*Gateway).sessionsList, blocking),
	bind("sessions.messages.subscribe", protocol.ScopeRead, (*Gateway).messagesSubscribe, socketed),
	bind("sessions.messages.unsubscribe", protocol.ScopeRead, (*Gateway).messagesUnsubscribe, socketed),
	bind("sessions.patch", protocol.ScopeAdmin, (*Gateway).sessionsPatch),
	bind("sessions.patchMany", protocol.ScopeAdmin, (*Gateway).sessionsPatchMany, blocking),
	bind("sessions.preview", protocol.ScopeRead, (*Gateway).sessionsPreview, blocking),
	bind("sessions.reset", protocol.ScopeAdmin, (*Gateway).sessionsReset, blocking),
	bind("sessions.resolve", protocol.ScopeRead, (*Gateway).sessionsResolve),
	bind("sessions.restore", protocol.ScopeAdmin, (*Gateway).sessionsRestore, blocking),
	bind("sessions.send", protocol.ScopeWrite, (*Gateway).sessionsSend),
	bind("sessions.steer", protocol.ScopeWrite, (*Gateway).sessionsSteer, blocking),
	bind("sessions.subscribe", protocol.ScopeRead, (*Gateway).sessionsSubscribe, unvalidated, socketed),
	bind("sessions.unsubscribe", protocol.ScopeRead, (*Gateway).sessionsUnsubscribe, unvalidated, socketed),
	bind("sessions.usage", protocol.ScopeRead, (*Gateway).sessionsUsage, blocking),
	bind("sessions.usage.logs", protocol.ScopeRead, (*Gateway).sessionsUsageLogs, unvalidated, blocking),
	bind("sessions.usage.timeseries", protocol.ScopeRead, (*Gateway).sessionsUsageTimeseries, unvalidated, blocking),
	bind("set-heartbeats", protocol.ScopeAdmin, (*Gateway).setHeartbeats, unvalidated),
	bind("status", protocol.ScopeRead, (*Gateway).status, unvalidated),
	bind("system-event", protocol.ScopeAdmin, (*Gateway).systemEvent, unvalidated),
	bind("system-presence", protocol.ScopeRead, (*Gateway).systemPresence, unvalidated),
}

// events are the names of all events that a connection may hear.
var events = []string{
	"connect.challenge", "agent", "chat", "session.message", "session.tool", "sessions.changed",
	"presence", "tick", "shutdown", "health", "device.pair.requested", "device.pair.resolved",
	"exec.approval.requested", "exec.approval.resolved",
}

// index makes the lookup of the table; a name that stands twice, has no schema
// or another scope than protocol.RequiredScope says is an error of the program.
func index(table []method, v *protocol.Validator) (map[string]*method, error) {
	byName := make(map[string]*method, len(table))
	for i := range table {
		m := &table[i]
		if byName[m.name] != nil {
			return nil, fmt.Errorf("method %s stands in the handler table twice", m.name)
		}
		if !v.Has(m.name) {
			return nil, fmt.Errorf("method %s has no schema schemas/%s.json", m.name, m.name)
		}
		if need, known := protocol.RequiredScope(m.name); need != m.scope || !known {
			return nil, fmt.Errorf("method %s needs scope %q in the handler table and %q in the protocol (listed there: %v)", m.name, m.scope, need, known)
		}
		byName[m.name] = m
	}
	return byName, nil
}

package protocol

import "strings"

// RequiredScope is the scope that an operator needs for method, and whether
// the protocol knows the method. Every method has one, also those that this
// gateway lacks, so that a caller without rights does not learn what exists:
// what is in no list needs ScopeAdmin. Node methods (see NodeMethod) are
// refused to an operator whatever the scopes.
func RequiredScope(method string) (required Scope, known bool) {
	switch method {
	case "health":
		return ScopeNone, true
	case "agent.identity.get", "agents.files.get", "agents.files.list", "agents.list", "channels.status",
		"chat.history", "config.get", "config.schema.lookup", "cron.list", "cron.runs", "cron.status",
		"doctor.memory.status", "gateway.identity.get", "last-heartbeat", "logs.tail", "models.list",
		"node.describe", "node.list", "sessions.archives", "sessions.describe", "sessions.get", "sessions.list", "sessions.messages.subscribe",
		"sessions.messages.unsubscribe", "sessions.preview", "sessions.resolve", "sessions.subscribe",
		"sessions.unsubscribe", "sessions.usage", "sessions.usage.logs", "sessions.usage.timeseries",
		"skills.status", "status", "system-presence", "talk.config", "tools.catalog", "tools.effective",
		"tts.providers", "tts.status", "usage.cost", "usage.status", "voicewake.get":
		return ScopeRead, true
	case "agent", "agent.wait", "browser.request", "chat.abort", "chat.send", "node.invoke",
		"node.pending.enqueue", "poll", "push.test", "send", "sessions.abort", "sessions.create",
		"sessions.fork", "sessions.send", "sessions.steer", "talk.mode", "talk.speak", "tts.convert", "tts.disable",
		"tts.enable", "tts.setProvider", "voicewake.set", "wake":
		return ScopeWrite, true
	case "agents.create", "agents.delete", "agents.files.set", "agents.update", "channels.logout",
		"chat.inject", "connect", "cron.add", "cron.remove", "cron.run", "cron.update", "doctor", "secrets.reload",
		"secrets.resolve", "sessions.cleanup", "sessions.compact", "sessions.delete", "sessions.export", "sessions.import", "sessions.import.part", "sessions.patch", "sessions.patchMany",
		"sessions.reset", "sessions.restore",
		"set-heartbeats", "skills.install", "skills.update", "system-event", "web.login.start", "web.login.wait":
		return ScopeAdmin, true
	case "exec.approval.list", "exec.approval.request", "exec.approval.resolve", "exec.approval.waitDecision":
		return ScopeApprovals, true
	case "device.pair.approve", "device.pair.list", "device.pair.reject", "device.pair.remove",
		"device.token.revoke", "device.token.rotate", "node.pair.approve", "node.pair.list", "node.pair.reject",
		"node.pair.request", "node.pair.verify", "node.rename":
		return ScopePairing, true
	}
	return ScopeAdmin, NodeMethod(method) || adminFamily(method)
}

// adminFamily reports whether all methods that begin like this one, but for
// those listed by name, need ScopeAdmin.
func adminFamily(method string) bool {
	family, _, found := strings.Cut(method, ".")
	switch family {
	case "config", "update", "wizard":
		return found
	}
	return strings.HasPrefix(method, "exec.approvals.")
}

// NodeMethod reports whether the role node, and only it, may call method.
func NodeMethod(method string) bool {
	switch method {
	case "node.canvas.capability.refresh", "node.event", "node.invoke.result", "node.pending.ack",
		"node.pending.drain", "node.pending.pull", "skills.bins":
		return true
	}
	return false
}

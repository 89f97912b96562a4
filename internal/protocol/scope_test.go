package protocol

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The table of the protocol, in its words, and then what we add to it: who may
// call what.
var methodTable = map[Scope]string{
	ScopeNone: `health`,
	ScopeRead: `status, system-presence, last-heartbeat, logs.tail, models.list, agents.list, agents.files.list, agents.files.get,
		agent.identity.get, gateway.identity.get, sessions.list, sessions.get, sessions.preview, sessions.resolve, sessions.subscribe,
		sessions.unsubscribe, sessions.messages.subscribe, sessions.messages.unsubscribe, sessions.usage, sessions.usage.timeseries,
		sessions.usage.logs, chat.history, config.get, config.schema.lookup, channels.status, usage.status, usage.cost, tools.catalog,
		tools.effective, skills.status, cron.list, cron.status, cron.runs, node.list, node.describe, voicewake.get, tts.status,
		tts.providers, talk.config, doctor.memory.status, sessions.describe, sessions.archives`,
	ScopeWrite: `sessions.create, sessions.send, sessions.steer, sessions.abort, chat.send, chat.abort, agent, agent.wait, send, poll,
		wake, node.invoke, node.pending.enqueue, browser.request, push.test, voicewake.set, talk.mode, talk.speak, tts.enable,
		tts.disable, tts.convert, tts.setProvider, sessions.fork`,
	ScopeAdmin: `sessions.patch, sessions.reset, sessions.delete, sessions.compact, chat.inject, agents.create, agents.update,
		agents.delete, agents.files.set, config.set, config.apply, config.patch, config.schema, config.anything, connect, system-event,
		set-heartbeats, secrets.reload, secrets.resolve, cron.add, cron.update, cron.remove, cron.run, skills.install, skills.update,
		channels.logout, web.login.start, web.login.wait, exec.approvals.get, wizard.start, update.run, doctor,
		sessions.cleanup, sessions.patchMany, sessions.restore`,
	ScopeApprovals: `exec.approval.list, exec.approval.request, exec.approval.waitDecision, exec.approval.resolve`,
	ScopePairing: `device.pair.list, device.pair.approve, device.pair.reject, device.pair.remove, device.token.rotate,
		device.token.revoke, node.pair.request, node.pair.list, node.pair.approve, node.pair.reject, node.pair.verify, node.rename`,
}

const nodeTable = `node.invoke.result, node.event, node.pending.drain, node.pending.pull, node.pending.ack,
	node.canvas.capability.refresh, skills.bins`

func names(table string) []string {
	return strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })
}

func TestRequiredScope(t *testing.T) {
	for want, table := range methodTable {
		for _, method := range names(table) {
			got, known := RequiredScope(method)
			if got != want || !known {
				t.Errorf("RequiredScope(%q) = %q, %v, want %q, true", method, got, known, want)
			}
			if NodeMethod(method) {
				t.Errorf("NodeMethod(%q) = true", method)
			}
		}
	}
}

func TestNodeMethods(t *testing.T) {
	for _, method := range names(nodeTable) {
		if !NodeMethod(method) {
			t.Errorf("NodeMethod(%q) = false", method)
		}
		if got, known := RequiredScope(method); got != ScopeAdmin || !known {
			t.Errorf("RequiredScope(%q) = %q, %v, want admin, known", method, got, known)
		}
	}
}

func TestUnknownMethodsNeedAdmin(t *testing.T) {
	for _, method := range []string{"", "no.such", "Status", " status", "status ", "config", "wizard", "exec.approvals", "exec.approval", "constructor", "__proto__", "sessions.list\n"} {
		if got, known := RequiredScope(method); got != ScopeAdmin || known {
			t.Errorf("RequiredScope(%q) = %q, %v, want admin, unknown", method, got, known)
		}
	}
}

func TestScopeSetAllows(t *testing.T) {
	all := []Scope{ScopeNone, ScopeRead, ScopeWrite, ScopeAdmin, ScopeApprovals, ScopePairing}
	for _, c := range []struct {
		given string
		want  []Scope
	}{
		{"", []Scope{ScopeNone}},
		{"custom.scope operator", []Scope{ScopeNone}},
		{"OPERATOR.READ", []Scope{ScopeNone}},
		{"operator.read", []Scope{ScopeNone, ScopeRead}},
		{"operator.write", []Scope{ScopeNone, ScopeRead, ScopeWrite}},
		{"operator.admin", all},
		{"operator.approvals", []Scope{ScopeNone, ScopeApprovals}},
		{"operator.pairing operator.read", []Scope{ScopeNone, ScopeRead, ScopePairing}},
	} {
		s := NewScopeSet(strings.Fields(c.given)...)
		var got []Scope
		for _, required := range all {
			if s.Allows(required) {
				got = append(got, required)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("scopes %q allow (-want +got):\n%s", c.given, d)
		}
	}
}

func TestScopeSetIsImmutable(t *testing.T) {
	given := []string{"operator.read", "x"}
	s := NewScopeSet(given...)
	given[1] = "operator.admin"
	s.Names()[0] = "operator.admin"
	if d := cmp.Diff([]string{"operator.read", "x"}, s.Names()); d != "" || s.Allows(ScopeAdmin) {
		t.Errorf("a caller changed the set: %s", d)
	}
	if (ScopeSet{}).Allows(ScopeRead) || !(ScopeSet{}).Allows(ScopeNone) {
		t.Error("the zero set must allow nothing but ScopeNone")
	}
}

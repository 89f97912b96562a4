package gateway

import (
	"regexp"
	"testing"
)

func TestAbsentPartsAnswerNone(t *testing.T) {
	g := gatewayOf(t, tokenMode)
	admin := joined(t, g, "admin", cli(1))
	for _, tt := range []struct{ method, params, want string }{
		{"node.list", `{}`, `{"ts":\d{13},"nodes":\[\]}`},
		{"node.list", `{"a":1}`, `error: invalid node.list params: at root: unexpected property 'a'`},
		{"node.pair.list", `{}`, `{"pending":\[\],"paired":\[\]}`},
		{"channels.status", `{"probe":false,"timeoutMs":8000}`, `{"ts":\d{13},"channelOrder":\[\],"channelLabels":{},"channels":{},"channelAccounts":{},"channelDefaultAccountId":{}}`},
		{"exec.approval.resolve", `{}`, `error: invalid exec.approval.resolve params: must have required property 'id'; must have required property 'decision'`},
		{"exec.approval.resolve", `{"id":"x","decision":"deny"}`, `error: unknown or expired approval id`},
		{"set-heartbeats", `{}`, `error: invalid set-heartbeats params: enabled \(boolean\) required`},
		{"set-heartbeats", `{"enabled":"yes"}`, `error: invalid set-heartbeats params: enabled \(boolean\) required`},
		{"set-heartbeats", `{"enabled":false}`, `{"ok":true,"enabled":false}`},
		{"set-heartbeats", `{"enabled":true}`, `error: this gateway has no heartbeats to turn on`},
	} {
		if got := callAs(t, g, admin, tt.method, tt.params); !regexp.MustCompile(`^` + tt.want + `$`).MatchString(got) {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.params, got, tt.want)
		}
	}
}

package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// problems are the lines of an invalid configuration, or nil.
func problems(t *testing.T, text string) []string {
	t.Helper()
	_, _, err := Parse(text, testOptions(nil))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("error is a %T: %v", err, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if want := "Invalid config at /state/parley.json:"; lines[0] != want {
		t.Errorf("first line %q, want %q", lines[0], want)
	}
	return lines[1:]
}

func TestProblems(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{`{session: {bogus: 1}}`, []string{`- session: Unrecognized key: "bogus"`}},
		{`{session: {reset: {bogus: 1, worse: 2}}}`, []string{`- session.reset: Unrecognized keys: "bogus", "worse"`}},
		{`{session: {maintenance: {pruneAfter: "soon", resetArchiveRetention: true, rotateBytes: "big", maxDiskBytes: {}, highWaterBytes: "-1"}}}`, []string{
			`- session.maintenance.pruneAfter: invalid duration (use ms, s, m, h, d)`,
			`- session.maintenance.rotateBytes: invalid size (use b, kb, mb, gb, tb)`,
			`- session.maintenance.resetArchiveRetention: invalid duration (use ms, s, m, h, d)`,
			`- session.maintenance.maxDiskBytes: invalid size (use b, kb, mb, gb, tb)`,
			`- session.maintenance.highWaterBytes: invalid size (use b, kb, mb, gb, tb)`,
		}},
		{`{sesion: {}}`, []string{`- <root>: Unrecognized key: "sesion" (did you mean "session"?)`}},
		{`{Gateway: {}}`, []string{`- <root>: Unrecognized key: "Gateway" (did you mean "gateway"?)`}},
		{`{gateway: {auth: {tokn: "x"}}}`, []string{`- gateway.auth: Unrecognized key: "tokn" (did you mean "token"?)`}},
		{`{gateway: {port: 0, bind: "wan", controlUi: {enabled: "yes"}, trustedProxies: "x", tls: []}}`, []string{
			`- gateway.port: Too small: expected number to be >=1`,
			`- gateway.bind: Invalid option: expected one of "auto"|"lan"|"loopback"|"custom"|"tailnet"`,
			`- gateway.controlUi.enabled: Invalid input: expected boolean, received string`,
			`- gateway.trustedProxies: Invalid input: expected array, received string`,
			`- gateway.tls: Invalid input: expected object, received array`,
		}},
		{`{gateway: {port: 65536}}`, []string{`- gateway.port: Too big: expected number to be <=65535`}},
		{`{gateway: {port: 1.5}}`, []string{`- gateway.port: Invalid input: expected int, received number`}},
		{`{gateway: {port: Infinity}}`, []string{`- gateway.port: Invalid input: expected number, received number`}},
		{`{session: {idleMinutes: 0, reset: {atHour: 24, mode: "weekly"}, resetByChannel: {x: {idleMinutes: "1"}}, resetByType: {room: {}}}}`, []string{
			`- session.idleMinutes: Too small: expected number to be >=1`,
			`- session.reset.mode: Invalid option: expected one of "daily"|"idle"`,
			`- session.reset.atHour: Too big: expected number to be <=23`,
			`- session.resetByType: Unrecognized key: "room"`,
			`- session.resetByChannel.x.idleMinutes: Invalid input: expected number, received string`,
		}},
		{`{session: {sendPolicy: {rules: [{}, {action: "deny", match: {chatType: "room"}}]}}}`, []string{
			`- session.sendPolicy.rules.0.action: Invalid input: expected string, received undefined`,
			`- session.sendPolicy.rules.1.match.chatType: Invalid option: expected one of "direct"|"group"|"channel"|"dm"`,
		}},
		{`{agents: {list: [{name: "x"}, {id: 1}]}}`, []string{
			`- agents.list.0.id: Invalid input: expected string, received undefined`,
			`- agents.list.1.id: Invalid input: expected string, received number`,
		}},
		{`{models: {providers: {p: {models: [{id: "m", cost: {input: -1}, compat: []}]}}}}`, []string{
			`- models.providers.p.models.0.cost.input: Too small: expected number to be >=0`,
			`- models.providers.p.models.0.compat: Invalid input: expected object, received array`,
			`- models.providers.p.baseUrl: a provider with api "openai-completions" needs a baseUrl, such as http://127.0.0.1:11434/v1`,
		}},
		{`{parley: {deviceless: "yes", protocols: [2, 5], runs: {onRestart: "retry"}}}`, []string{
			`- parley.deviceless: Invalid option: expected one of "loopback"|"never"|"always"`,
			`- parley.protocols.0: Too small: expected number to be >=3`,
			`- parley.protocols.1: Too big: expected number to be <=4`,
			`- parley.runs.onRestart: Invalid option: expected one of "close"|"resume"`,
		}},
		{`{parley: {protocols: []}}`, []string{`- parley.protocols: Too small: expected array to have >=1 items`}},
		{`{env: {A: 1, vars: {B: null}}}`, []string{
			`- env.vars.B: Invalid input: expected string, received null`,
			`- env.A: Invalid input: expected string, received number`,
		}},
		{`{gateway: {auth: {token: {source: "exec", id: "x"}}}}`, []string{`- gateway.auth.token: secrets from source "exec" are not supported: write the value, or ${NAME}`}},
		{`{session: {dmScope: "x", parentForkMaxTokens: -1, resetTriggers: [1]}}`, []string{
			`- session.dmScope: Invalid option: expected one of "main"|"per-peer"|"per-channel-peer"|"per-account-channel-peer"`,
			`- session.resetTriggers.0: Invalid input: expected string, received number`,
			`- session.parentForkMaxTokens: Too small: expected number to be >=0`,
		}},
		{`{session: null}`, []string{`- session: Invalid input: expected object, received null`}},
		{`[]`, []string{`- <root>: Invalid input: expected object, received array`}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, problems(t, tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnusedKeysAreNamedOnce(t *testing.T) {
	_, ws, err := Parse(`{$schema: "x", meta: {}, wizard: {}, channels: {telegram: {anything: 1}}, gateway: {remote: {url: "x"}, http: {endpoints: {}}}, session: {typingMode: "never", dmScope: "main", resetTriggers: []},
		agents: {defaults: {heartbeat: {every: "5m", target: "last"}, subagents: {maxConcurrent: 1}}, list: [{id: "a", tools: {}}]}, models: {mode: "merge"}, env: {shellEnv: {}}}`, testOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{"the configuration has keys that Parley does not use: agents.defaults.heartbeat, agents.defaults.subagents.maxConcurrent, agents.list.0.tools, " +
		"channels, env.shellEnv, gateway.http.endpoints, gateway.remote, models.mode, session.dmScope, session.resetTriggers, session.typingMode"}
	if diff := cmp.Diff(want, ws); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"maintenance", "reset", "resetByType", "store", "scope", "idleMinutes"}
	for wrong, want := range map[string]string{
		"maintainance": "maintenance", "resets": "reset", "STORE": "store", "idleMinute": "idleMinutes", "resetbytype": "resetByType", "socpe": "scope", "bogus": "", "x": "", "": "",
	} {
		if got := suggest(wrong, known); got != want {
			t.Errorf("suggest(%q) = %q, want %q", wrong, got, want)
		}
	}
}

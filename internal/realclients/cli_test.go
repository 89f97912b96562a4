package realclients

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// command is a call of OpenClaw's command line and what it must print.
type command struct {
	name string
	args []string
	// remote is for commands that take the gateway from the configuration; the
	// others get --url and --token.
	remote bool
	// bare commands get neither.
	bare bool
	code int
	// want are expressions that must all match what is printed.
	want []string
	// never are expressions that must not.
	never []string
}

var commands = []command{
	{name: "gateway call", args: words("gateway call sessions.list --json"), want: []string{`"key": "agent:main:seen"`}},
	{name: "gateway call with params", args: []string{"gateway", "call", "sessions.resolve", "--params", `{"key":"seen"}`},
		want: []string{`(?m)^Gateway call: sessions.resolve$`, `"key": "agent:main:seen"`}},
	{name: "gateway call agent, accepted", args: []string{"gateway", "call", "agent", "--params", `{"message":"[[say no wait]]","sessionKey":"agent:main:call-1","idempotencyKey":"call-1"}`},
		want: []string{`"runId": "call-1"`, `"status": "accepted"`, `"acceptedAt": \d{13}`}},
	{name: "gateway call agent --expect-final", args: []string{"gateway", "call", "agent", "--expect-final", "--params", `{"message":"[[say to the end]]","sessionKey":"agent:main:call-2","idempotencyKey":"call-2"}`},
		want: []string{`"runId": "call-2"`, `"status": "ok"`, `"summary": "completed"`, `"text": "to the end"`, `"mediaUrl": null`, `"meta": \{`}},
	{name: "gateway call, a refusal", args: []string{"gateway", "call", "chat.history", "--params", `{}`}, code: 1,
		want: []string{`Gateway call failed: GatewayClientRequestError: invalid chat.history params: must have required property 'sessionKey'`}},
	{name: "gateway call, unknown method", args: words("gateway call no.such"), code: 1,
		want: []string{`Gateway call failed: GatewayClientRequestError: unknown method: no\.such`}},
	{name: "gateway call, wrong token", args: words("gateway call health --url {url} --token wrong"), bare: true, code: 1,
		want: []string{`unauthorized: gateway token mismatch \(set gateway\.remote\.token to match gateway\.auth\.token\)`, `gateway closed \(1008\)`}},
	{name: "gateway call, no token", args: words("gateway call health --url {url}"), bare: true, code: 1,
		want: []string{`gateway url override requires explicit credentials`}},
	{name: "gateway health", args: words("gateway health"), want: []string{`OK \(\d+ms\)`}},
	{name: "gateway status", args: words("gateway status"), want: []string{`RPC probe: ok`}},
	{name: "gateway status --require-rpc", args: words("gateway status --require-rpc"), want: []string{`RPC probe: ok`}},
	{name: "gateway probe", args: words("gateway probe --timeout 10000"),
		want: []string{`Reachable: yes`, `Connect: ok \(\d+ms\) · RPC: ok`, `Gateway: \S.* · app \S+`}},
	{name: "health", args: words("health"), remote: true,
		want: []string{`Agents: main \(default\)`, `Heartbeat interval: disabled \(main\)`, `Session store \(main\): {store} \(\d+ entries\)`, `- agent:main:\S+ \(\d+m ago\)`}},
	{name: "agent --agent", args: []string{"agent", "--agent", "main", "-m", "[[say one two]]"}, remote: true, want: []string{`(?m)^one two$`}},
	{name: "agent --json", args: []string{"agent", "--agent", "main", "-m", "[[say as json]]", "--json"}, remote: true,
		want: []string{`"status": "ok"`, `"text": "as json"`}, never: []string{`"status": "accepted"`}},
	{name: "agent --session-id", args: []string{"agent", "--session-id", "{id}", "-m", "[[say to an id]]"}, remote: true, want: []string{`(?m)^to an id$`}},
	{name: "agent, a failure", args: []string{"agent", "--agent", "main", "-m", "[[fail 401]]"}, remote: true, code: 1, want: []string{`401`}},
	{name: "status", args: words("status"), remote: true, want: []string{`reachable \d+ms`, `auth token`}},
	{name: "sessions", args: words("sessions --store {store}"), bare: true, want: []string{`Session store: {store}`, `Sessions listed: \d+`, `agent:main:seen`}},
	{name: "logs", args: words("logs --limit 5"), want: []string{`Log file: .*parley-\d{4}-\d\d-\d\d\.log`, `client connected`}},
	{name: "logs --json", args: words("logs --limit 5 --json"),
		want: []string{`"type":"meta","file":"[^"]+","cursor":\d+,"size":\d+`, `"type":"log","time":"[^"]+","level":"info","message":"client connected[" ]`}},
	{name: "devices list", args: words("devices list"), want: []string{`Paired \([1-9]\d*\)`, `operator`}},
	{name: "devices list --json", args: words("devices list --json"), want: []string{`"pending": \[`, `"deviceId": "[0-9a-f]{64}"`, `"roles": \[`, `"tokens": `}},
	{name: "system presence", args: words("system presence"), want: []string{`"mode": "gateway"`, `"reason": "self"`}},
	{name: "system heartbeat last", args: words("system heartbeat last"), want: []string{`(?m)^null$`}},
	{name: "nodes status", args: words("nodes status"), want: []string{`Known: 0 · Paired: 0 · Connected: 0`}},
	// What Parley has no part for ends with its name and 1.
	{name: "system event", args: words("system event --text hello"), code: 1, want: []string{`unknown method: wake`}},
	{name: "cron list", args: words("cron list"), code: 1, want: []string{`unknown method: cron\.list`}},
	{name: "cron status", args: words("cron status"), code: 1, want: []string{`unknown method: cron\.status`}},
}

func words(s string) []string { return strings.Fields(s) }

// TestCommandLine runs what people and scripts type: OpenClaw's commands print
// what they print with its own gateway.
func TestCommandLine(t *testing.T) {
	d := startDaemon(t, "")
	o := d.ours()
	o.say("agent:main:seen", "hello")
	var row struct{ Session struct{ SessionID string } }
	o.call("sessions.describe", map[string]any{"key": "agent:main:seen"}, &row)
	fill := strings.NewReplacer("{url}", d.url(), "{store}", d.store(), "{id}", row.Session.SessionID)
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.try(t, d, fill)
		})
	}
}

func (c command) try(t *testing.T, d *daemon, fill *strings.Replacer) {
	h := newHome(t)
	args := []string{}
	for _, a := range c.args {
		args = append(args, fill.Replace(a))
	}
	switch {
	case c.remote:
		h.configure(fmt.Sprintf(`{"gateway":{"mode":"remote","remote":{"url":%q,"token":%q}}}`, d.url(), token))
	case !c.bare:
		args = append(args, "--url", d.url(), "--token", token)
		if !slices.Contains(args, "--timeout") { // its own is 10 s, which a busy machine takes
			args = append(args, "--timeout", "60000")
		}
	}
	printed, code := h.run(args...)
	if code != c.code {
		t.Errorf("exit code %d, want %d", code, c.code)
	}
	for _, want := range c.want {
		if !regexp.MustCompile(fill.Replace(want)).MatchString(printed) {
			t.Errorf("nothing matches %s", want)
		}
	}
	for _, never := range c.never {
		if regexp.MustCompile(fill.Replace(never)).MatchString(printed) {
			t.Errorf("something matches %s", never)
		}
	}
	if t.Failed() {
		t.Logf("openclaw %s printed:\n%s", strings.Join(args, " "), printed)
	}
}

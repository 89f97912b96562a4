package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onDisk is the configuration of a file, and what writes the file anew.
func onDisk(t *testing.T, text string) (c *Config, write func(string)) {
	t.Helper()
	dir := t.TempDir()
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "parley.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	c, _, err := Load(Options{StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c, _, err = EnsureToken(c)
	if err != nil {
		t.Fatal(err)
	}
	return c, write
}

// What a start has made something of stays, until the file says so again.
func TestReloadKeepsWhatNeedsARestart(t *testing.T) {
	c, write := onDisk(t, `{gateway: {port: 1111}, agents: {list: [{id: "a"}]}}`)
	c.Gateway.Bind, c.Gateway.CustomBindHost = "custom", "100.64.0.1" // as a start settles it
	write(`{gateway: {port: 2222, trustedProxies: ["10.0.0.1"]}, agents: {list: [{id: "b"}]}, session: {scope: "global"}, logging: {level: "debug"}}`)
	next, _, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	if next.Gateway.Port != 1111 || next.Gateway.Bind != "custom" || next.DefaultAgent() != "a" || next.Session.Global {
		t.Errorf("%+v, default agent %s", next.Gateway, next.DefaultAgent())
	}
	if len(next.Gateway.TrustedProxies) != 1 || next.Logging.Level != "debug" || next.Gateway.Auth.Token != c.Gateway.Auth.Token {
		t.Errorf("what can change did not, or the token did: %+v", next.Gateway)
	}
	want := []string{"gateway.port", "session.scope", "agents.list (the default agent)"}
	if d := cmp.Diff(want, next.NeedsRestart()); d != "" {
		t.Errorf("needs a restart (-want +got):\n%s", d)
	}
	write(`{gateway: {port: 1111}, agents: {list: [{id: "a"}]}}`)
	if back, _, err := next.Reload(); err != nil || back.NeedsRestart() != nil {
		t.Errorf("back to what runs: %v, %v", back.NeedsRestart(), err)
	}
}

func TestReloadRefusesWhatCannotStart(t *testing.T) {
	c, write := onDisk(t, `{}`)
	for _, text := range []string{`{`, `{gateway: {port: 0}}`, `{gateway: {auth: {mode: "password"}}}`} {
		write(text)
		if next, _, err := c.Reload(); err == nil {
			t.Errorf("%s gave %+v", text, next)
		}
	}
}

func TestChanges(t *testing.T) {
	c, write := onDisk(t, `{gateway: {auth: {mode: "token", token: "old-secret"}}, ui: {assistant: {name: "A"}}, agents: {list: [{id: "a", name: "x"}, {id: "b"}]}, logging: {level: "info"}}`)
	write(`{gateway: {auth: {mode: "token", token: "new-secret"}}, agents: {list: [{id: "a", name: "y"}, {id: "b"}]}, logging: {level: "info"}, session: {idleMinutes: 5}}`)
	next, _, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{"gateway.auth.token", `"__OPENCLAW_REDACTED__"`, `"__OPENCLAW_REDACTED__"`},
		{"ui", `{"assistant":{"name":"A"}}`, ""},
		{"agents.list.0.name", `"x"`, `"y"`},
		{"session", "", `{"idleMinutes":5}`},
	}
	if d := cmp.Diff(want, c.Changes(next)); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if got := next.Changes(next); got != nil {
		t.Errorf("nothing changed: %v", got)
	}
}

// Every part that lasts is compared, and outlast keeps it.
func TestLastingKeys(t *testing.T) {
	keys := lastingKeys()
	if len(keys) != 12 || !slices.Contains(keys, "parley.tracing") {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	a, _ := onDisk(t, `{}`)
	b, _ := onDisk(t, `{gateway: {port: 5, bind: "custom", customBindHost: "127.0.0.2", tls: {enabled: true}}, session: {store: "x", scope: "global"},
		agents: {list: [{id: "z"}], defaults: {maxConcurrent: 3}}, logging: {file: "l"}, parley: {admin: "127.0.0.1:9", tracing: {endpoint: "http://h"}},
		models: {providers: {desk: {api: "acp", command: "x", models: [{id: "m"}]}}}}`)
	b.outlast(a)
	if d := cmp.Diff(keys, b.NeedsRestart()); d != "" {
		t.Errorf("(-all +noticed):\n%s", d)
	}
	if d := a.lastingParts().differences(b.lastingParts()); d != nil {
		t.Errorf("did not outlast: %v", d)
	}
}

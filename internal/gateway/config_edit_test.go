package gateway

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// onFile is a gateway that runs with a configuration file of this text.
func onFile(t *testing.T, text string) (g *Gateway, file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "parley.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(config.Options{StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	g, err = New(Options{Config: c, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, file
}

func quote(s string) string { return string(rawjson.MustMarshal(s)) }

// TestConfigEdits is what the Control UI's configuration page does: read, edit
// what was read, write it back with the hash.
func TestConfigEdits(t *testing.T) {
	g, file := onFile(t, "{gateway: {auth: {mode: 'token', token: 'secret-token'}}, // mine\n}")
	admin := joined(t, g, "admin", cli(1))
	get := func() rawjson.Object {
		t.Helper()
		o, err := rawjson.Parse(rawjson.Value(callAs(t, g, admin, "config.get", `{}`)))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	shown := get()
	for _, tt := range []struct{ method, params, want string }{
		{"config.set", `{"raw":"{}"}`, "error: config base hash required; re-run config.get and retry"},
		{"config.patch", `{"raw":"{}","baseHash":"x"}`, "error: config changed since last load; re-run config.get and retry"},
		{"config.apply", `{"raw":"{gateway:{port:0}}","baseHash":` + quote(shown.Text("hash")) + `}`, "error: invalid config: gateway.port: Too small: expected number to be >=1"},
	} {
		if got := callAs(t, g, admin, tt.method, tt.params); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.params, got, tt.want)
		}
	}
	raw := strings.Replace(shown.Text("raw"), "gateway:", "ui: {}, gateway:", 1)
	got := callAs(t, g, admin, "config.set", `{"raw":`+quote(raw)+`,"baseHash":`+quote(shown.Text("hash"))+`}`)
	now := get()
	want := `{"ok":true,"path":` + quote(file) + `,"config":{"ui":{},"gateway":{"auth":{"mode":"token","token":"` + config.Redacted + `"}}},"hash":` + quote(now.Text("hash")) + `,"restartRequired":false}` // it is taken in at once
	if got != want {
		t.Errorf("config.set\n got %s\nwant %s", got, want)
	}
	if got := onDisk(t, file); got != "{ui: {}, gateway: {auth: {mode: 'token', token: 'secret-token'}}, // mine\n}" {
		t.Errorf("the file is %s", got)
	}
	got = callAs(t, g, admin, "config.patch", `{"raw":"{ui:null,gateway:{port:7}}","note":"for the next start","baseHash":`+quote(now.Text("hash"))+`}`)
	if !strings.HasPrefix(got, `{"ok":true,`) || !strings.HasSuffix(got, `"restartRequired":true}`) {
		t.Errorf("config.patch of what a start decides: %s", got)
	}
	if got := callAs(t, g, admin, "config.apply", `{"raw":"{}"}`); !strings.HasPrefix(got, "error: rate limit exceeded for config.apply") {
		t.Errorf("the fourth call in a minute: %s", got)
	}
	reader := joined(t, g, "reader", cli(2, asking("operator.read")))
	for _, m := range []string{"config.set", "config.patch", "config.apply", "config.schema"} {
		if got := callAs(t, g, reader, m, `{}`); got != "error: missing scope: operator.admin" {
			t.Errorf("%s for a reader: %s", m, got)
		}
	}
}

func onDisk(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A form shows each problem beside its field, so problems come one by one too.
func TestConfigEditTellsIssues(t *testing.T) {
	g, _ := onFile(t, `{}`)
	_, err := g.configSet(t.Context(), &call{conn: &conn{}}, protocol.ConfigSetParams{Raw: `{gateway: {port: 0}, x: 1}`, BaseHash: g.cfg().Current().Hash()})
	perr, ok := err.(*protocol.Error)
	if !ok || perr.Code != protocol.InvalidRequest {
		t.Fatalf("error %v", err)
	}
	const want = `{"issues":[{"path":"gateway.port","message":"Too small: expected number to be >=1"},{"path":"","message":"Unrecognized key: \"x\""}]}`
	if got := string(perr.Details); got != want {
		t.Errorf("details\n got %s\nwant %s", got, want)
	}
}

func TestConfigSchema(t *testing.T) {
	g, _ := onFile(t, `{gateway: {auth: {mode: 'token', token: 'secret-token'}}}`)
	admin := joined(t, g, "admin", cli(1))
	got := callAs(t, g, admin, "config.schema", `{}`)
	if !strings.HasPrefix(got, `{"schema":{"$schema":"http://json-schema.org/draft-07/schema#"`) || !strings.Contains(got, `,"uiHints":{},"version":"test","generatedAt":"`) {
		t.Errorf("config.schema: %s", got)
	}
	for path, want := range map[string]string{
		"gateway.port": `{"path":"gateway.port","schema":{"type":"integer","minimum":1,"maximum":65535,"description":"The port. OPENCLAW_GATEWAY_PORT and --port win. Default: 18789."},"children":[]}`,
		"session.resetByType.dm": `{"path":"session.resetByType.dm","schema":{"type":"object","properties":{"mode":{"type":"string","enum":["daily","idle"],"description":"When a session begins anew with its next message: after an hour of the day, or after a time without messages. Default: daily."},"atHour":{"type":"integer","minimum":0,"maximum":23,"description":"The hour, in local time. Default: 4."},"idleMinutes":{"type":"integer","minimum":1,"maximum":9007199254740991,"description":"The time; in mode daily it counts as well."}},"additionalProperties":false},` +
			`"children":[{"key":"mode","path":"session.resetByType.dm.mode","type":"string","required":false,"hasChildren":false},{"key":"atHour","path":"session.resetByType.dm.atHour","type":"integer","required":false,"hasChildren":false},{"key":"idleMinutes","path":"session.resetByType.dm.idleMinutes","type":"integer","required":false,"hasChildren":false}]}`,
		"env.vars":     `{"path":"env.vars","schema":{"type":"object","additionalProperties":{"type":"string","description":"A variable that is set where the environment does not set it."}},"children":[{"key":"*","path":"env.vars.*","type":"string","required":false,"hasChildren":false}]}`,
		"gateway.nope": "error: config schema path not found: gateway.nope",
	} {
		if got := callAs(t, g, admin, "config.schema.lookup", `{"path":`+quote(path)+`}`); got != want {
			t.Errorf("%s\n got %s\nwant %s", path, got, want)
		}
	}
	if got := callAs(t, g, admin, "config.schema.lookup", `{"path":"agents.list"}`); !strings.Contains(got, `"children":[{"key":"*","path":"agents.list.*","type":"object","required":false,"hasChildren":true}]`) {
		t.Errorf("agents.list: %s", got)
	}
}

package gateway

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/config"
)

// rewrite replaces the configuration file and has it read.
func rewrite(t *testing.T, g *Gateway, file, text string) error {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return g.Reload()
}

// What the log says of a reload, and what then holds. Secrets are not told.
func TestReload(t *testing.T) {
	g, file := onFile(t, `{gateway: {auth: {mode: "token", token: "secret-token"}}}`)
	var log bytes.Buffer
	g.log = slog.New(slog.NewTextHandler(&log, nil))
	var told *config.Config
	g.reloaded = func(c *config.Config) { told = c }
	admin := joined(t, g, "admin", cli(1))
	err := rewrite(t, g, file, `{gateway: {port: 5, auth: {mode: "token", token: "secret-token"}}, parley: {protocols: [3]}, session: {maintenance: {maxEntries: 7}},
		models: {providers: {x: {baseUrl: "http://127.0.0.1:1", apiKey: "model-secret", models: [{id: "m"}]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"key=parley", "protocols", `key=gateway.port was="" now=5`, "next start only\" keys=gateway.port",
		"__OPENCLAW_REDACTED__",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "secret-token") || strings.Contains(log.String(), "model-secret") {
		t.Errorf("the log has a secret:\n%s", log.String())
	}
	if told == nil || told.Logging != g.cfg().Logging || g.cfg().Gateway.Port == 5 || len(g.cfg().Parley.Protocols) != 1 {
		t.Errorf("told %v, now %+v", told, g.cfg().Parley)
	}
	if got := callAs(t, g, admin, "models.list", `{}`); !strings.Contains(got, `"id":"m"`) {
		t.Errorf("models after the reload: %s", got)
	}
	if admin.out.isClosing() {
		t.Error("the connection was closed though its secret is the same")
	}
}

// A file that does not hold changes nothing.
func TestReloadOfABrokenFile(t *testing.T) {
	g, file := onFile(t, `{gateway: {auth: {mode: "token", token: "secret-token"}}, parley: {protocols: [4]}}`)
	var log bytes.Buffer
	g.log = slog.New(slog.NewTextHandler(&log, nil))
	before := g.cfg()
	for _, text := range []string{`{`, `{gateway: {prot: 1}}`, `{gateway: {auth: {mode: "password"}}}`} {
		log.Reset()
		if err := rewrite(t, g, file, text); err == nil || g.cfg() != before || !strings.Contains(log.String(), "the one before still holds") {
			t.Errorf("%s: %v, log %s", text, err, log.String())
		}
	}
}

// A changed secret ends the connections that came in by the old one, and the old
// one lets nobody in.
func TestReloadOfTheSecret(t *testing.T) {
	g, file := onFile(t, `{gateway: {auth: {mode: "token", token: "secret-token"}}}`)
	with, device := joined(t, g, "with", cli(1)), joined(t, g, "device", cli(2))
	device.admitted.method = auth.ByDeviceToken
	slow, p := cli(4).arrive()
	slow.id = "slow"
	if _, no := g.handshake(slow, p); no != nil {
		t.Fatal(no.err)
	}
	if err := rewrite(t, g, file, `{gateway: {auth: {mode: "token", token: "another"}}}`); err != nil {
		t.Fatal(err)
	}
	if e, ok := with.out.lastWord(); !ok || e.status != 1008 || e.reason != secretChanged {
		t.Errorf("the connection with the old secret: %+v, %v", e, ok)
	}
	if device.out.isClosing() {
		t.Error("a device with a token of its own was closed")
	}
	c, p := cli(3).arrive()
	if _, no := g.handshake(c, p); no == nil {
		t.Error("the old secret lets somebody in")
	}
	if !g.enter(slow) || !g.join(slow) {
		t.Fatal("the gateway is stopping")
	}
	defer g.leave(slow)
	if !slow.out.isClosing() {
		t.Error("who was judged by the old secret and joined later stays")
	}
}

// gateway.reload.mode says whether a changed file is taken in unasked.
func TestFilesChanged(t *testing.T) {
	for mode, taken := range map[string]bool{"hot": true, "hybrid": true, "off": false, "restart": false} {
		text := `{gateway: {reload: {mode: "` + mode + `"}, auth: {mode: "token", token: "secret-token"}}`
		g, file := onFile(t, text+"}")
		if err := os.WriteFile(file, []byte(text+`, parley: {protocols: [3]}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		g.FilesChanged()
		if got := len(g.cfg().Parley.Protocols) == 1; got != taken {
			t.Errorf("mode %s: taken in %v", mode, got)
		}
	}
}

package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestModelsList(t *testing.T) {
	const provider = `models: {providers: {fake: {baseUrl: "u", models: [{id: "m1"}, {id: "m2", name: "M2", reasoning: true, input: ["text", "image"], contextWindow: 9}]}}}`
	tests := []struct{ name, cfg, want string }{
		{"nothing configured", `{}`, `{"models":[{"id":"echo","name":"Echo","provider":"echo","contextWindow":128000,"reasoning":false,"input":["text"]}]}`},
		{"all", `{` + provider + `}`, `{"models":[{"id":"m1","name":"m1","provider":"fake","reasoning":false,"input":["text"]},{"id":"m2","name":"M2","provider":"fake","contextWindow":9,"reasoning":true,"input":["text","image"]}]}`},
		{"allowed", `{` + provider + `, agents: {defaults: {models: {"other/x": {}, "fake/m1": {}}}}}`, `{"models":[{"id":"m1","name":"m1","provider":"fake","reasoning":false,"input":["text"]},{"id":"x","name":"x","provider":"other"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := configured(t, tt.cfg, nil).modelsList(t.Context(), nil, protocol.NoParams{})
			if diff := cmp.Diff(tt.want, encoded(t, "_result.models.list", r, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLastHeartbeatIsNull(t *testing.T) {
	r, err := configured(t, `{}`, nil).lastHeartbeat(t.Context(), nil, protocol.NoParams{})
	if err != nil {
		t.Fatal(err)
	}
	// The payload is there and null; many clients tell that from none.
	const want = `{"type":"res","id":"1","ok":true,"payload":null}`
	if got := string(encodeAnswer(rawjson.Value(`"1"`), r, nil).appendText(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConfigGet(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "parley.json")
	const text = "{\n  // mine\n  gateway: {auth: {token: 'tok-123'}},\n  ui: {assistant: {name: '${USER_NAME}'}},\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(config.Options{StateDir: dir, HomeDir: dir, WorkDir: dir, Env: func(name string) string { return map[string]string{"USER_NAME": "Ann"}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{live: config.NewLive(c)}
	get := func() rawjson.Object {
		t.Helper()
		r, err := g.configGet(t.Context(), nil, protocol.NoParams{})
		o, parseErr := rawjson.Parse([]byte(encoded(t, "", r, err)))
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		return o
	}
	o := get()
	want := map[string]string{
		"path":   string(rawjson.MustMarshal(file)),
		"exists": `true`,
		"raw":    string(rawjson.MustMarshal(strings.ReplaceAll(text, "tok-123", config.Redacted))),
		"parsed": `{"gateway":{"auth":{"token":"__OPENCLAW_REDACTED__"}},"ui":{"assistant":{"name":"${USER_NAME}"}}}`,
		"valid":  `true`,
		"config": `{"gateway":{"auth":{"token":"__OPENCLAW_REDACTED__"}},"ui":{"assistant":{"name":"Ann"}}}`,
		"issues": `[]`,
	}
	for name, value := range want {
		if got := string(o.Get(name)); got != value {
			t.Errorf("%s\n got %s\nwant %s", name, got, value)
		}
	}
	if hash := o.Text("hash"); len(hash) != 64 {
		t.Errorf("hash = %q", hash)
	}
	if err := os.WriteFile(file, []byte(`{gatewy: {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o = get()
	if got := string(o.Get("valid")) + string(o.Get("issues")); got != `false[{"path":"","message":"Unrecognized key: \"gatewy\" (did you mean \"gateway\"?)"}]` {
		t.Errorf("broken file: %s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	o = get()
	if got := string(o.Get("exists")) + string(o.Get("raw")) + string(o.Get("config")); got != `falsenull{}` {
		t.Errorf("no file: %s", got)
	}
}

package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestSecretIsNeverShown(t *testing.T) {
	s := NewSecret("hunter2")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "auth", fmt.Sprint(Auth{Token: s}))
	asJSON, err := rawjson.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{s.String(), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %x", s, s, s, s, s), fmt.Sprintf("%+v %#v", Auth{Token: s}, Auth{Token: s}), log.String(), string(asJSON)} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74") {
			t.Errorf("shown: %s", shown)
		}
	}
	if NewSecret("").String() != "" || !NewSecret("").Empty() || s.Empty() || s.Reveal() != "hunter2" {
		t.Error("empty or full secrets tell the wrong thing")
	}
}

func TestRedacted(t *testing.T) {
	const text = `{
  // the page's own token
  gateway: { auth: { token: 'tok-1', password: "pa\"ss" }, port: 1 },
  models: { providers: { p: { baseUrl: "https://u:pw@host/v1", apiKey: "${KEY}", headers: { "X-A": "header-1" }, models: [{ id: "m", maxTokens: 5 }] } } },
  env: { FOO: "env-1", vars: { BAR: "env-2" } },
  channels: { telegram: { botToken: "bot-1", tokenFile: "/run/tok" } },
  secrets: { providers: { d: { source: "env" } } },
}
`
	c, _, err := Parse(text, testOptions(map[string]string{"KEY": "key-1"}))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Source().Redacted()
	whole := s.Raw + string(s.Parsed) + string(s.Resolved)
	for _, secret := range []string{"tok-1", `pa\"ss`, "u:pw", "key-1", "header-1", "env-1", "env-2", "bot-1"} {
		if strings.Contains(whole, secret) {
			t.Errorf("%s is shown in\n%s", secret, whole)
		}
	}
	for _, kept := range []string{"${KEY}", "/run/tok", `"maxTokens":5`, `"source":"env"`, `"port":1`} {
		if !strings.Contains(string(s.Parsed), kept) {
			t.Errorf("%s is lost in %s", kept, s.Parsed)
		}
	}
	if strings.Contains(string(s.Resolved), "KEY") || !strings.Contains(string(s.Resolved), `"apiKey":"`+Redacted+`"`) {
		t.Errorf("resolved = %s", s.Resolved)
	}
	if got := c.Source().Raw; got != text {
		t.Error("the source itself changed")
	}
}

// Comments and layout survive where only secrets change; where a secret is so
// short that other things would change too, the layout gives way.
func TestRedactedText(t *testing.T) {
	tests := []struct{ text, want string }{
		{"{a: 1, // note\n token: 'abc'}", "{a: 1, // note\n token: '" + Redacted + "'}"},
		{"{// abc\n token: 'abc'}", "{// " + Redacted + "\n token: '" + Redacted + "'}"},
		{`{token: 'to'}`, "{\n  \"token\": \"" + Redacted + "\"\n}\n"},
		{`{token: 'a\x62c'}`, "{\n  \"token\": \"" + Redacted + "\"\n}\n"},
		{`{token: '', x: {token: null}}`, `{token: '', x: {token: null}}`},
		{`{x: {token: 12}}`, "{\n  \"x\": {\n    \"token\": \"" + Redacted + "\"\n  }\n}\n"},
		{`not json5`, ``},
	}
	for _, tt := range tests {
		s := Source{Exists: true, Raw: tt.text, Parsed: rawjson.Value("{}")}
		if c, _, err := Parse(`{channels: `+tt.text+`}`, testOptions(nil)); err == nil {
			o, _ := rawjson.Parse(c.Source().Parsed)
			s.Parsed = o.Get("channels")
		}
		if diff := cmp.Diff(tt.want, s.Redacted().Raw); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestCurrentSeesTheFileAsItIs(t *testing.T) {
	dir := write(t, map[string]string{"parley.json": `{ui: {seamColor: "red"}}`})
	c, _, err := Load(Options{StateDir: dir, WorkDir: dir, HomeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	before := c.Current()
	if before.Raw != `{ui: {seamColor: "red"}}` || before.Hash() != c.Source().Hash() || before.Issues != nil {
		t.Errorf("unchanged: %+v", before)
	}
	put := func(text string) Source {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "parley.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return c.Current()
	}
	if got := put(`{session: {scope: "global"}}`); string(got.Resolved) != `{"session":{"scope":"global"}}` || got.Hash() == before.Hash() {
		t.Errorf("changed: %+v", got)
	}
	if got, want := put(`{bogus: 1}`).Issues, []Issue{{"", `Unrecognized key: "bogus"`}}; !cmp.Equal(got, want) {
		t.Errorf("invalid: issues %v, want %v", got, want)
	}
	if got := put(`{bogus`); len(got.Issues) != 1 || got.Raw != `{bogus` {
		t.Errorf("no JSON5: %+v", got)
	}
	if err := os.Remove(filepath.Join(dir, "parley.json")); err != nil {
		t.Fatal(err)
	}
	if got := c.Current(); got.Exists || got.Issues != nil {
		t.Errorf("removed: %+v", got)
	}
}

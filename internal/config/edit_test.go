package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// edited loads a configuration file with this text, and gives it with what
// reads the file again.
func edited(t *testing.T, text string, vars map[string]string) (*Config, func() string) {
	t.Helper()
	files := map[string]string{"./": ""}
	if text != "" {
		files["parley.json"] = text
	}
	dir := write(t, files)
	c, _, err := Load(Options{StateDir: dir, WorkDir: dir, HomeDir: dir, Env: func(name string) string { return vars[name] }})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() string {
		t.Helper()
		now, err := os.ReadFile(filepath.Join(dir, "parley.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(now)
	}
}

func TestReplace(t *testing.T) {
	const stored = `{
  // mine
  gateway: { auth: { token: 'tok-"1"' } },
  models: { providers: { p: { baseUrl: "http://${HOST}/v1", apiKey: "${KEY}", headers: { "X-A": "it's" } } } },
  env: { N: "5" },
}
`
	vars := map[string]string{"KEY": "key-1", "HOST": "h"}
	tests := []struct{ name, text, want string }{
		{"what was shown", "shown", stored},
		{"a new secret", `{gateway: {auth: {token: "new"}}} // x`, `{gateway: {auth: {token: "new"}}} // x`},
		{"a secret that stays, in other quotes", `{gateway: {auth: {token: "` + Redacted + `"}}} // x`, `{gateway: {auth: {token: "tok-\"1\""}}} // x`},
		{"in single quotes", `{models: {providers: {p: {baseUrl: "u", headers: {'X-A': '` + Redacted + `'}}}}} // x`,
			`{models: {providers: {p: {baseUrl: "u", headers: {'X-A': 'it\'s'}}}}} // x`},
		{"a reference that was resolved", `{models: {providers: {p: {baseUrl: "http://h/v1", apiKey: "` + Redacted + `"}}}} // x`,
			`{models: {providers: {p: {baseUrl: "http://${HOST}/v1", apiKey: "${KEY}"}}}} // x`},
		{"a reference that was replaced", `{models: {providers: {p: {baseUrl: "http://other/v1"}}}}`, `{models: {providers: {p: {baseUrl: "http://other/v1"}}}}`},
		{"a comment with the mark", "{/* " + Redacted + " */ gateway: {auth: {token: '" + Redacted + "'}}}", "{\n  \"gateway\": {\n    \"auth\": {\n      \"token\": \"tok-\\\"1\\\"\"\n    }\n  }\n}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, file := edited(t, stored, vars)
			if tt.text == "shown" {
				tt.text = c.Current().Redacted().Raw
				if !strings.Contains(tt.text, Redacted) {
					t.Fatal("nothing is redacted in what is shown")
				}
			}
			s, err := c.Replace(tt.text, c.Current().Hash())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, file()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got, want := s.Hash(), c.Current().Hash(); got != want {
				t.Errorf("hash = %s, want %s", got, want)
			}
			if s.Resolved == nil || string(s.Resolved) != string(c.Current().Resolved) {
				t.Errorf("resolved = %s, want %s", s.Resolved, c.Current().Resolved)
			}
		})
	}
}

func TestReplaceRefuses(t *testing.T) {
	const stored = `{gateway: {auth: {token: "t"}}, agents: {list: [{id: "a"}, {id: "b"}]}, models: {providers: {p: {baseUrl: "u"}}}}`
	tests := []struct{ name, text, base, want string }{
		{"no hash", `{}`, "", `config base hash required; re-run config.get and retry`},
		{"another hash", `{}`, "abc", `config changed since last load; re-run config.get and retry`},
		{"no JSON5", `{`, "now", `the configuration is no JSON5: `},
		{"problems", `{gateway: {port: 0}, sesion: {}}`, "now", `invalid config: gateway.port: Too small: expected number to be >=1; Unrecognized key: "sesion" (did you mean "session"?)`},
		{"a daemon that would not start", `{gateway: {bind: "lan", auth: {mode: "none"}}}`, "now", `invalid config: Refusing to bind gateway to lan without auth.`},
		{"a secret of nothing", `{gateway: {auth: {password: "` + Redacted + `"}}}`, "now", `gateway.auth.password: ` + Redacted + ` stands for no secret of this file; write the secret itself, or ${NAME}`},
		{"a secret of an object", `{agents: "` + Redacted + `"}`, "now", `agents: ` + Redacted + ` stands for no secret`},
		{"a part of a text", `{gateway: {auth: {token: "x` + Redacted + `"}}}`, "now", Redacted + ` can only stand for a whole secret`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, file := edited(t, stored, nil)
			if tt.base == "now" {
				tt.base = c.Current().Hash()
			}
			_, err := c.Replace(tt.text, tt.base)
			if r, ok := errors.AsType[*Refusal](err); !ok || !strings.HasPrefix(r.Reason, tt.want) {
				t.Errorf("error %v, want a refusal that begins %q", err, tt.want)
			}
			if got := file(); got != stored {
				t.Errorf("the file is now %s", got)
			}
		})
	}
}

func TestReplaceMakesTheFile(t *testing.T) {
	c, file := edited(t, "", nil)
	if _, err := c.Replace(`{ui: {}}`, "abc"); err == nil {
		t.Error("the hash of a file that is gone was accepted")
	}
	if _, err := c.Replace(`{ui: {}}`, ""); err != nil {
		t.Fatal(err)
	}
	if got := file(); got != `{ui: {}}` {
		t.Errorf("the file is %s", got)
	}
	info, err := os.Stat(c.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestReplaceKeepsALink(t *testing.T) {
	c, file := edited(t, `{}`, nil)
	target := filepath.Join(t.TempDir(), "real.json")
	if err := os.Rename(c.Path, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, c.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(`{ui: {}}`, c.Current().Hash()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(c.Path); err != nil || got != target {
		t.Errorf("the link is %q, %v", got, err)
	}
	if got := file(); got != `{ui: {}}` {
		t.Errorf("the file is %s", got)
	}
}

// Secrets in lists follow their element, and never move to another.
func TestReplaceFindsElementsAgain(t *testing.T) {
	const stored = `{models: {providers: {p: {baseUrl: "u", models: [{id: "a", headers: {X: "of-a"}}, {id: "b", headers: {X: "of-b"}}]}}}, channels: {list: [{token: "1"}, {token: "2"}]}}`
	of := func(list string) string {
		return `{models: {providers: {p: {baseUrl: "u", models: [` + list + `]}}}}`
	}
	b := `{id: "b", headers: {X: "` + Redacted + `"}}`
	tests := []struct{ name, text, want string }{
		{"one was removed", of(b), of(`{id: "b", headers: {X: "of-b"}}`)},
		{"a new one stands before", of(`{id: "new"}, ` + b), of(`{id: "new"}, {id: "b", headers: {X: "of-b"}}`)},
		{"another one", of(`{id: "c", headers: {X: "` + Redacted + `"}}`), ""},
		{"without ids", `{channels: {list: [{token: "new"}, {token: "` + Redacted + `"}]}}`, `{channels: {list: [{token: "new"}, {token: "2"}]}}`},
		{"without ids, one was removed", `{channels: {list: [{token: "` + Redacted + `"}]}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, file := edited(t, stored, nil)
			_, err := c.Replace(tt.text, c.Current().Hash())
			if _, refused := errors.AsType[*Refusal](err); refused != (tt.want == "") {
				t.Fatalf("error %v", err)
			}
			if got := file(); tt.want != "" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	const stored = `{gateway: {auth: {token: "t", mode: "token"}, port: 5}, ui: {assistant: {name: "${NAME}"}}, /* c */ agents: {list: [{id: "a"}]}}`
	c, file := edited(t, stored, map[string]string{"NAME": "Ann"})
	s, err := c.Patch(`{gateway: {port: null, auth: {token: "`+Redacted+`"}, bind: "lan"}, agents: {list: [{id: "b"}]}, session: {scope: "global", reset: null}}`, c.Current().Hash())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "gateway": {
    "auth": {
      "token": "t",
      "mode": "token"
    },
    "bind": "lan"
  },
  "ui": {
    "assistant": {
      "name": "${NAME}"
    }
  },
  "agents": {
    "list": [
      {
        "id": "b"
      }
    ]
  },
  "session": {
    "scope": "global"
  }
}
`
	if diff := cmp.Diff(want, file()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Hash(); got != c.Current().Hash() {
		t.Errorf("hash = %s", got)
	}
	for text, want := range map[string]string{
		`[]`:                       `the patch must be an object, not array`,
		`{`:                        `the patch is no JSON5: `,
		`{gateway: {bind: "wan"}}`: `invalid config: gateway.bind: `,
		`{x: "` + Redacted + `"}`:  `x: ` + Redacted + ` stands for no secret`,
	} {
		if _, err := c.Patch(text, c.Current().Hash()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Patch(%s): %v, want %q", text, err, want)
		}
	}
	if got := file(); got != want {
		t.Errorf("a refused patch left %s", got)
	}
}

// A patch may mend a file that does not hold, but not one that says nothing.
func TestPatchOfABrokenFile(t *testing.T) {
	c, file := edited(t, `{}`, nil)
	for _, tt := range []struct{ broken, want string }{
		{`{bogus: 1}`, "{}\n"},
		{`{bogus: 1`, ""},
	} {
		if err := os.WriteFile(c.Path, []byte(tt.broken), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := c.Patch(`{bogus: null}`, c.Current().Hash())
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: %v", tt.broken, err)
		}
		if got := file(); tt.want != "" && got != tt.want {
			t.Errorf("%s became %q, want %q", tt.broken, got, tt.want)
		}
	}
}

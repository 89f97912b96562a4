package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadWithoutFileGivesDefaults(t *testing.T) {
	dir := t.TempDir()
	c, ws, err := Load(Options{StateDir: dir, WorkDir: dir, HomeDir: dir})
	if err != nil || len(ws) != 0 {
		t.Fatalf("Load: warnings %q, error %v", ws, err)
	}
	if c.Source().Exists || c.StateDir != dir || c.Path != filepath.Join(dir, "parley.json") {
		t.Errorf("exists %v, state %s, path %s", c.Source().Exists, c.StateDir, c.Path)
	}
	if c.Gateway.Port != 18789 || c.Gateway.Bind != "loopback" || c.Gateway.Auth.Mode != AuthToken || !c.Gateway.ControlUI.Enabled {
		t.Errorf("gateway = %+v", c.Gateway)
	}
	want := Parley{Deviceless: "loopback", Protocols: []int{3, 4}, ThrottleLoopback: true, RunsOnRestart: "close", RunsCompaction: "off", MaxAnswerBytes: 8 << 20, Strangers: Strangers{32, 1024},
		Drain: 5 * time.Second, Metrics: Metrics{Enabled: true}, Tracing: Tracing{Ratio: 1}}
	if diff := cmp.Diff(want, c.Parley); diff != "" {
		t.Errorf("parley (-want +got):\n%s", diff)
	}
	if c.Agents.Defaults.Timeout.Seconds() != 172800 || c.Agents.Defaults.MaxConcurrent != 256 {
		t.Errorf("agents.defaults = %+v", c.Agents.Defaults)
	}
}

func TestLoadRefusesNamedFileThatIsMissing(t *testing.T) {
	dir := t.TempDir()
	_, _, err := Load(Options{Path: "gone.json", WorkDir: dir, HomeDir: dir})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("error = %v, want one that names the missing file", err)
	}
}

func TestLoadNamesTheFaultOfTheSyntax(t *testing.T) {
	dir := write(t, map[string]string{"parley.json": "{\n  gateway: {port 1}\n}"})
	_, _, err := Load(Options{StateDir: dir, WorkDir: dir, HomeDir: dir})
	want := "Invalid config at " + dir + "/parley.json:\n- <root>: JSON5: invalid character '1' at 2:18"
	if err == nil || err.Error() != want {
		t.Errorf("error\n got %v\nwant %s", err, want)
	}
}

// The order is: .env files, file, $include, env block, ${NAME}, checks.
func TestLoadOrder(t *testing.T) {
	dir := write(t, map[string]string{
		"work/.env":  "FROM_BOTH=work\nFROM_WORK=w # not this\nSET=never\n",
		"state/.env": "FROM_BOTH=state\nexport FROM_STATE='s p'\nQUOTED=\"a\\nb\"\n",
		"state/parley.json": `{
			$include: "more.json5",
			env: {BLOCK: "b", SET: "never", REF: "${SET}", vars: {INNER: "i"}},
			ui: {assistant: {name: "${FROM_BOTH}-${FROM_WORK}-${FROM_STATE}-${SET}-${BLOCK}-${INNER}-${INCLUDED}-${QUOTED}"}},
		}`,
		"state/more.json5": `{env: {INCLUDED: 'inc'}, session: {scope: 'global'}}`,
	})
	c, ws, err := Load(Options{
		StateDir: filepath.Join(dir, "state"), WorkDir: filepath.Join(dir, "work"), HomeDir: dir,
		Env: func(name string) string { return map[string]string{"SET": "real"}[name] },
	})
	if err != nil || len(ws) != 0 {
		t.Fatalf("Load: warnings %q, error %v", ws, err)
	}
	if got, want := c.UI.AssistantName, "work-w-s p-real-b-i-inc-a\nb"; got != want {
		t.Errorf("name = %q, want %q", got, want)
	}
	if !c.Session.Global {
		t.Error("the included session.scope is lost")
	}
	if got := c.Getenv("INNER"); got != "i" {
		t.Errorf("Getenv(INNER) = %q, want i", got)
	}
	if got := c.Getenv("REF"); got != "" {
		t.Errorf("Getenv(REF) = %q: values with references are not set", got)
	}
	if got := os.Getenv("BLOCK"); got != "" {
		t.Errorf("the process's environment has BLOCK=%q: it must not change", got)
	}
}

func TestLoadWarnsOfMissingVariablesOncePerPlace(t *testing.T) {
	_, ws, err := Parse(`{
		ui: {assistant: {name: "${NOPE} ${NOPE}"}},
		agents: {list: [{id: "a", name: "${GONE}"}]},
		session: {store: "$${KEEP} $HOME ${lower}"},
	}`, testOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{
		`Config (/state/parley.json): missing env var "NOPE" at ui.assistant.name — feature using this value will be unavailable`,
		`Config (/state/parley.json): missing env var "GONE" at agents.list[0].name — feature using this value will be unavailable`,
	}
	if diff := cmp.Diff(want, ws); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestSubstitute(t *testing.T) {
	vars := map[string]string{"A": "1", "B_2": "two", "_X": "x", "EMPTY": "", "QUOTE": `"\`}
	for text, want := range map[string]string{
		"${A}": "1", "a${A}b${B_2}c${_X}": "a1btwocx", "$${A}": "${A}", "$$${A}": "$${A}", "$A": "$A", "${a}": "${a}", "${A": "${A",
		"${EMPTY}": "${EMPTY}", "${NONE}": "${NONE}", "${A}}": "1}", "$${a}": "$${a}", "${2A}": "${2A}", "${QUOTE}": `"\`,
	} {
		s := &substitution{env: environment{lookup: func(n string) string { return vars[n] }}, unset: map[string]bool{}, warnedAt: map[string]bool{}}
		if got := s.text(text, place{}); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// Names are never substituted, and a value cannot change the structure.
func TestSubstituteOnlyTexts(t *testing.T) {
	c, _, err := Parse(`{agents: {defaults: {models: {"${A}/x": {alias: "${A}"}}}}}`, testOptions(map[string]string{"A": `q","z":"`}))
	if err != nil {
		t.Fatal(err)
	}
	want := []AllowedModel{{Key: "${A}/x", Alias: `q","z":"`}}
	if diff := cmp.Diff(want, c.Agents.Defaults.Models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}

// A secret whose variable is missing must not become a secret that everybody
// can read in the documentation.
func TestSecretOfMissingVariableIsNone(t *testing.T) {
	c, _, err := Parse(`{gateway: {auth: {token: "${NOPE}"}}, models: {providers: {p: {baseUrl: "u", apiKey: {source: "env", id: "KEY"}}, q: {baseUrl: "u", apiKey: "$${X}"}}}}`,
		testOptions(map[string]string{"KEY": "k1"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Gateway.Auth.Token.Reveal(); got != "" {
		t.Errorf("token = %q, want none", got)
	}
	if got := c.Models.Providers[0].APIKey.Reveal(); got != "k1" {
		t.Errorf("key from a reference = %q, want k1", got)
	}
	if got := c.Models.Providers[1].APIKey.Reveal(); got != "${X}" {
		t.Errorf("escaped key = %q, want ${X}", got)
	}
}

func TestDotenv(t *testing.T) {
	got := dotenv("# c\nA=1\n B = two words \nexport C=x#y\nD='it''s' \nE=\"l1\nl2\"\nF=\nG: yaml\nnot a line\nH=`b`\r\nI=\"\\n\"\nJ='\\n'\nK=\"a # b\" # c\nL=a=b\nM='open\nexport=1\nN=\"q\\\"q\"\n=x\nO=last")
	want := map[string]string{"A": "1", "B": "two words", "C": "x", "D": "it", "E": "l1\nl2", "F": "", "G": "yaml", "H": "b", "I": "\n", "J": `\n`,
		"K": "a # b", "L": "a=b", "M": "'open", "export": "1", "N": `q\"q`, "O": "last"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The recorded scenarios start the gateway with this configuration.
func TestScenarioConfiguration(t *testing.T) {
	c, ws, err := Parse(`{
		"gateway": {"mode": "local", "port": 4242, "bind": "loopback", "auth": {"mode": "token", "token": "secret-token"}, "reload": {"mode": "off"}},
		"models": {"providers": {"fake": {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": "sk-fake", "api": "openai-completions", "models": [
			{"id": "m1", "name": "M1", "reasoning": false, "input": ["text"], "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "contextWindow": 32000, "maxTokens": 4096}]}}},
		"agents": {"defaults": {"model": {"primary": "fake/m1"}, "workspace": "/ws", "skipBootstrap": true}},
		"skills": {"allowBundled": ["none"]},
		"parley": {"deviceless": "never", "protocols": [3], "throttleLoopback": false}
	}`, testOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{"the configuration has keys that Parley does not use: agents.defaults.skipBootstrap, gateway.mode, skills"}
	if diff := cmp.Diff(want, ws); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if c.Gateway.ReloadMode != "off" || c.Gateway.Auth.Token.Reveal() != "secret-token" || c.CheckStart() != nil {
		t.Errorf("gateway = %+v, start: %v", c.Gateway, c.CheckStart())
	}
	wantParley := Parley{Deviceless: "never", Protocols: []int{3}, RunsOnRestart: "close", RunsCompaction: "off", MaxAnswerBytes: 8 << 20, Strangers: Strangers{32, 1024},
		Drain: 5 * time.Second, Metrics: Metrics{Enabled: true}, Tracing: Tracing{Ratio: 1}}
	if diff := cmp.Diff(wantParley, c.Parley); diff != "" {
		t.Errorf("parley (-want +got):\n%s", diff)
	}
	if got := c.Workspace("main"); got != "/ws" {
		t.Errorf("workspace = %s", got)
	}
}

func FuzzParseNeverPanics(f *testing.F) {
	f.Add(`{gateway:{port:1,auth:{mode:"none"}},session:{reset:{atHour:3}},parley:{protocols:[4]}}`)
	f.Add(`{"$include":[],agents:{list:[{id:"a"}]},env:{vars:{A:"${A}"}}}`)
	f.Add(`{models:{providers:{p:{baseUrl:"x",models:[{id:"m",cost:{input:1}}]}}}}`)
	f.Add(`{session:{maintenance:{pruneAfter:"1h30m",maxDiskBytes:"1e9"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := Parse(text, testOptions(nil))
		if err != nil {
			if _, ok := errors.AsType[*InvalidError](err); !ok {
				t.Fatalf("error is a %T: %v", err, err)
			}
			return
		}
		_ = c.CheckStart()
		c.Catalogue()
		c.DefaultModel("main")
		c.ResetPolicy("direct", "x")
		c.Source().Redacted()
	})
}

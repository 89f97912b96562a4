package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAgentProcess(t *testing.T) {
	c, warnings, err := Parse(`{models: {providers: {
		coder: {api: "acp", command: " coder ", args: ["--acp", ""], env: {KEY: "${THE_KEY}", GONE: "${NOT_SET}"}, cwd: "~/code", processes: "session", maxProcesses: 3, permissions: "ask", models: [{id: "m"}]},
		plain: {api: "acp", command: "plain", models: [{id: "m"}]},
		mixed: {baseUrl: "u", command: "mixed", models: [{id: "m", api: "acp"}]},
	}}}`, testOptions(map[string]string{"THE_KEY": "sesame"}))
	if err != nil {
		t.Fatal(err)
	}
	coder, _ := c.Provider("coder")
	a := coder.Agent
	if len(a.Env) != 1 || a.Env[0].Name != "KEY" || a.Env[0].Value.Reveal() != "sesame" {
		t.Errorf("env = %v", a.Env)
	}
	if len(warnings) != 1 || !strings.Contains(string(warnings[0]), `missing env var "NOT_SET"`) {
		t.Errorf("warnings %q, want one about the missing variable", warnings)
	}
	a.Env = nil
	want := AgentProcess{Command: "coder", Args: []string{"--acp", ""}, Cwd: "~/code", Processes: "session", MaxProcesses: 3, Permissions: "ask"}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plain, _ := c.Provider("plain")
	if diff := cmp.Diff(AgentProcess{Command: "plain", Processes: "shared", MaxProcesses: 8, Permissions: "deny"}, plain.Agent); diff != "" {
		t.Errorf("what holds when nothing is said (-want +got):\n%s", diff)
	}
}

func TestAgentProcessProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{api: "acp"}`: `- models.providers.p.command: a provider with api "acp" needs a command, the program that speaks the Agent Client Protocol`,
		`{baseUrl: "u", models: [{id: "m", api: "acp"}]}`: `- models.providers.p.command: a provider with api "acp" needs a command, the program that speaks the Agent Client Protocol`,
		`{baseUrl: "u", command: "x"}`:                    `- models.providers.p.command: only a provider with api "acp" runs a program; this one has api "openai-completions"`,
		`{api: "echo", permissions: "deny"}`:              `- models.providers.p.permissions: only a provider with api "acp" runs a program; this one has api "echo"`,
		`{api: "acp", command: "x", comand: "y"}`:         `- models.providers.p: Unrecognized key: "comand" (did you mean "command"?)`,
	} {
		got := problems(t, `{models: {providers: {p: `+text+`}}}`)
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

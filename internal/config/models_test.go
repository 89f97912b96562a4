package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// providers is a models part with two providers, in an order that is not the
// alphabet's.
const providers = `models: {providers: {
	Zoo: {baseUrl: "u", models: [{id: "lion", name: "Lion", reasoning: true, input: ["text", "image"], contextWindow: 1000, maxTokens: 10, cost: {input: 2, output: 10, cacheRead: 0.5}}, {id: "shared", contextWindow: 5}]},
	farm: {baseUrl: "u", api: "anthropic-messages", apiKey: "k", models: [{id: "shared", contextWindow: 7}, {id: "bare"}]},
}}`

func ref(text string) ModelRef {
	r, _ := splitRef(text)
	return r
}

func TestDefaultModel(t *testing.T) {
	const alias = `models: {"farm/shared": {alias: "Sheep"}}`
	tests := []struct{ name, text, agent, want, wantDefaults string }{
		{"nothing", `{}`, "main", "echo/echo", "echo/echo"},
		{"first model of the first provider", `{` + providers + `}`, "main", "zoo/lion", "zoo/lion"},
		{"provider without models is passed over", `{models: {providers: {a: {baseUrl: "u", models: []}, b: {baseUrl: "u", models: [{id: "m"}]}}}}`, "main", "b/m", "b/m"},
		{"only providers without models", `{models: {providers: {a: {baseUrl: "u"}}}}`, "main", "anthropic/claude-opus-4-6", "anthropic/claude-opus-4-6"},
		{"anthropic configured", `{models: {providers: {a: {baseUrl: "u", models: [{id: "m"}]}, Anthropic: {baseUrl: "u", models: [{id: "x"}]}}}}`, "main", "anthropic/claude-opus-4-6", "anthropic/claude-opus-4-6"},
		{"text", `{agents: {defaults: {model: " Fake/M1 "}}}`, "main", "fake/M1", "fake/M1"},
		{"primary", `{agents: {defaults: {model: {primary: "a/b/c"}}}}`, "main", "a/b/c", "a/b/c"},
		{"bare", `{agents: {defaults: {model: "opus"}}}`, "main", "anthropic/opus", "anthropic/opus"},
		{"alias", `{agents: {defaults: {model: "sheep", ` + alias + `}}}`, "main", "farm/shared", "farm/shared"},
		{"unreadable", `{agents: {defaults: {model: "/x"}}, ` + providers + `}`, "main", "zoo/lion", "zoo/lion"},
		{"own of an agent", `{agents: {defaults: {model: "a/b"}, list: [{id: "Ops", model: "c/d"}]}}`, "ops", "c/d", "a/b"},
		{"own primary of an agent", `{agents: {defaults: {model: "a/b"}, list: [{id: "ops", model: {primary: "c/d"}}]}}`, "ops", "c/d", "a/b"},
		{"own alias of an agent", `{agents: {defaults: {model: "a/b", ` + alias + `}, list: [{id: "ops", model: "SHEEP"}]}}`, "ops", "farm/shared", "a/b"},
		{"another agent", `{agents: {defaults: {model: "a/b"}, list: [{id: "ops", model: "c/d"}]}}`, "main", "a/b", "a/b"},
		{"agent without a model", `{agents: {defaults: {model: "a/b"}, list: [{id: "ops", model: {fallbacks: []}}]}}`, "ops", "a/b", "a/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, tt.text)
			if got := c.DefaultModel(tt.agent).String(); got != tt.want {
				t.Errorf("DefaultModel = %s, want %s", got, tt.want)
			}
			if got := c.DefaultsModel().String(); got != tt.wantDefaults {
				t.Errorf("DefaultsModel = %s, want %s", got, tt.wantDefaults)
			}
		})
	}
}

func TestParseModel(t *testing.T) {
	c := parse(t, `{agents: {defaults: {model: "fake/m1", models: {"fake/m2": {alias: "Two"}, "solo": {alias: "one"}, "/bad": {alias: "bad"}}}, list: [{id: "main"}, {id: "ops", model: "other/x"}]}}`)
	tests := []struct {
		agent, text, want string
		ok                bool
	}{
		{"main", "fake/m2", "fake/m2", true}, {"main", " FAKE / M2 ", "fake/M2", true}, {"main", "m9", "fake/m9", true}, {"ops", "m9", "other/m9", true},
		{"main", "two", "fake/m2", true}, {"main", " TWO ", "fake/m2", true}, {"main", "ONE", "fake/solo", true}, {"ops", "one", "other/solo", true}, {"main", "bad", "fake/bad", true},
		{"main", "x y", "fake/x y", true}, {"main", "a/b/c", "a/b/c", true}, {"main", "a/two", "a/two", true},
		{"main", "/m2", "", false}, {"main", "fake/", "", false}, {"main", "/", "", false}, {"main", "", "", false}, {"main", "  ", "", false}, {"main", " / x", "", false},
		{"main", "fake/m2@prof", "fake/m2", true}, {"main", "two@prof", "fake/m2", true}, {"main", "fake/m2@", "fake/m2@", true}, {"main", "@prof", "fake/@prof", true},
		{"main", "a/m@20250101", "a/m@20250101", true}, {"main", "a/m@20250101@prof", "a/m@20250101", true}, {"main", "a/m@2025010", "a/m", true}, {"main", "a/m@202501011", "a/m", true},
		{"main", "a@b/m", "a@b/m", true}, {"main", "a/m@x@y", "a/m", true}, {"main", "a/@p", "", false},
		{"main", "z.ai/m", "zai/m", true}, {"main", "Z-AI/m", "zai/m", true}, {"main", "opencode-zen/m", "opencode/m", true}, {"main", "qwen/m", "qwen-portal/m", true},
		{"main", "kimi-code/m", "kimi/m", true}, {"main", "kimi-coding/m", "kimi/m", true}, {"main", "bedrock/m", "amazon-bedrock/m", true}, {"main", "aws-bedrock/m", "amazon-bedrock/m", true},
		{"main", "bytedance/m", "volcengine/m", true}, {"main", "doubao/m", "volcengine/m", true}, {"main", "opencode-go-auth/m", "opencode-go/m", true},
	}
	for _, tt := range tests {
		got, ok := c.ParseModel(tt.agent, tt.text)
		if ok != tt.ok || ok && got.String() != tt.want {
			t.Errorf("ParseModel(%q, %q) = %s, %v, want %s, %v", tt.agent, tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestModelAllowed(t *testing.T) {
	const list = `models: {"fake/m2": {}, "Other/X": {}}, model: {primary: "fake/m1", fallbacks: ["third/y", "m7"]}`
	c := parse(t, `{agents: {defaults: {`+list+`, subagents: {model: "sub/s"}}, list: [{id: "main"}, {id: "ops", model: "own/o", subagents: {model: {primary: "mine/s"}}}]}}`)
	plain := parse(t, `{agents: {defaults: {`+list+`}}}`)
	bare := parse(t, `{agents: {defaults: {models: {solo: {}}}, list: [{id: "ops", model: "own/o", subagents: {model: "sub/s"}}]}}`)
	tests := []struct {
		name     string
		c        *Config
		agent    string
		ref      string
		subagent bool
		want     bool
	}{
		{"listed", c, "main", "fake/m2", false, true}, {"listed, provider in capitals", c, "main", "OTHER/X", false, true}, {"model in other case", c, "main", "other/x", false, false},
		{"fallback", c, "main", "third/y", false, true}, {"bare fallback", c, "main", "fake/m7", false, true}, {"unlisted", c, "main", "fake/m9", false, false},
		{"default", c, "main", "fake/m1", false, true}, {"default of another agent", c, "main", "own/o", false, false}, {"own default", c, "ops", "own/o", false, true}, {"default of the defaults", c, "ops", "fake/m1", false, false},
		{"subagent's model", c, "main", "sub/s", true, true}, {"subagent has not the default", c, "main", "fake/m1", true, false}, {"subagent's own", c, "ops", "mine/s", true, true}, {"not the defaults' subagent", c, "ops", "sub/s", true, false},
		{"bare listed name is of the agent's provider", bare, "ops", "own/solo", true, true}, {"not of the subagent's", bare, "ops", "sub/solo", true, false},
		{"subagent without a setting", plain, "main", "fake/m1", true, true},
		{"no list", parse(t, `{}`), "main", "any/thing", false, true},
	}
	for _, tt := range tests {
		if got := tt.c.ModelAllowed(tt.agent, ref(tt.ref), tt.subagent); got != tt.want {
			t.Errorf("%s: ModelAllowed(%s, %s) = %v, want %v", tt.name, tt.agent, tt.ref, got, tt.want)
		}
	}
}

func TestFallbacks(t *testing.T) {
	c := parse(t, `{agents: {defaults: {models: {"x/y": {alias: "wye"}}, model: {primary: "fake/m1", fallbacks: ["fake/m2", "wye", "bare", "/bad", "x/y"]}}, list: [{id: "a"}, {id: "b", model: {primary: "q/r", fallbacks: []}}, {id: "c", model: {fallbacks: ["s/t"]}}, {id: "d", model: "q/r"}]}}`)
	for agent, want := range map[string][]ModelRef{
		"a": {{"fake", "m2"}, {"x", "y"}, {"fake", "bare"}}, "b": nil, "c": {{"s", "t"}}, "d": {{"fake", "m2"}, {"x", "y"}, {"q", "bare"}},
	} {
		if diff := cmp.Diff(want, c.Fallbacks(agent)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", agent, diff)
		}
	}
	if got := parse(t, `{}`).Fallbacks("main"); got != nil {
		t.Errorf("unconfigured: %v", got)
	}
}

func TestProviderForModel(t *testing.T) {
	c := parse(t, `{agents: {defaults: {models: {"fake/m1": {}, "pa/Solo": {}, "pb/m1": {}, "PC/twice": {}, "pc/TWICE": {}, "bare": {}}}}}`)
	for model, want := range map[string]string{"solo": "pa", " SOLO ": "pa", "m1": "", "twice": "pc", "bare": "anthropic", "none": "", "": ""} {
		got, ok := c.ProviderForModel(model)
		if got != want || ok != (want != "") {
			t.Errorf("ProviderForModel(%q) = %q, %v, want %q", model, got, ok, want)
		}
	}
}

func TestWindowCostAndLookup(t *testing.T) {
	c := parse(t, `{`+providers+`}`)
	for r, want := range map[string]int64{"zoo/lion": 1000, "ZOO/shared": 5, "farm/shared": 7, "other/shared": 7, "other/lion": 1000, "farm/bare": 0, "farm/Lion": 0, "echo/echo": 128_000} {
		if got, ok := c.ContextWindow(ref(r)); got != want || ok != (want != 0) {
			t.Errorf("ContextWindow(%s) = %d, %v, want %d", r, got, ok, want)
		}
	}
	odd := parse(t, `{models: {providers: {
		a: {baseUrl: "u", models: [{id: "q/z", contextWindow: 1}, {id: "a/own", contextWindow: 2, cost: {input: 2}}, {id: "q/x/y", contextWindow: 3}, {id: "b/m", contextWindow: 4}]},
		b: {baseUrl: "u", models: [{id: "m", contextWindow: 5, cost: {input: 5}}, {id: "z", contextWindow: 6}]}}}}`)
	for r, want := range map[ModelRef]int64{
		{"q", "z"}: 1, {"A", "own"}: 2, {"x", "own"}: 0, {"q", "x/y"}: 0, {"b", "m"}: 5, {"c", "m"}: 5, {"c", "z"}: 6, {"", "m"}: 5,
	} {
		if got, _ := odd.ContextWindow(r); got != want {
			t.Errorf("ContextWindow(%s) = %d, want %d", r, got, want)
		}
	}
	for r, want := range map[ModelRef]float64{{"A", "own"}: 2, {"a", "a/own"}: 2, {"b", "b/m"}: 5, {"b", "m"}: 5, {"a", "b/m"}: 0, {"", "m"}: 0} {
		if got, _ := odd.Cost(r); got.Input != want {
			t.Errorf("Cost(%s) = %v, want %v", r, got.Input, want)
		}
	}
	if got, ok := c.Cost(ref("zoo/lion")); !ok || got != (Cost{Input: 2, Output: 10, CacheRead: 0.5}) {
		t.Errorf("Cost = %+v, %v", got, ok)
	}
	for _, r := range []string{"farm/shared", "other/lion", "zoo/none"} {
		if got, ok := c.Cost(ref(r)); ok {
			t.Errorf("Cost(%s) = %+v, want none", r, got)
		}
	}
	p, ok := c.Provider(" FARM ")
	if !ok || p.Name != "farm" || p.API != APIAnthropic || p.APIKey.Reveal() != "k" {
		t.Errorf("Provider = %+v, %v", p, ok)
	}
	if p, ok := c.Provider("Echo"); !ok || p.API != APIEcho {
		t.Errorf("built-in echo = %+v, %v", p, ok)
	}
	if _, ok := c.Provider("none"); ok {
		t.Error("an unknown provider is there")
	}
	if m, ok := c.Model(ref("farm/bare")); !ok || m.Name != "bare" || m.Reasoning || m.Cost != nil || !cmp.Equal(m.Input, []string{"text"}) {
		t.Errorf("Model = %+v, %v", m, ok)
	}
	own := parse(t, `{models: {providers: {echo: {baseUrl: "u", models: [{id: "mine"}]}}}}`)
	if p, _ := own.Provider("echo"); p.API != APIOpenAI {
		t.Errorf("a configured echo does not replace the built-in one: %+v", p)
	}
}

func TestCatalogue(t *testing.T) {
	const list = `agents: {defaults: {models: {"other/x": {}, "farm/shared": {}, "ECHO/echo": {}, "zoo/lion": {}}, model: {primary: "zoo/shared", fallbacks: ["farm/bare", "third/y", "other/x"]}}}`
	tests := []struct{ name, text, want string }{
		{"nothing", `{}`, "echo/echo+"},
		{"no list", `{` + providers + `}`, "zoo/lion+ zoo/shared+ farm/shared+ farm/bare+"},
		{"list", `{` + providers + `, ` + list + `}`, "zoo/lion+ farm/shared+ farm/bare+ other/x echo/echo+ third/y"},
		{"list alone", `{agents: {defaults: {models: {"a/b": {}}}}}`, "a/b"},
		{"providers without models", `{models: {providers: {a: {baseUrl: "u"}}}}`, "echo/echo+"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, m := range parse(t, tt.text).Catalogue() {
				if got != "" {
					got += " "
				}
				got += m.Provider + "/" + m.Model.ID
				if m.Known {
					got += "+"
				} else if m.Model.Name != m.Model.ID {
					t.Errorf("unknown model %s has the name %q", m.Model.ID, m.Model.Name)
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestXHigh(t *testing.T) {
	for text, want := range map[string]bool{
		"openai/gpt-5.4": true, "openai/GPT-5.4-pro": true, "openai/gpt-5.4-mini-2026": true, "openai/gpt-5.2": true, "openai/gpt-5.2-x": true, "openai/gpt-5.40": false, "openai/gpt-5.3": false, "openai/x-gpt-5.4": false,
		"openai-codex/gpt-5.4": true, "openai-codex/gpt-5.3-codex-spark": true, "openai-codex/gpt-5.3-codex": false, "openai-codex/gpt-5.2-codex-y": true, "openai-codex/gpt-5.1-codex": true, "openai-codex/gpt-5.2": false,
		"github-copilot/gpt-5.2": true, "github-copilot/gpt-5.2-codex": true, "github-copilot/gpt-5.2-codex-x": false, "github-copilot/gpt-5.4": false, "fake/gpt-5.4": false, "OpenAI/gpt-5.4": true,
	} {
		if got := XHigh(ref(text)); got != want {
			t.Errorf("XHigh(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestThinkingDefault(t *testing.T) {
	c := parse(t, `{`+providers+`, agents: {defaults: {models: {"farm/bare": {params: {thinking: "HIGH", other: 1}}, "zoo/lion": {params: {thinking: "much"}}, "zoo/shared": {params: {thinking: 1}}}}}}`)
	set := parse(t, `{`+providers+`, agents: {defaults: {thinkingDefault: "minimal", models: {"farm/bare": {params: {thinking: "high"}}}}}}`)
	tests := []struct {
		c         *Config
		ref, want string
	}{
		{c, "farm/bare", "high"}, {c, "zoo/lion", "low"}, {c, "zoo/shared", "off"}, {c, "none/x", "off"},
		{c, "anthropic/claude-opus-4-6", "adaptive"}, {c, "anthropic/claude-sonnet-4.6-20260101", "adaptive"}, {c, "anthropic/claude-opus-4-5", "off"}, {c, "anthropic/claude-opus-4-60", "off"}, {c, "other/claude-opus-4-6", "off"},
		{set, "farm/bare", "high"}, {set, "zoo/lion", "minimal"}, {set, "anthropic/claude-opus-4-6", "minimal"},
	}
	for _, tt := range tests {
		if got := tt.c.ThinkingDefault(ref(tt.ref)); got != tt.want {
			t.Errorf("ThinkingDefault(%s) = %s, want %s", tt.ref, got, tt.want)
		}
	}
}

func TestAgents(t *testing.T) {
	c := parse(t, `{agents: {defaults: {workspace: "~/ws"}, list: [{id: "Ops"}, {id: "Home Team", default: true, workspace: "ht"}, {id: "third", default: true}, {id: "ops", name: "again"}]}}`)
	if diff := cmp.Diff([]string{"ops", "home-team", "third"}, c.AgentIDs()); diff != "" {
		t.Errorf("AgentIDs (-want +got):\n%s", diff)
	}
	if got := c.DefaultAgent(); got != "home-team" {
		t.Errorf("DefaultAgent = %s", got)
	}
	if a, ok := c.Agent("ops"); !ok || a.Name != "" {
		t.Errorf("Agent(ops) = %+v, %v: the first entry counts", a, ok)
	}
	for agent, want := range map[string]string{"home-team": "/work/ht", "ops": "/state/workspace-ops", "unknown": "/state/workspace-unknown"} {
		if got := c.Workspace(agent); got != want {
			t.Errorf("Workspace(%s) = %s, want %s", agent, got, want)
		}
	}
	first := parse(t, `{agents: {defaults: {workspace: "~/ws"}, list: [{id: "a"}, {id: "b"}]}}`)
	if got := first.DefaultAgent() + " " + first.Workspace("a"); got != "a /home/ann/ws" {
		t.Errorf("default agent and workspace = %s", got)
	}
	none := parse(t, `{}`)
	if got := none.DefaultAgent() + " " + none.Workspace("main"); got != "main /state/workspace" || none.AgentIDs() != nil {
		t.Errorf("default agent and workspace = %s, ids %v", got, none.AgentIDs())
	}
}

func TestNormalizeAgentID(t *testing.T) {
	for id, want := range map[string]string{
		"Home Team": "home-team", " OPS ": "ops", "": "main", "  ": "main", "--": "main", "a_b-c": "a_b-c", "_x": "_x", "é": "main", "a!!b": "a-b", "-a-": "a",
		"0123456789012345678901234567890123456789012345678901234567890123456789": "0123456789012345678901234567890123456789012345678901234567890123",
	} {
		if got := NormalizeAgentID(id); got != want {
			t.Errorf("NormalizeAgentID(%q) = %q, want %q", id, got, want)
		}
	}
}

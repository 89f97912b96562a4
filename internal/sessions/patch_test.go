package sessions

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const models = `models: {providers: {
	fake: {baseUrl: "http://127.0.0.1:1/v1", api: "openai-completions", models: [{id: "m1", name: "M1"}, {id: "m2", name: "M2"}]},
	openai: {baseUrl: "http://127.0.0.1:1/v1", api: "openai-completions", models: [{id: "gpt-5.4", name: "G"}]},
	zai: {baseUrl: "http://127.0.0.1:1/v1", api: "openai-completions", models: [{id: "glm", name: "Z"}]}}}`

// rules are those of a session at a fixed time.
func rules(c *config.Config, key string) Rules {
	return Rules{
		Config: c, Keys: Keys{DefaultAgent: c.DefaultAgent()}, Key: key, Now: time.UnixMilli(1000),
		LabelTaken: func(label string) bool { return label == "taken" },
	}
}

func TestPatch(t *testing.T) {
	c := configured(t, `{agents: {defaults: {model: "fake/m1"}}, `+models+`}`)
	const sub = "agent:main:subagent:s"
	for _, tt := range []struct {
		name, key, entry, patch string
		want, fault             string // want: the entry without updatedAt
	}{
		{name: "empty", entry: `{"x":1.50}`, patch: `{}`, want: `{"x":1.50}`},
		{name: "several", entry: `{"a":1}`, patch: `{"sendPolicy":"deny","label":" L ","thinkingLevel":"ON","fastMode":false}`,
			want: `{"a":1,"label":"L","thinkingLevel":"low","fastMode":false,"sendPolicy":"deny"}`},
		{name: "null removes", entry: `{"label":"a","fastMode":true,"verboseLevel":"on","execNode":"n"}`,
			patch: `{"label":null,"fastMode":null,"verboseLevel":null,"execNode":null}`, want: `{}`},
		{name: "first fault in table order", entry: `{}`, patch: `{"execHost":"x","verboseLevel":"x"}`, fault: `invalid verboseLevel (use "on"|"off")`},
		{name: "label blank", entry: `{}`, patch: `{"label":" \ufeff"}`, fault: "invalid label: empty"},
		{name: "label taken", entry: `{}`, patch: `{"label":" taken "}`, fault: "label already in use: taken"},
		{name: "verbose is not trimmed", entry: `{}`, patch: `{"verboseLevel":" on"}`, fault: `invalid verboseLevel (use "on"|"off")`},
		{name: "reasoning", entry: `{}`, patch: `{"reasoningLevel":"Live"}`, want: `{"reasoningLevel":"stream"}`},
		{name: "reasoning bad", entry: `{}`, patch: `{"reasoningLevel":"x"}`, fault: `invalid reasoningLevel (use "on"|"off"|"stream")`},
		{name: "elevated", entry: `{}`, patch: `{"elevatedLevel":"auto"}`, want: `{"elevatedLevel":"full"}`},
		{name: "elevated bad", entry: `{}`, patch: `{"elevatedLevel":"x"}`, fault: `invalid elevatedLevel (use "on"|"off"|"ask"|"full")`},
		{name: "exec", entry: `{}`, patch: `{"execHost":" NODE ","execSecurity":"Deny","execAsk":"on-miss","execNode":" N1 "}`,
			want: `{"execHost":"node","execSecurity":"deny","execAsk":"on-miss","execNode":"N1"}`},
		{name: "exec host bad", entry: `{}`, patch: `{"execHost":"x"}`, fault: `invalid execHost (use "sandbox"|"gateway"|"node")`},
		{name: "exec security bad", entry: `{}`, patch: `{"execSecurity":""}`, fault: `invalid execSecurity (use "deny"|"allowlist"|"full")`},
		{name: "exec ask bad", entry: `{}`, patch: `{"execAsk":"x"}`, fault: `invalid execAsk (use "off"|"on-miss"|"always")`},
		{name: "exec node blank", entry: `{}`, patch: `{"execNode":" "}`, fault: "invalid execNode: empty"},
		{name: "usage on", entry: `{}`, patch: `{"responseUsage":"on"}`, want: `{"responseUsage":"tokens"}`},
		{name: "usage off", entry: `{"responseUsage":"full"}`, patch: `{"responseUsage":"off"}`, want: `{}`},
		{name: "thinking bad", entry: `{}`, patch: `{"thinkingLevel":"nope"}`, fault: "invalid thinkingLevel (use off|minimal|low|medium|high|adaptive)"},
		{name: "thinking bad, zai", entry: `{"providerOverride":"zai","modelOverride":"glm"}`, patch: `{"thinkingLevel":"nope"}`, fault: "invalid thinkingLevel (use off|on)"},
		{name: "thinking bad, model with xhigh", entry: `{"providerOverride":"openai","modelOverride":"gpt-5.4"}`, patch: `{"thinkingLevel":"nope"}`, fault: "invalid thinkingLevel (use off|minimal|low|medium|high|adaptive)"},
		{name: "xhigh refused", entry: `{}`, patch: `{"thinkingLevel":"x-high"}`, fault: `thinkingLevel "xhigh" is only supported for provider models that advertise xhigh reasoning`},
		{name: "xhigh with its model", entry: `{}`, patch: `{"thinkingLevel":"Extra High","model":"openai/gpt-5.4"}`,
			want: `{"thinkingLevel":"xhigh","providerOverride":"openai","modelOverride":"gpt-5.4"}`},
		{name: "xhigh lowered", entry: `{"thinkingLevel":"xhigh"}`, patch: `{"label":"l"}`, want: `{"thinkingLevel":"high","label":"l"}`},
		{name: "spawnedBy elsewhere", entry: `{}`, patch: `{"spawnedBy":"x"}`, fault: "spawnedBy is only supported for subagent:* or acp:* sessions"},
		{name: "spawnedBy blank before key", entry: `{}`, patch: `{"spawnedBy":" "}`, fault: "invalid spawnedBy: empty"},
		{name: "workspace key before blank", entry: `{}`, patch: `{"spawnedWorkspaceDir":" "}`, fault: "spawnedWorkspaceDir is only supported for subagent:* or acp:* sessions"},
		{name: "workspace blank", key: sub, entry: `{}`, patch: `{"spawnedWorkspaceDir":" "}`, fault: "invalid spawnedWorkspaceDir: empty"},
		{name: "lineage", key: sub, entry: `{}`, patch: `{"spawnedBy":" p ","spawnDepth":0,"subagentRole":"leaf","subagentControlScope":"none"}`,
			want: `{"spawnedBy":"p","spawnDepth":0,"subagentRole":"leaf","subagentControlScope":"none"}`},
		{name: "lineage again", key: sub, entry: `{"spawnedBy":"p","spawnDepth":0}`, patch: `{"spawnedBy":"p ","spawnDepth":0}`, want: `{"spawnedBy":"p","spawnDepth":0}`},
		{name: "lineage again, number spelled otherwise", key: sub, entry: `{"spawnDepth":2.0}`, patch: `{"spawnDepth":2}`, want: `{"spawnDepth":2}`},
		{name: "lineage changed", key: sub, entry: `{"spawnDepth":0}`, patch: `{"spawnDepth":1}`, fault: "spawnDepth cannot be changed once set"},
		{name: "lineage not set before", key: sub, entry: `{"spawnDepth":"1","spawnedBy":"","subagentRole":null}`, patch: `{"spawnDepth":1,"spawnedBy":"p","subagentRole":"leaf"}`,
			want: `{"spawnDepth":1,"spawnedBy":"p","subagentRole":"leaf"}`},
		{name: "lineage cleared", key: sub, entry: `{"spawnDepth":0}`, patch: `{"spawnDepth":null}`, fault: "spawnDepth cannot be cleared once set"},
		{name: "lineage cleared unset", entry: `{}`, patch: `{"spawnedBy":null}`, want: `{}`},
		{name: "model", entry: `{"model":"m1","modelProvider":"fake","contextTokens":9,"authProfileOverride":"p","fallbackNoticeReason":"r"}`,
			patch: `{"model":" fake/m2 "}`, want: `{"providerOverride":"fake","modelOverride":"m2"}`},
		{name: "model same again keeps its run", entry: `{"providerOverride":"fake","modelOverride":"m2","model":"m2","modelProvider":"fake","contextTokens":9,"fallbackNoticeReason":"r"}`,
			patch: `{"model":"m2"}`, want: `{"providerOverride":"fake","modelOverride":"m2","model":"m2","modelProvider":"fake","contextTokens":9,"fallbackNoticeReason":"r"}`},
		{name: "model default", entry: `{"providerOverride":"fake","modelOverride":"m2"}`, patch: `{"model":"m1"}`, want: `{}`},
		{name: "model null, empty choice", entry: `{"modelOverride":"","contextTokens":5,"fallbackNoticeReason":"r"}`, patch: `{"model":null}`, want: `{"contextTokens":5,"fallbackNoticeReason":"r"}`},
		{name: "model null", entry: `{"providerOverride":"fake","modelOverride":"m2","model":"m2"}`, patch: `{"model":null}`, want: `{}`},
		{name: "model blank", entry: `{}`, patch: `{"model":" "}`, fault: "invalid model: empty"},
		{name: "model bad", entry: `{}`, patch: `{"model":"fake/"}`, fault: "invalid model: fake/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key == "" {
				tt.key = "agent:main:x"
			}
			var p protocol.SessionChanges
			if err := rawjson.Unmarshal([]byte(tt.patch), &p); err != nil {
				t.Fatal(err)
			}
			old := entryOf(t, tt.entry)
			got, err := Patch(old, p, rules(c, tt.key))
			if tt.fault != "" {
				if err == nil || err.Error() != tt.fault {
					t.Errorf("err %v, want %s", err, tt.fault)
				}
				if string(got.Raw()) != tt.entry {
					t.Errorf("refused patch gives %s", got.Raw())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.UpdatedAt() != 1000 {
				t.Errorf("updatedAt %d", got.UpdatedAt())
			}
			got = got.With(func(o *rawjson.Object) { o.Delete("updatedAt") })
			if diff := cmp.Diff(tt.want, string(got.Raw())); diff != "" {
				t.Error(diff)
			}
			if string(old.Raw()) != tt.entry {
				t.Errorf("the old entry became %s", old.Raw())
			}
		})
	}
}

func TestModelAllowList(t *testing.T) {
	c := configured(t, `{agents: {defaults: {model: "fake/m1", models: {"fake/m1": {}, "zai/glm": {alias: "Zed"}}}}, `+models+`}`)
	for _, tt := range []struct{ model, want string }{
		{"fake/m2", "model not allowed: fake/m2"}, {"nowhere", "model not allowed: fake/nowhere"}, {"zed", ""}, {"z.ai/glm", ""},
	} {
		_, err := Patch(Entry{}, protocol.SessionChanges{Model: protocol.Some(tt.model)}, rules(c, "agent:main:x"))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.model, got, tt.want)
		}
	}
}

func TestEveryPatchFieldHasARule(t *testing.T) {
	var p protocol.SessionChanges
	o, err := rawjson.Parse([]byte(`{"key":"k","label":"a","thinkingLevel":"low","fastMode":true,"verboseLevel":"on","reasoningLevel":"on",
		"responseUsage":"full","elevatedLevel":"on","execHost":"node","execSecurity":"deny","execAsk":"off","execNode":"n","model":"fake/m2",
		"spawnedBy":"p","spawnedWorkspaceDir":"/w","spawnDepth":1,"subagentRole":"leaf","subagentControlScope":"none","sendPolicy":"deny","groupActivation":"always"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := rawjson.Unmarshal(o.JSON(), &p); err != nil {
		t.Fatal(err)
	}
	e, err := Patch(Entry{}, p, rules(configured(t, `{`+models+`}`), "agent:main:subagent:s"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range o.All() {
		switch name {
		case "key":
		case "model":
			name = "modelOverride"
			fallthrough
		default:
			if e.Value(name) == nil {
				t.Errorf("%s is not stored: %s", name, e.Raw())
			}
		}
	}
}

func TestUpdatedAtNeverGoesBack(t *testing.T) {
	e, err := Patch(entryOf(t, `{"updatedAt":5000}`), protocol.SessionChanges{}, rules(configured(t, `{}`), "agent:main:x"))
	if err != nil || e.UpdatedAt() != 5000 {
		t.Errorf("%s, %v", e.Raw(), err)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		words func(string) (string, bool)
		in    map[string]string
	}{
		{NormalizeThinking, map[string]string{
			"auto": "adaptive", " Adap_tive ": "adaptive", "X_High": "xhigh", "extra-high": "xhigh", "off": "off", "enabled": "low",
			"min": "minimal", "think": "minimal", "think_hard": "low", "mid": "medium", "harder": "medium", "MAX": "high", "": "", "of f": "",
		}},
		{NormalizeVerbose, map[string]string{"NO": "off", "0": "off", "minimal": "on", "everything": "full", " on": "", "2": ""}},
		{NormalizeReasoning, map[string]string{"hidden": "off", "enable": "on", "draft": "stream", "x": ""}},
		{NormalizeElevated, map[string]string{"false": "off", "1": "on", "approve": "ask", "autoapprove": "full", "x": ""}},
	} {
		for in, want := range tt.in {
			got, ok := tt.words(in)
			if got != want || ok != (want != "") {
				t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
			}
		}
	}
}

func TestReset(t *testing.T) {
	c := configured(t, `{agents: {defaults: {model: "fake/m1"}}, `+models+`}`)
	old := entryOf(t, `{"sessionId":"s","updatedAt":1,"unknown":1,"status":"done","lastThreadId":9,"label":"L","thinkingLevel":null,"sendPolicy":"deny",
		"verboseLevel":"on","model":"m1","modelProvider":"fake","modelOverride":"m2","providerOverride":"fake","spawnedBy":"p","spawnDepth":2,
		"channel":"c","execHost":"node","inputTokens":7,"sessionFile":"f","queueMode":"steer","displayName":"D","deliveryContext":{"channel":"c"}}`)
	got := Reset(old, rules(c, "agent:main:x"))
	if id := got.SessionID(); id == "s" || len(id) != 36 {
		t.Errorf("sessionId %q", id)
	}
	got = got.With(func(o *rawjson.Object) { o.Delete("sessionId") })
	want := `{"updatedAt":1000,"systemSent":false,"abortedLastRun":false,"thinkingLevel":null,"verboseLevel":"on","model":"m2","modelProvider":"fake",` +
		`"sendPolicy":"deny","label":"L","lastThreadId":9,"inputTokens":0,"outputTokens":0,"totalTokens":0,"totalTokensFresh":true,` +
		`"providerOverride":"fake","modelOverride":"m2","spawnedBy":"p","spawnDepth":2,"execHost":"node","displayName":"D","channel":"c"}`
	if diff := cmp.Diff(want, string(got.Raw())); diff != "" {
		t.Error(diff)
	}
	if got := Reset(Entry{}, rules(c, "agent:main:x")); got.Text("model") != "m1" {
		t.Errorf("of nothing: %s", got.Raw())
	}
}

func TestCreate(t *testing.T) {
	c := configured(t, `{agents: {defaults: {model: "fake/m1"}}, `+models+`}`)
	r := rules(c, "agent:main:x")
	e, err := Create(Entry{}, false, " My ", "fake/m2", "agent:main:p", r)
	if err != nil {
		t.Fatal(err)
	}
	order := []string{}
	for name := range e.Fields().All() {
		order = append(order, name)
	}
	if got, want := strings.Join(order, " "), "sessionId updatedAt label providerOverride modelOverride parentSessionKey"; got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
	old := entryOf(t, `{"sessionId":"s","custom":7}`)
	e, err = Create(old, true, "", "", "", r)
	if got, want := string(e.Raw()), `{"sessionId":"s","custom":7,"updatedAt":1000}`; err != nil || got != want {
		t.Errorf("existing: %s, %v; want %s", got, err, want)
	}
	if e, _ = Create(entryOf(t, `{}`), true, "", "", "", r); e.SessionID() == "" {
		t.Error("an entry without sessionId gets one")
	}
	if _, err := Create(old, true, " ", "", "", r); err == nil || err.Error() != "invalid label: empty" {
		t.Errorf("blank label: %v", err)
	}
}

func TestModels(t *testing.T) {
	c := configured(t, `{agents: {defaults: {model: "fake/m1", models: {"fake/only": {}, "zai/glm": {}}}}, `+models+`}`)
	for _, tt := range []struct{ entry, selected, resolved, shown string }{
		{`{}`, "fake/m1", "fake/m1", "fake/m1"},
		{`{"model":" m9 ","modelProvider":"p"}`, "fake/m1", "p/m9", "p/m9"},
		{`{"model":"glm"}`, "fake/m1", "fake/glm", "zai/glm"},
		{`{"model":"a/b/c"}`, "fake/m1", "a/b/c", "a/b/c"},
		{`{"model":"/bad"}`, "fake/m1", "fake//bad", "//bad"},
		{`{"model":"x"}`, "fake/m1", "fake/x", "/x"},
		{`{"modelOverride":"a/b"}`, "a/b", "a/b", "a/b"},
		{`{"modelOverride":"a/b","providerOverride":"openrouter"}`, "openrouter/a/b", "openrouter/a/b", "openrouter/a/b"},
		{`{"modelOverride":"m2"}`, "fake/m2", "fake/m2", "fake/m2"},
		{`{"modelOverride":"M2","providerOverride":" Z.AI "}`, "zai/M2", "zai/M2", "zai/M2"},
		{`{"modelOverride":"Bedrock/b"}`, "amazon-bedrock/b", "amazon-bedrock/b", "amazon-bedrock/b"},
		{`{"model":"Fake/M"}`, "fake/m1", "fake/M", "fake/M"},
		{`{"model":"M","modelProvider":"Fake"}`, "fake/m1", "Fake/M", "Fake/M"},
	} {
		e := entryOf(t, tt.entry)
		if got := SelectedModel(c, "main", e).String(); got != tt.selected {
			t.Errorf("%s: selected %s, want %s", tt.entry, got, tt.selected)
		}
		if got := ResolvedModel(c, "main", e).String(); got != tt.resolved {
			t.Errorf("%s: resolved %s, want %s", tt.entry, got, tt.resolved)
		}
		if got := ShownModel(c, "main", e).String(); got != tt.shown {
			t.Errorf("%s: shown %s, want %s", tt.entry, got, tt.shown)
		}
	}
}

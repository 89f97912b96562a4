package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parleyd/parley/internal/json5"
	"github.com/parleyd/parley/internal/rawjson"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A form made from the schema must offer what the loader takes and refuse what
// it refuses.
func TestSchemaAgreesWithTheLoader(t *testing.T) {
	schema := compiled(t)
	tests := []struct {
		text string
		want bool
	}{
		{`{}`, true},
		{`[]`, false},
		{`{$schema: "x", meta: {a: 1}, wizard: null, channels: {telegram: {}}}`, true},
		{`{bogus: 1}`, false},
		{`{gateway: {port: 1, bind: "custom", customBindHost: "127.0.0.1", nodes: {}}}`, true},
		{`{gateway: {port: 0}}`, false},
		{`{gateway: {port: 1.5}}`, false},
		{`{gateway: {bind: "wan"}}`, false},
		{`{gateway: {trustedProxies: ["10.0.0.0/8"]}}`, true},
		{`{gateway: {trustedProxies: [1]}}`, false},
		{`{gateway: {http: {securityHeaders: {strictTransportSecurity: false}}}}`, true},
		{`{gateway: {http: {securityHeaders: {strictTransportSecurity: "x"}}}}`, true},
		{`{gateway: {http: {securityHeaders: {strictTransportSecurity: true}}}}`, false},
		{`{gateway: {auth: {token: "x"}}}`, true},
		{`{gateway: {auth: {token: {source: "env", id: "X"}}}}`, true},
		{`{gateway: {auth: {token: {source: "env"}}}}`, false},
		{`{gateway: {auth: {token: 1}}}`, false},
		{`{gateway: {auth: {rateLimit: {maxAttempts: 0}}}}`, false},
		{`{agents: {defaults: {model: "a/b"}}}`, true},
		{`{agents: {defaults: {model: {primary: "a/b", fallbacks: ["c/d"]}}}}`, true},
		{`{agents: {defaults: {model: {primary: 1}}}}`, false},
		{`{agents: {defaults: {models: {"a/b": {alias: "x", params: {thinking: "low", n: 1}}}}}}`, true},
		{`{agents: {defaults: {models: {"a/b": {alias: 1}}}}}`, false},
		{`{agents: {list: [{id: "x", identity: {emoji: "x"}}]}}`, true},
		{`{agents: {list: [{name: "x"}]}}`, false},
		{`{session: {dmScope: "main", resetByChannel: {x: {mode: "idle", idleMinutes: 5}}}}`, true},
		{`{session: {dmScope: "bogus"}}`, false},
		{`{session: {reset: {atHour: 24}}}`, false},
		{`{session: {maintenance: {pruneAfter: "30d", rotateBytes: 5, resetArchiveRetention: false}}}`, true},
		{`{session: {maintenance: {resetArchiveRetention: true}}}`, false},
		{`{session: {maintenance: {pruneAfter: true}}}`, false},
		{`{models: {providers: {p: {baseUrl: "u", apiKey: "k", headers: {"X-A": "b"}, models: [{id: "m", cost: {input: 0.5}, compat: {any: 1}}]}}}}`, true},
		{`{models: {providers: {p: {baseUrl: "u", models: [{id: "m", cost: {input: -1}}]}}}}`, false},
		{`{models: {providers: {p: {baseUrl: "u", models: [{id: "m", compat: []}]}}}}`, false},
		{`{models: {providers: {p: {api: "acp", command: "agent", args: ["-x"], env: {KEY: "v", K2: {source: "env", id: "X"}}, cwd: "~/w", processes: "session", maxProcesses: 2, permissions: "ask", models: [{id: "m"}]}}}}`, true},
		{`{models: {providers: {p: {api: "acp", command: "agent", processes: "many"}}}}`, false},
		{`{models: {providers: {p: {api: "acp", command: "agent", maxProcesses: 0}}}}`, false},
		{`{models: {providers: {p: {api: "acp", command: "agent", permissions: true}}}}`, false},
		{`{models: {providers: {p: {api: "acp", command: "agent", args: "x"}}}}`, false},
		{`{env: {A: "x", vars: {B: "y"}, shellEnv: {enabled: true}}}`, true},
		{`{env: {A: 1}}`, false},
		{`{env: {vars: {B: 1}}}`, false},
		{`{parley: {protocols: [3], throttleLoopback: false, runs: {onRestart: "resume", maxAnswerBytes: 1024}, unauthenticated: {perAddress: 1, total: 9}}}`, true},
		{`{parley: {unauthenticated: {total: 0}}}`, false},
		{`{parley: {protocols: [2]}}`, false},
		{`{parley: {runs: {onRestart: "later"}}}`, false},
	}
	for _, tt := range tests {
		if _, _, err := Parse(tt.text, testOptions(nil)); (err == nil) != tt.want {
			t.Errorf("%s: the loader says %v, want valid = %v", tt.text, err, tt.want)
		}
		v, err := json5.Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(v))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); (err == nil) != tt.want {
			t.Errorf("%s: the schema says %v, want valid = %v", tt.text, err, tt.want)
		}
	}
}

func TestSchemaAt(t *testing.T) {
	tests := []struct{ path, dotted, want string }{
		{"gateway.port", "gateway.port", `{"type":"integer","minimum":1,"maximum":65535}`},
		{"gateway.nodes", "gateway.nodes", `{"description":"Accepted, without effect in Parley."}`},
		{"session.dmScope", "session.dmScope", `{"type":"string","enum":["main","per-peer","per-channel-peer","per-account-channel-peer"],"description":"Accepted, without effect in Parley."}`},
		{"agents.list[0].default", "agents.list.0.default", `{"type":"boolean"}`},
		{"agents.list[].default", "agents.list.*.default", `{"type":"boolean"}`},
		{"agents.list.*.default", "agents.list.*.default", `{"type":"boolean"}`},
		{"agents.list[0].model.primary", "agents.list.0.model.primary", `{"type":"string"}`},
		{"models.providers.any.headers.X-A.source", "models.providers.any.headers.X-A.source", `{"type":"string"}`},
		{"agents.defaults.models.a/b.alias", "agents.defaults.models.a/b.alias", `{"type":"string"}`},
		{"env.vars.NAME", "env.vars.NAME", `{"type":"string"}`},
		{"parley.protocols", "parley.protocols", `{"type":"array","items":{"type":"integer","minimum":3,"maximum":4}}`},
		{"", "", string(Schema())},
		{".", "", string(Schema())},
	}
	for _, tt := range tests {
		part, dotted, ok := SchemaAt(tt.path)
		if !ok || dotted != tt.dotted {
			t.Errorf("SchemaAt(%q) = %q, %v; want %q", tt.path, dotted, ok, tt.dotted)
		}
		if tt.dotted != "" {
			part = unexplained(part)
		}
		if diff := cmp.Diff(tt.want, string(part)); diff != "" {
			t.Errorf("SchemaAt(%q) (-want +got):\n%s", tt.path, diff)
		}
	}
	for _, path := range []string{"gatewy", "gateway.port.x", "gateway.nope", "agents.list.first", "gateway.auth.token.nope"} {
		if part, _, ok := SchemaAt(path); ok {
			t.Errorf("SchemaAt(%q) = %s, want none", path, part)
		}
	}
}

// unexplained is a schema without what it tells people.
func unexplained(schema rawjson.Value) rawjson.Value {
	o, err := rawjson.Parse(schema)
	if err != nil || o.Text("description") == withoutEffect {
		return schema
	}
	o = o.Clone()
	o.Delete("description")
	return o.JSON()
}

func TestSchemaHasNoGaps(t *testing.T) {
	// Anything goes only where the loader looks at nothing: what it ignores
	// and what it hands on unseen.
	free := map[string]bool{"$schema": true, "meta": true, "wizard": true, "models.providers.*.models.*.compat.*": true, "agents.defaults.models.*.params.*": true}
	seen := 0
	var walk func(at string, v rawjson.Value)
	walk = func(at string, v rawjson.Value) {
		o, err := rawjson.Parse(v)
		if err != nil {
			return // additionalProperties: false
		}
		seen++
		if string(unexplained(v)) == "{}" && !free[at] {
			t.Errorf("%s may be anything", at)
		}
		properties, _ := rawjson.Parse(o.Get("properties"))
		for name, p := range properties.All() {
			walk(join(at, name), p)
		}
		walk(join(at, "*"), o.Get("additionalProperties"))
		walk(join(at, "*"), o.Get("items"))
		choices, _ := rawjson.Array(o.Get("anyOf"))
		for _, c := range choices {
			walk(at, c)
		}
	}
	walk("", Schema())
	if seen < 100 || !strings.Contains(string(Schema()), `"throttleLoopback":{"type":"boolean",`) {
		t.Errorf("only %d places are described", seen)
	}
}

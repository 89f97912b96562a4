package gateway

import (
	"context"
	"crypto/rand"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// hostileValues is how many of the hostile values are tried in each place, taking
// turns; -hostile 100 tries all.
var hostileValues = flag.Int("hostile", 4, "hostile values in each place of the params")

// canary stands in files that no client may see.
const canary = "canary-4711-in-a-file-outside"

// besieged is a gateway whose state directory lies among files that are not its
// clients' business, and the files as they were.
type besieged struct {
	t      *testing.T
	root   string // holds the state directory and the files around it
	state  string
	client *gatewaytest.Client
	log    *logged
	before map[string]string
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{t: t, root: t.TempDir(), log: &logged{}}
	b.state = filepath.Join(b.root, "deep", "down", "state")
	for _, name := range []string{"secret.jsonl", "sessions.json", "etc/passwd", "deep/secret.jsonl", "deep/down/secret.jsonl", "deep/down/secret.txt", "deep/down/AGENTS.md", "deep/down/state/token"} {
		path := filepath.Join(b.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeText(t, path, `{"type":"session","id":"`+canary+`"}`+"\n")
	}
	o := optionsFor(t, b.state, nil)
	o.Log = slog.New(slog.NewTextHandler(b.log, nil))
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := gatewaytest.NewListener(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	b.client = gatewaytest.Connect(t, l, "")
	b.client.Call("sessions.patch", `{"key":"a","label":"A"}`)
	b.before = b.outside()
	return b
}

// outside is the content of all files around the state directory.
func (b *besieged) outside() map[string]string {
	b.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == b.state:
			return fs.SkipDir
		case d.IsDir():
			files[path] = "directory"
			return nil
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// param is a place in the params of a method that takes a value of some type.
type param struct{ method, name, kind string }

// allParams is every place that the schemas of the methods know, on the first
// level and in the items of lists there.
func allParams(t *testing.T, v *protocol.Validator) (params []param) {
	t.Helper()
	for _, m := range methods {
		if !v.Has(m.name) {
			continue
		}
		o, err := rawjson.Parse(v.Schema(m.name))
		if err != nil {
			t.Fatal(err)
		}
		properties, err := rawjson.Parse(o.Get("properties"))
		if err != nil {
			continue
		}
		for name, raw := range properties.All() {
			params = append(params, param{m.name, name, typeOfSchema(t, raw)})
		}
	}
	return params
}

// typeOfSchema is the type that a schema asks for: string, integer, array, any …
func typeOfSchema(t *testing.T, raw rawjson.Value) string {
	t.Helper()
	o, err := rawjson.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if kind := o.Text("type"); kind != "" {
		return kind
	}
	branches, _ := rawjson.Array(o.Get("anyOf"))
	for _, b := range branches {
		if kind := typeOfSchema(t, b); kind != "null" && kind != "any" {
			return kind
		}
	}
	return "any"
}

// required are values of params that methods do not go without.
var required = map[string]string{
	"key": `"a"`, "sessionKey": `"a"`, "keys": `["a"]`, "message": `"m"`, "idempotencyKey": `"i"`, "runId": `"r"`, "agentId": `"main"`, "name": `"AGENTS.md"`,
	"content": `"x"`, "deviceId": `"d"`, "requestId": `"q"`, "role": `"operator"`, "raw": `"{}"`, "archive": `"x.jsonl.reset.2026-01-01T00-00-00.000Z"`,
	"targets": `[{"key":"a"}]`, "patch": `{"label":"L"}`, "path": `"gateway"`, "id": `"x"`, "decision": `"deny"`,
	"entry": `{"sessionId":"imported"}`, "upload": `"upload-1"`, "offset": `0`, "data": `"e30K"`,
}

// with is params of the method that go through its schema but for the place,
// which has this value.
func (p param) with(t *testing.T, v *protocol.Validator, value string) string {
	t.Helper()
	o, err := rawjson.Parse(v.Schema(p.method))
	if err != nil {
		t.Fatal(err)
	}
	var params rawjson.Object
	list, _ := rawjson.Array(o.Get("required"))
	for _, raw := range list {
		name, _ := rawjson.Text(raw)
		if required[name] == "" {
			t.Fatalf("%s needs %s: give it a value in required", p.method, name)
		}
		params.Set(name, rawjson.Value(required[name]))
	}
	for _, name := range []string{"key", "sessionKey", "message"} { // some ask for one of them without the schema saying so
		if properties, err := rawjson.Parse(o.Get("properties")); err == nil && properties.Has(name) && !params.Has(name) {
			params.Set(name, rawjson.Value(required[name]))
		}
	}
	if params.Has("idempotencyKey") {
		params.Put("idempotencyKey", rand.Text()) // a key that was used is answered from memory
	}
	params.Set(p.name, rawjson.Value(value))
	return string(params.JSON())
}

// unfit are methods that this test leaves out: they wait.
var unfit = []string{"agent.wait"}

// attackAll calls every method with each of the values in each place that may
// take it, and looks at every answer.
func (b *besieged) attackAll(fits func(param) bool, values []string) (calls int) {
	b.t.Helper()
	v, err := protocol.NewValidator()
	if err != nil {
		b.t.Fatal(err)
	}
	for i, p := range allParams(b.t, v) {
		if !fits(p) || slices.Contains(unfit, p.method) {
			continue
		}
		for j := range min(*hostileValues, len(values)) {
			value := values[(i**hostileValues+j)%len(values)]
			if p.kind == "array" {
				value = "[" + value + "]"
			}
			params := p.with(b.t, v, value)
			payload, fault := b.client.Try(p.method, params)
			calls++
			for _, text := range []string{string(payload), string(fault)} {
				if strings.Contains(text, canary) {
					b.t.Errorf("%s %.300s is answered %.300s", p.method, params, text)
				}
				if strings.Contains(text, "internal error") {
					b.t.Errorf("%s %.300s panics: %.300s", p.method, params, text)
				}
			}
		}
	}
	return calls
}

// unharmed checks that nothing outside has changed and nothing of it was told.
func (b *besieged) unharmed() {
	b.t.Helper()
	for _, f := range b.client.Frames() {
		if strings.Contains(string(f), canary) {
			b.t.Errorf("a client got %.300s", f)
		}
	}
	after := b.outside()
	for path, text := range after {
		if was, ok := b.before[path]; !ok || was != text {
			b.t.Errorf("%s was made or changed: %.100q", path, text)
		}
	}
	if len(after) < len(b.before) {
		b.t.Errorf("%d files and directories are left of %d", len(after), len(b.before))
	}
	if text := b.log.String(); strings.Contains(text, "handler panicked") || strings.Contains(text, canary) {
		b.t.Errorf("the log tells of a panic or of a file outside: %.3000s", text)
	}
}

// Strings that become paths, and all others: none leads out of the directories
// that are for it, to read, to write, to remove or to be told of.
func TestPathTraversalInEveryString(t *testing.T) {
	b := besiege(t)
	var values []string
	for _, path := range []string{
		"../../../../secret.jsonl", "../../../../../deep/down/secret", "..", ".", "/etc/passwd", b.root + "/secret.jsonl", b.state + "/../secret.jsonl",
		b.state + "/token", `..\\..\\secret`, "....//....//secret.jsonl", "%2e%2e%2fsecret.jsonl", "a/../../../../../secret.jsonl", "agent:../../../../x:main",
		"agent:main:../../../../secret", "agent:" + b.root + ":main", `a\u0000/../../secret.jsonl`, "~/secret.jsonl", "file://" + b.root + "/secret.jsonl",
		"../AGENTS.md", "../../../../secret.jsonl.reset.2026-01-01T00-00-00.000Z", b.root + "/secret.jsonl.deleted.2026-01-01T00-00-00.000Z", "..%c0%af..%c0%afsecret.jsonl",
	} {
		values = append(values, `"`+path+`"`)
	}
	calls := b.attackAll(func(p param) bool { return p.kind == "string" || p.kind == "array" || p.kind == "any" }, values)
	if calls < 100*min(*hostileValues, len(values)) {
		t.Errorf("only %d calls were made", calls)
	}
	b.unharmed()
}

// Values at the edge of their types, and of other types: every call is answered,
// none brings a handler down.
func TestHostileValuesInEveryParam(t *testing.T) {
	b := besiege(t)
	values := []string{
		"1e308", "-1e308", "9223372036854775807", "-9223372036854775808", "1e18", "0", "-0.0", "null", "true", `""`, `" "`, "{}", "[]", `[null]`, `{"":{}}`,
		`"\ud800"`, `"\u0000"`, `"\u2028\u202e"`, `"` + strings.Repeat("é", 3000) + `"`, `"__proto__"`, `"constructor"`, `"agent:"`, `"agent::"`, `":::"`, `"global"`, `"unknown"`,
		`"1e309"`, `"9999-99-99"`, `"-1"`,
	}
	if calls := b.attackAll(func(param) bool { return true }, values); calls < 150*min(*hostileValues, len(values)) {
		t.Errorf("only %d calls were made", calls)
	}
	b.unharmed()
}

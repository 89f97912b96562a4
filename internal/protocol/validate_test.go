package protocol

import (
	"bufio"
	"bytes"
	_ "embed"
	stdjson "encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parleyd/parley/internal/rawjson"
)

// validator is compiled once for all tests of the package.
var validator = sync.OnceValues(NewValidator)

func newTestValidator(tb testing.TB) *Validator {
	tb.Helper()
	v, err := validator()
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// vectors holds one case a line: method, params as sent, problems as a JSON
// string without its quotes. The problems were made by the reference's schemas
// and by Ajv, the validator of the reference.
//
//go:embed testdata/validation.tsv
var vectors []byte

type vector struct{ method, params, problems string }

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	var all []vector
	for lines := bufio.NewScanner(bytes.NewReader(vectors)); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 3 {
			tb.Fatalf("bad vector %q", lines.Text())
		}
		problems, ok := rawjson.Text(rawjson.Value(`"` + f[2] + `"`))
		if !ok {
			tb.Fatalf("bad problems in %q", lines.Text())
		}
		all = append(all, vector{f[0], f[1], problems})
	}
	if len(all) < 700 {
		tb.Fatalf("only %d vectors", len(all))
	}
	return all
}

func (v *Validator) problemsOf(c vector) string {
	if c.method == frameSchema {
		_, problems := v.Frame([]byte(c.params))
		return problems
	}
	return v.Params(c.method, rawjson.Value(c.params))
}

func TestProblemsAreThoseOfTheReference(t *testing.T) {
	v := newTestValidator(t)
	valid := 0
	for _, c := range readVectors(t) {
		if got := v.problemsOf(c); got != c.problems {
			t.Errorf("%s %s\ngot  %s\nwant %s", c.method, c.params, got, c.problems)
		}
		if c.problems == "" {
			valid++
		}
	}
	if valid < 200 {
		t.Errorf("only %d vectors are valid: they prove little", valid)
	}
}

// Beside the facts about the reference, where they are at hand, our schemas
// are held against its own files too, so that the vectors cannot grow stale.
func TestVerdictsAreThoseOfTheReference(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "spec", "params")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the reference's schemas are not beside this checkout: %v", err)
	}
	v := newTestValidator(t)
	theirs := compileAll(t, dir)
	for _, c := range readVectors(t) {
		if strings.Contains(c.params, `\r`) {
			continue // "." means another thing in JavaScript's patterns than here
		}
		schema := theirs[c.method]
		if schema == nil {
			t.Fatalf("no schema of the reference for %s", c.method)
		}
		params := rawjson.Value(c.params)
		if rawjson.Null(params) && c.method != "connect" && c.method != frameSchema {
			params = rawjson.Value(`{}`)
		}
		want := schema.Validate(plainJSON(t, params)) == nil
		if got := v.problemsOf(c) == ""; got != want {
			t.Errorf("%s %s: valid = %v, the reference says %v", c.method, c.params, got, want)
		}
	}
	for name := range theirs {
		if !strings.HasPrefix(name, "_") && !strings.HasPrefix(name, "agents.") && !v.Has(name) {
			t.Errorf("there is no schema for %s", name)
		}
	}
}

func compileAll(t *testing.T, dir string) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas in %s: %v", dir, err)
	}
	all := map[string]*jsonschema.Schema{}
	for _, file := range files {
		schema, err := jsonschema.NewCompiler().Compile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = schema
	}
	return all
}

// plainJSON decodes as the library wants it, by another decoder than ours, and
// with the numbers of JavaScript.
func plainJSON(tb testing.TB, raw []byte) any {
	tb.Helper()
	d := stdjson.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("decode %s: %v", raw, err)
	}
	return doubles(v)
}

func doubles(v any) any {
	switch v := v.(type) {
	case stdjson.Number:
		f, _ := v.Float64()
		return max(-math.MaxFloat64, min(math.MaxFloat64, f))
	case []any:
		for i := range v {
			v[i] = doubles(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = doubles(v[k])
		}
	}
	return v
}

func TestParamsTexts(t *testing.T) {
	long := `"` + strings.Repeat("x", 513) + `"`
	for _, c := range []vector{
		{"sessions.list", ``, ``},
		{"sessions.list", `null`, ``},
		{"sessions.list", ` { "limit" : 1e0 } `, ``},
		{"connect", ``, `must be object`},
		{"connect", `null`, `must be object`},
		{"no.such", `5`, ``},
		{"health", `5`, ``},
		{"sessions.list", `{"limit":1,"limit":"x"}`, `at /limit: must be integer`},
		{"sessions.list", `{"limit":"x","limit":1}`, ``},
		{"sessions.list", `{"\u006cimit":"x"}`, `at /limit: must be integer`},
		{"sessions.list", `{"Limit":1}`, `at root: unexpected property 'Limit'`},
		{"sessions.list", `{"limit":1e999999999}`, ``},
		{"sessions.list", `{"limit":-1e999999999}`, `at /limit: must be >= 1`},
		{"sessions.list", `{"limit":1.00000000000000000001}`, ``},
		{"chat.send", `{"sessionKey":` + long + `,"message":"","idempotencyKey":"i"}`, `at /sessionKey: must NOT have more than 512 characters`},
		{"chat.send", `{"sessionKey":"` + strings.Repeat("😀", 512) + `","message":"","idempotencyKey":"i"}`, ``},
		{"chat.send", `{"sessionKey":"` + strings.Repeat(`\ud83d\ude00`, 512) + `","message":"","idempotencyKey":"i"}`, ``},
		{"chat.send", `{"sessionKey":"k","message":"","idempotencyKey":"i","attachments":[1,null,{}]}`, ``},
		{"sessions.patch", `{"key":"k","label":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`,
			`at /label: must be string; at /label: must be null; at /label: must match a schema in anyOf`},
		{"device.pair.list", `{"b":1,"10":1,"9":1,"":1,"\ufeff":1,"a":1,"b":2}`,
			`at root: unexpected property '9'; at root: unexpected property '10'; at root: unexpected property 'b'; must NOT have additional properties; at root: unexpected property 'a'`},
	} {
		if got := newTestValidator(t).Params(c.method, rawjson.Value(c.params)); got != c.problems {
			t.Errorf("%s %.200s\ngot  %s\nwant %s", c.method, c.params, got, c.problems)
		}
	}
}

// A message of a million wrong values must cost neither memory nor an answer
// of a hundred megabytes, and its problems must be the same every time.
func TestManyProblemsAreBounded(t *testing.T) {
	v := newTestValidator(t)
	for name, params := range map[string]string{
		"elements":   `{"keys":[` + strings.Repeat("1,", 1_000_000) + `1]}`,
		"properties": `{"keys":["a"]` + manyProperties(100_000) + `}`,
	} {
		got := v.Params("sessions.preview", rawjson.Value(params))
		if got == "" || len(got) > 100_000 {
			t.Errorf("%s: text of %d bytes", name, len(got))
		}
		if again := v.Params("sessions.preview", rawjson.Value(params)); again != got {
			t.Errorf("%s: another text the second time", name)
		}
	}
	if got := v.Params("sessions.preview", rawjson.Value(`{"keys":[`+strings.Repeat(`"a",`, 500_000)+`"a"]}`)); got != "" {
		t.Errorf("a long valid list: %s", got)
	}
}

func manyProperties(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"p%d":1`, i)
	}
	return b.String()
}

func TestSchemaFiles(t *testing.T) {
	v := newTestValidator(t)
	for name, text := range v.texts {
		o, err := rawjson.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := "https://github.com/parleyd/parley/schemas/" + name + ".json"; o.Text("$id") != want {
			t.Errorf("%s has $id %q, want %q", name, o.Text("$id"), want)
		}
		if o.Text("title") == "" || o.Text("description") == "" {
			t.Errorf("%s lacks title or description", name)
		}
		checkDescribed(t, name, o)
	}
	if v.Schema("no.such") != nil || v.Has("_frame.request") || v.Has("no.such") || !v.Has("connect") {
		t.Error("Schema or Has is wrong about what there is")
	}
}

func checkDescribed(t *testing.T, at string, o rawjson.Object) {
	t.Helper()
	properties, err := rawjson.Parse(o.Get("properties"))
	if err != nil {
		return
	}
	for name, value := range properties.All() {
		p, err := rawjson.Parse(value)
		if err != nil {
			t.Errorf("%s/%s: %v", at, name, err)
			continue
		}
		if !p.Has("$ref") && p.Text("description") == "" {
			t.Errorf("%s/%s has no description", at, name)
		}
		checkDescribed(t, at+"/"+name, p)
	}
}

func TestSchemasWithoutWordsAreRefused(t *testing.T) {
	for _, text := range []string{
		`[]`, `{"type":["string","null"]}`, `{"format":"uri"}`, `{"const":1}`, `{"enum":[]}`, `{"additionalProperties":{}}`,
		`{"pattern":"("}`, `{"minimum":"1"}`, `{"properties":{"a":{"oneOf":[]}}}`, `{"anyOf":[{"type":"object","required":["a"]}]}`,
	} {
		if _, err := newSchema(rawjson.Value(text)); err == nil {
			t.Errorf("newSchema(%s) succeeded", text)
		}
	}
}

func TestConforms(t *testing.T) {
	v := newTestValidator(t)
	hello := HelloOK{Type: HelloType, Protocol: 3, Server: Server{"1", "c"}, Policy: DefaultPolicy(),
		Features: Features{}, Snapshot: Snapshot{Presence: []PresenceEntry{{TS: 1, Host: "h"}}, Health: rawjson.Value(`{}`),
			SessionDefaults: &SessionDefaults{"main", "main", "agent:main:main", "per-sender"}, AuthMode: "token"},
		Auth: &HelloAuth{DeviceToken: "t", Role: "operator"}}
	for _, c := range []struct {
		schema, value string
		want          bool
	}{
		{"_result.connect.hello-ok", string(rawjson.MustMarshal(hello)), true},
		{"_result.connect.hello-ok", `{"type":"hello-ok"}`, false},
		{"_part.presence-entry", `{"ts":-1}`, false},
		{"_frame.error", string(rawjson.MustMarshal(Invalidf("no"))), true},
		{"_event.shutdown", `{"reason":"r","restartExpectedMs":null}`, true},
		{"no.such", `{}`, false},
		{"_frame.error", `{`, false},
	} {
		if err := v.Conforms(c.schema, rawjson.Value(c.value)); (err == nil) != c.want {
			t.Errorf("Conforms(%s, %s) = %v, want %v", c.schema, c.value, err, c.want)
		}
	}
}

func FuzzVerdictAndTextAgree(f *testing.F) {
	v, err := NewValidator()
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range readVectors(f) {
		f.Add(c.method, []byte(c.params))
	}
	f.Add("sessions.list", []byte(`{"limit":`))
	f.Add("connect", []byte(`"`))
	f.Fuzz(func(t *testing.T, method string, params []byte) {
		j := v.methods[method]
		if method == frameSchema {
			j = v.frame
		}
		if j == nil {
			return
		}
		got := problems(j.words, params) // must not panic, whatever it is given
		if !rawjson.Valid(params) || !utf8.Valid(params) {
			return
		}
		if again := problems(j.words, params); again != got {
			t.Fatalf("first %q, then %q", got, again)
		}
		want := j.verdict.Validate(plainJSON(t, params)) == nil
		if (got == "") != want {
			t.Errorf("%s %s: valid = %v, but the text is %q", method, params, want, got)
		}
		if j.words.fits(params) && !want {
			t.Errorf("%s %s fits, but is not valid", method, params)
		}
		if projected := j.verdict.Validate(decode(j.words, params)) == nil; projected != want {
			t.Errorf("%s %s: valid = %v, but of what is decoded %v", method, params, want, projected)
		}
	})
}

package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
)

// bare is a gateway that has only what rows and events need, over a state
// directory with this store file.
func bare(t testing.TB, cfg, store string) *Gateway {
	t.Helper()
	dir := t.TempDir()
	c, _, err := config.Parse(cfg, config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agents", "main", "sessions", "sessions.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(store), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{live: config.NewLive(c), hub: hub.New(), records: upkeep.NewRecords(nil), transcripts: transcript.New(transcript.Options{StateDir: dir, Home: dir})}
	if g.stores, err = sessions.OpenStores(sessions.Options{Config: c}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestDerivedTitle(t *testing.T) {
	const id = "01234567-89ab"
	word := strings.Repeat("a", 30)
	for _, tt := range []struct{ entry, first, want string }{
		{`{"displayName":" D ","subject":"S"}`, "m", "D"},
		{`{"displayName":" ","subject":" S "}`, "m", "S"},
		{`{}`, " one\n two ", "one two"},
		{`{}`, strings.Repeat("b", 60), strings.Repeat("b", 60)},
		{`{}`, strings.Repeat("b", 61), strings.Repeat("b", 59) + "…"},
		{`{}`, word + " aaaaaa " + word, word + " aaaaaa…"},
		{`{}`, word + " aaaaa " + word, word + " aaaaa " + strings.Repeat("a", 22) + "…"},
		{`{}`, strings.Repeat("b", 58) + "😀bb", strings.Repeat("b", 58) + "…"},
		{`{"sessionId":"` + id + `","updatedAt":1767607201000}`, "", "01234567 (2026-01-05)"},
		{`{"sessionId":"` + id + `","updatedAt":0}`, " ", "01234567"},
		{`{"sessionId":"` + id + `","updatedAt":-5}`, "", "01234567"},
	} {
		e, err := sessions.ParseEntry([]byte(tt.entry))
		if err != nil {
			t.Fatal(err)
		}
		if got := derivedTitle(e, tt.first); got != tt.want {
			t.Errorf("%s, %q: %q, want %q", tt.entry, tt.first, got, tt.want)
		}
	}
}

func TestRow(t *testing.T) {
	g := bare(t, `{models: {providers: {p: {baseUrl: "http://127.0.0.1:1/v1", api: "openai-completions", models: [
		{id: "m", name: "M", contextWindow: 1000, cost: {input: 1, output: 2, cacheRead: 0.5, cacheWrite: 4}}]}}}}`,
		`{"agent:main:full":{"sessionId":"s","updatedAt":5.0,"model":"m","modelProvider":"p","inputTokens":1000000,"outputTokens":500000,"totalTokens":7,
			"fastMode":true,"execHost":"node","lastTo":" 1 ","channel":"Slack","label":"L","systemSent":false,"spawnedBy":"main","subject":null},
		"agent:main:kid":{"parentSessionKey":"agent:main:full","totalTokens":9,"totalTokensFresh":false,"contextTokens":0,"estimatedCostUsd":0,"displayName":""},
		"agent:main:odd":{"label":7,"chatType":"group","origin":{"label":"O"},"lastChannel":""}}`)
	for key, want := range map[string]string{
		"agent:main:full": `{"key":"agent:main:full","spawnedBy":"main","kind":"direct","label":"L","displayName":"slack:g-agent-main-full","channel":"Slack","subject":null,
			"updatedAt":5.0,"sessionId":"s","systemSent":false,"fastMode":true,"inputTokens":1000000,"outputTokens":500000,"totalTokens":7,"totalTokensFresh":true,"estimatedCostUsd":2,
			"childSessions":["agent:main:kid"],"modelProvider":"p","model":"m","contextTokens":1000,"deliveryContext":{"channel":"slack","to":"1"},"lastChannel":"slack","lastTo":"1"}`,
		"agent:main:kid": `{"key":"agent:main:kid","kind":"direct","displayName":"","updatedAt":null,"totalTokensFresh":false,"estimatedCostUsd":0,
			"parentSessionKey":"agent:main:full","modelProvider":"p","model":"m","contextTokens":1000}`,
		"agent:main:odd": `{"key":"agent:main:odd","kind":"group","label":7,"displayName":7,"chatType":"group","origin":{"label":"O"},"updatedAt":null,"totalTokensFresh":false,
			"modelProvider":"p","model":"m","contextTokens":1000,"lastChannel":""}`,
	} {
		row, ok := g.row(key)
		if !ok {
			t.Fatalf("no row for %s", key)
		}
		compact, err := rawjson.Compact([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(compact), string(rawjson.MustMarshal(row))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if _, ok := g.row("agent:main:none"); ok {
		t.Error("a row for nothing")
	}
}

// What answers cost is known also when they do not name their model: it is the
// row's then. A provider alone is that of the row's model.
func TestRowCountsWhatTheTranscriptCost(t *testing.T) {
	g := bare(t, `{models: {providers: {p: {baseUrl: "http://127.0.0.1:1/v1", models: [{id: "m", contextWindow: 10, cost: {input: 1}}, {id: "n", contextWindow: 20, cost: {input: 2}}]},
		q: {baseUrl: "http://127.0.0.1:1/v1", models: [{id: "m", contextWindow: 30, cost: {input: 3}}]}}}}`,
		`{"agent:main:none":{"sessionId":"none"},"agent:main:model":{"sessionId":"model"},"agent:main:provider":{"sessionId":"provider"},"agent:main:both":{"sessionId":"both"},"agent:main:own":{"sessionId":"own","modelOverride":"n","providerOverride":"p"}}`)
	dir := filepath.Join(g.cfg().StateDir, "agents/main/sessions")
	for id, tt := range map[string]struct{ names, cost, window string }{
		"none": {``, "1", "10"}, "model": {`"model":"n",`, "2", "20"}, "provider": {`"provider":"q",`, "3", "10"}, "both": {`"provider":"q","model":"m",`, "3", "30"}, "own": {``, "2", "20"},
	} {
		line := `{"message":{"role":"assistant",` + tt.names + `"usage":{"input":1000000}}}` + "\n"
		if err := os.WriteFile(filepath.Join(dir, id+".jsonl"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		row, ok := g.row("agent:main:" + id)
		if !ok || string(row.EstimatedCostUSD) != tt.cost || string(row.ContextTokens) != tt.window {
			t.Errorf("%s: cost %s, window %s, want %s and %s", id, row.EstimatedCostUSD, row.ContextTokens, tt.cost, tt.window)
		}
	}
}

// listener collects the payloads of what it is told.
type listener struct{ payloads []string }

func (l *listener) Scopes() protocol.ScopeSet { return protocol.NewScopeSet("operator.read") }
func (l *listener) Role() string              { return protocol.RoleOperator }
func (l *listener) Protocol() int             { return 3 }
func (l *listener) Deliver(f *hub.Frame)      { l.payloads = append(l.payloads, string(f.Open)) }

func TestChangedEventsAreBuiltForListenersOnly(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:a":{"sessionId":"s","updatedAt":5,"label":"L","inputTokens":3}}`)
	var l listener
	g.hub.Add("c", &l)
	g.publishChanged("agent:main:a", "patch")
	if events := g.messageEvents("agent:main:a", transcript.Appended{ID: "m", Seq: 1, Message: rawjson.Value(`{}`)}); len(l.payloads)+len(events) != 0 {
		t.Fatalf("nobody listens, yet %v %v", l.payloads, events)
	}
	g.hub.SubscribeSessions("c", true)
	g.publishChanged("agent:main:a", "compact", rawjson.Member{Name: "compacted", Value: rawjson.Value("true")})
	g.publishChanged("agent:main:a", "delete")
	g.hub.Publish(g.messageEvents("agent:main:a", transcript.Appended{ID: "m", Seq: 2, Message: rawjson.Value(`{"role":"user"}`)})...)
	g.hub.Publish(g.messageEvents("agent:main:gone", transcript.Appended{ID: "m", Seq: 2, Message: rawjson.Value(`{}`)})...)
	const fields = `"updatedAt":5,"sessionId":"s","kind":"direct","label":"L","displayName":"L","totalTokensFresh":false,`
	want := []struct{ begins, holds string }{
		{`{"type":"event","event":"sessions.changed","payload":{"sessionKey":"agent:main:a","reason":"compact","compacted":true,"ts":`, fields},
		{`{"type":"event","event":"sessions.changed","payload":{"sessionKey":"agent:main:a","reason":"delete","ts":`, ""},
		{`{"type":"event","event":"session.message","payload":{"sessionKey":"agent:main:a","message":{"role":"user"},"messageId":"m","messageSeq":2,"session":{"key":"agent:main:a",`, fields},
		{`{"type":"event","event":"sessions.changed","payload":{"sessionKey":"agent:main:a","phase":"message","ts":`, `"messageId":"m","messageSeq":2,"session":{"key":`},
		{`{"type":"event","event":"session.message","payload":{"sessionKey":"agent:main:gone","message":{},"messageId":"m"}`, ""},
		{`{"type":"event","event":"sessions.changed","payload":{"sessionKey":"agent:main:gone","phase":"message","ts":`, ""},
	}
	if len(l.payloads) != len(want) {
		t.Fatalf("%d events, want %d: %v", len(l.payloads), len(want), l.payloads)
	}
	for i, w := range want {
		if got := l.payloads[i]; !strings.HasPrefix(got, w.begins) || !strings.Contains(got, w.holds) {
			t.Errorf("event %d:\n got %s\nwant %s… with %s", i, got, w.begins, w.holds)
		}
	}
	if strings.Contains(l.payloads[1], "sessionId") || strings.Contains(l.payloads[4], "session\":{") {
		t.Errorf("fields of a session that is gone: %s %s", l.payloads[1], l.payloads[4])
	}
}

package gateway

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

const twoAgents = `{"agent:main:one":{"sessionId":"one","updatedAt":5},"agent:main:old":{"sessionId":"twice","updatedAt":1},` +
	`"agent:main:new":{"sessionId":"twice","updatedAt":2},"agent:main:zero":{"sessionId":"zero","updatedAt":0},"global":{"sessionId":"gl","updatedAt":3}}`

// withUsage is a bare gateway with two agents whose transcripts have one
// answer each.
func withUsage(t *testing.T) *Gateway {
	t.Helper()
	g := bare(t, `{agents: {list: [{id: "main"}, {id: "ops"}]}}`, twoAgents)
	write := func(path, text string) {
		path = filepath.Join(g.cfg().StateDir, "agents", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ops/sessions/sessions.json", `{"agent:ops:same":{"sessionId":"one","updatedAt":9}}`)
	for _, path := range []string{"main/sessions/one", "main/sessions/twice", "main/sessions/zero", "main/sessions/gl", "main/sessions/orphan", "ops/sessions/one", "ops/sessions/alone"} {
		write(path+".jsonl", `{"timestamp":"2023-01-05T10:00:00Z","message":{"role":"assistant","content":"a","provider":"p","model":"`+path[:3]+`","usage":{"input":2,"cost":{"total":1}}}}`+"\n")
	}
	return g
}

func TestUsageByReference(t *testing.T) {
	g := withUsage(t)
	for _, tt := range []struct{ key, wantKey, wantAgent, wantFile string }{
		{"agent:main:one", "agent:main:one", "main", "main/sessions/one.jsonl"},
		{" agent:main:one ", "agent:main:one", "main", "main/sessions/one.jsonl"},
		{"one", "agent:main:one", "main", "main/sessions/one.jsonl"}, // that of the default agent first
		{"agent:ops:one", "agent:ops:same", "ops", "ops/sessions/one.jsonl"},
		{"twice", "agent:main:new", "main", "main/sessions/twice.jsonl"},
		{"global", "global", "", "main/sessions/gl.jsonl"},
		{"gl", "global", "", "main/sessions/gl.jsonl"},
		{"orphan", "orphan", "", "main/sessions/orphan.jsonl"},
		{"agent:main:orphan", "agent:main:orphan", "main", "main/sessions/orphan.jsonl"},
		{"alone", "alone", "", "ops/sessions/alone.jsonl"}, // of any agent, as the key names none
		{"agent:main:alone", "", "", ""},
		{"nothing", "", "", ""},
	} {
		r, err := g.sessionsUsage(t.Context(), nil, protocol.SessionsUsageParams{Key: tt.key, StartDate: "2023-01-05", EndDate: "2023-01-05"})
		var got [3]string
		if len(r.Sessions) == 1 {
			s := r.Sessions[0]
			rel, _ := filepath.Rel(filepath.Join(g.cfg().StateDir, "agents"), s.Usage.SessionFile)
			got = [3]string{s.Key, s.AgentID, rel}
		}
		if want := [3]string{tt.wantKey, tt.wantAgent, tt.wantFile}; got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", tt.key, got, err, want)
		}
	}
}

// A blank key is none.
func TestUsageOfAll(t *testing.T) {
	g := withUsage(t)
	for _, key := range []string{"", " \t"} {
		r, err := g.sessionsUsage(t.Context(), nil, protocol.SessionsUsageParams{Key: key, StartDate: "2023-01-05", EndDate: "2023-01-05"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Sessions {
			got = append(got, strings.TrimSpace(s.Key+" "+s.AgentID))
		}
		slices.Sort(got[:2]) // of files of one moment either may be the newer
		want := []string{"agent:main:orphan main", "agent:ops:alone ops", "agent:ops:same ops", "agent:main:one main", "global", "agent:main:new main", "agent:main:zero main"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if r.Totals.Input != 14 || len(r.Aggregates.ByAgent) != 2 {
			t.Errorf("totals %+v, agents %+v", r.Totals, r.Aggregates.ByAgent)
		}
	}
}

// Where a store is fixed, other agents have theirs in the usual place.
func TestUsageBesideAFixedStore(t *testing.T) {
	g := withUsage(t)
	fixed := bare(t, `{session: {store: "`+g.cfg().StateDir+`/agents/main/sessions/sessions.json"}, agents: {list: [{id: "main"}, {id: "ops"}]}}`, `{}`)
	fixed.cfg().StateDir = g.cfg().StateDir
	r, err := fixed.sessionsUsage(t.Context(), nil, protocol.SessionsUsageParams{StartDate: "2023-01-05", EndDate: "2023-01-05"})
	if err != nil || !slices.ContainsFunc(r.Sessions, func(s sessionUsage) bool { return s.Key == "agent:ops:alone" }) {
		t.Errorf("%d sessions, %v", len(r.Sessions), err)
	}
}

// Among equal costs the model that came first stays first.
func TestUsageModelDays(t *testing.T) {
	day := func(models ...string) *transcript.Report {
		r := &transcript.Report{}
		for _, m := range models {
			r.DailyModelUsage = append(r.DailyModelUsage, transcript.DailyModel{Date: "2023-01-05", Model: m, Tokens: 1, Cost: 1, Count: 1})
		}
		return r
	}
	got := aggregate([]sessionUsage{{Usage: day("z", "a")}, {Usage: day("m", "m2", "a")}}).ModelDaily
	want := []transcript.DailyModel{
		{Date: "2023-01-05", Model: "a", Tokens: 2, Cost: 2, Count: 2}, {Date: "2023-01-05", Model: "z", Tokens: 1, Cost: 1, Count: 1},
		{Date: "2023-01-05", Model: "m", Tokens: 1, Cost: 1, Count: 1}, {Date: "2023-01-05", Model: "m2", Tokens: 1, Cost: 1, Count: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUsageDetailParams(t *testing.T) {
	g := withUsage(t)
	answer := func(n int, err error) string {
		if err != nil {
			return err.Error()
		}
		return strconv.Itoa(n)
	}
	for _, tt := range []struct{ key, series, logs string }{
		{`"one"`, "1", "1"},
		{`" AGENT:main:ONE "`, "1", "1"},
		{`5`, "key is required for timeseries", "key is required for logs"},
		{`true`, "key is required for timeseries", "key is required for logs"},
		{`" "`, "key is required for timeseries", "key is required for logs"},
		{`"gone"`, "No transcript found for session: gone", "0"},
		{`"../x"`, "Invalid session key: ../x", "Invalid session key: ../x"},
	} {
		series, err := g.sessionsUsageTimeseries(t.Context(), nil, protocol.SessionsUsageTimeseriesParams{Key: rawjson.Value(tt.key)})
		if got := answer(len(series.Points), err); !strings.HasSuffix(got, tt.series) {
			t.Errorf("series of %s: %s, want %s", tt.key, got, tt.series)
		}
		logs, err := g.sessionsUsageLogs(t.Context(), nil, protocol.SessionsUsageLogsParams{Key: rawjson.Value(tt.key)})
		if got := answer(len(logs.Logs), err); !strings.HasSuffix(got, tt.logs) {
			t.Errorf("logs of %s: %s, want %s", tt.key, got, tt.logs)
		}
	}
	for limit, want := range map[string]int{`null`: 200, `"7"`: 200, `0`: 1000, `-3`: 1000, `0.5`: 1000, `1.9`: 1, `7`: 7, `1e9`: 1000} {
		if got := logsLimit(rawjson.Value(limit)); got != want {
			t.Errorf("limit %s: %d, want %d", limit, got, want)
		}
	}
}

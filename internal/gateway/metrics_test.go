package gateway

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/metrics"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/runs"
)

// scrape is what Prometheus gets, line by line.
func scrape(t *testing.T, g *Gateway) []string {
	t.Helper()
	w := ask(g, http.MethodGet, metricsPath, "Authorization: Bearer secret-token")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.Split(w.Body.String(), "\n")
}

// What happens is counted, under labels that clients cannot make up.
func TestMetrics(t *testing.T) {
	g, err := New(optionsFor(t, t.TempDir(), nil))
	if err != nil {
		t.Fatal(err)
	}
	admin := joined(t, g, "admin", cli(1))
	g.hub.SubscribeSessions("admin", true)
	callAs(t, g, admin, "sessions.create", `{"key":"a","label":"x"}`)
	callAs(t, g, admin, "sessions.create", `{"key":"agent:made-up:b"}`)
	callAs(t, g, admin, "sessions.patch", `{"key":"a","label":7}`)
	callAs(t, g, admin, "no.such.method", `{}`)
	callAs(t, g, admin, "another.one", `{}`)
	for range 2 {
		g.countRun(runs.End{Key: "agent:main:main", Status: runs.Done, StartedAt: 1000, EndedAt: 3000, First: 1,
			Model: config.ModelRef{Provider: "echo", Model: "echo"}, Usage: &model.Usage{Input: 3, Output: 4}})
	}
	g.countRun(runs.End{Key: "agent:made-up:main", Status: runs.Failed, Model: config.ModelRef{Provider: "made", Model: "up"}})
	ask(g, http.MethodGet, "/api/made/up")
	ask(g, "PURGE", "/health")
	lines := scrape(t, g)
	for _, want := range []string{
		`parley_connections{state="connected"} 1`,
		`parley_connections{state="handshaking"} 0`,
		`parley_requests_total{code="ok",method="sessions.create"} 2`,
		`parley_requests_total{code="INVALID_REQUEST",method="sessions.patch"} 1`,
		`parley_requests_total{code="INVALID_REQUEST",method="unknown"} 2`,
		`parley_request_duration_seconds_count{method="sessions.create"} 2`,
		`parley_events_total{event="sessions.changed"} 2`,
		`parley_store_commits_total{result="ok"} 2`,
		`parley_store_changes_total 2`,
		`parley_store_commit_duration_seconds_count 2`,
		`parley_sessions{agent="main"} 1`,
		`parley_sessions{agent="other"} 1`,
		`parley_runs_total{agent="main",model="echo/echo",status="done"} 2`,
		`parley_runs_total{agent="other",model="other",status="failed"} 1`,
		`parley_run_duration_seconds_sum{model="echo/echo"} 4`,
		`parley_model_first_piece_seconds_count{model="echo/echo"} 2`,
		`parley_tokens_total{agent="main",kind="output",model="echo/echo"} 8`,
		`parley_http_requests_total{route="none",status="404"} 1`,
		`parley_http_requests_total{route="probes",status="405"} 1`,
		`parley_ready 1`, `parley_draining 0`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("not there: %s", want)
		}
	}
	for _, l := range lines {
		if strings.Contains(l, "made") {
			t.Errorf("a client made up a label: %s", l)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// Bytes and drops of open connections count at once, and not twice when they end.
func TestMetricsOfOpenConnections(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
	c, p := cli(1).arrive()
	c.id = "c"
	if _, no := g.handshake(c, p); no != nil {
		t.Fatal(no.err)
	}
	if !g.enter(c) || !g.join(c) {
		t.Fatal("the gateway is stopping")
	}
	c.received.Add(100)
	c.out.mu.Lock()
	c.out.sent, c.out.dropped = 50, map[string]int64{"tick": 3}
	c.out.mu.Unlock()
	want := []string{`parley_received_bytes_total 100`, `parley_sent_bytes_total 50`, `parley_events_dropped_total{event="tick"} 3`}
	for _, when := range []string{"open", "ended"} {
		lines := scrape(t, g)
		for _, w := range want {
			if !slices.Contains(lines, w) {
				t.Errorf("%s: not there: %s", when, w)
			}
		}
		if when == "open" {
			c.out.drop()
			g.leave(c)
		}
	}
}

func TestMetricsAccess(t *testing.T) {
	for text, want := range map[string]int{
		``:                                      401,
		`,"parley":{"metrics":{"public":true}}`: 200,
		`,"parley":{"metrics":{"enabled":false,"public":true}}`: 404,
	} {
		g := webWith(t, `{"gateway":{"controlUi":{"enabled":false},"auth":{"mode":"token","token":"secret-token"}}`+text+`}`, nil)
		if w := ask(g, http.MethodGet, metricsPath); w.Code != want {
			t.Errorf("%s: %d, want %d", text, w.Code, want)
		}
		if w := ask(g, http.MethodGet, metricsPath, "Origin: https://evil.example"); w.Code == 200 {
			t.Errorf("%s: a foreign page reads the metrics", text)
		}
	}
}

// Every metric of ours is explained in the documentation, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "doc", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(parley_[a-z_]+)").FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	for name := range documented {
		if !slices.Contains(metrics.Names(), name) {
			t.Errorf("doc/operations.md explains %s, which there is not", name)
		}
	}
	for _, name := range metrics.Names() {
		if !documented[name] {
			t.Errorf("doc/operations.md does not explain %s", name)
		}
	}
}

package gateway

import (
	"net/http"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/metrics"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
)

// metricsPath is where Prometheus finds what it collects.
const metricsPath = "/metrics"

// measure makes the instruments. What hub, engine and connections count by
// themselves is read when somebody asks.
func (g *Gateway) measure() {
	g.metrics = metrics.New(g.version, metrics.Sources{
		Connections: g.countConns,
		Edge: func(yield func(what, how string, n int64)) {
			for c, n := range g.edgeNow() {
				yield(c.what, c.how, n)
			}
		},
		Events:  g.hub.Sent,
		Dropped: g.droppedNow,
		Runs: func() (int, int) {
			if g.engine == nil {
				return 0, 0
			}
			return g.engine.Counts()
		},
		Sessions: g.countSessions,
		Ready:    func() bool { return len(g.troubles()) == 0 },
		Draining: g.draining.Load,
	})
	g.meters = make(map[string]*metrics.Method, len(methods))
	for _, m := range methods {
		g.meters[m.name] = g.metrics.Method(m.name)
	}
	g.unmetered = g.metrics.Method("unknown")
}

// serveMetrics answers scrapes: with the secret as Bearer token, or without where
// parley.metrics.public says so.
func (g *Gateway) serveMetrics(w http.ResponseWriter, r *http.Request, path string) bool {
	c := g.cfg().Parley.Metrics
	if path != metricsPath || !c.Enabled {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return true
	}
	if !c.Public {
		if _, ok := g.admitHTTP(w, r, protocol.ScopeRead); !ok {
			return true
		}
	}
	g.metrics.Handler().ServeHTTP(w, r)
	return true
}

// countConns is how many connections are open: let in, and not yet.
func (g *Gateway) countConns() (connected, handshaking int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		if c.connected.Load() {
			connected++
		}
	}
	return connected, len(g.conns) - connected
}

// edgeNow is what the edge has counted, with the bytes of the connections that
// are open.
func (g *Gateway) edgeNow() map[edgeCount]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.edge.all()
	if all == nil {
		all = map[edgeCount]int64{}
	}
	for _, c := range g.conns {
		sent, _ := c.out.totals()
		all[edgeCount{edgeReceived, ""}] += c.received.Load()
		all[edgeCount{edgeSent, ""}] += sent
	}
	return all
}

// droppedNow is how many events were dropped, by event, those of the connections
// that are open included.
func (g *Gateway) droppedNow() map[string]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := map[string]int64{}
	for c, n := range g.edge.all() {
		if c.what == edgeDropped {
			all[c.how] += n
		}
	}
	for _, c := range g.conns {
		_, dropped := c.out.totals()
		for event, n := range dropped {
			all[event] += n
		}
	}
	return all
}

// countSessions is how many sessions the stores hold, by the agent of the store.
func (g *Gateway) countSessions() map[string]int {
	all := map[string]int{}
	for _, st := range g.stores.All() {
		_ = st.View(func(v *sessions.Snapshot) error { // fails never
			all[g.agentLabel(st.Agent())] += v.Len()
			return nil
		})
	}
	return all
}

// otherLabel stands for what is not configured: labels must stay few, whatever
// clients ask for.
const otherLabel = "other"

func (g *Gateway) agentLabel(id string) string {
	if _, known := g.cfg().Agent(id); known || id == g.cfg().DefaultAgent() {
		return id
	}
	return otherLabel
}

func (g *Gateway) modelLabel(m config.ModelRef) string {
	if _, known := g.cfg().Model(m); known {
		return m.String()
	}
	return otherLabel
}

// countRun counts a run that ended.
func (g *Gateway) countRun(e runs.End) {
	r := metrics.Run{
		Agent: g.agentLabel(g.keys().Agent(e.Key)), Model: g.modelLabel(e.Model), Status: string(e.Status),
		Took: time.Duration(max(e.EndedAt-e.StartedAt, 0)) * time.Millisecond, First: e.First,
	}
	if u := e.Usage; u != nil {
		r.Input, r.Output, r.CacheRead, r.CacheWrite = u.Input, u.Output, u.CacheRead, u.CacheWrite
	}
	g.metrics.Ran(r)
	g.models.note(r.Model, e)
}

// countedWriter remembers how a request was answered.
type countedWriter struct {
	http.ResponseWriter
	route  string
	status int
	begun  bool
}

// WriteHeader notes the status.
func (w *countedWriter) WriteHeader(status int) {
	if !w.begun && status >= 200 {
		w.begun, w.status = true, status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer.
func (w *countedWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

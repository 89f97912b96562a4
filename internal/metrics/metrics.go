// Package metrics is what Parley tells Prometheus: all names, labels and buckets
// stand here. It has a registry of its own, nothing global.
//
// What happens often is counted by instruments that are found once (Method), or
// by the parts themselves, which know nothing of Prometheus, and read when
// somebody asks (Sources). Labels never hold what a client chose freely; callers
// see to that. All methods are safe for concurrent use, and a nil Metrics or
// Method counts nothing.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Buckets in seconds: of requests and HTTP, of the disk, of runs.
var (
	requestBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}
	diskBuckets    = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	runBuckets     = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
)

// Metrics is all instruments of one gateway.
type Metrics struct {
	registry *prometheus.Registry

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	http           *prometheus.CounterVec

	commits, checkpoints             *prometheus.CounterVec
	changes                          prometheus.Counter
	commitSeconds, checkpointSeconds prometheus.Histogram
	checkpointBytes                  prometheus.Counter
	runs, tokens                     *prometheus.CounterVec
	runSeconds, firstSeconds         *prometheus.HistogramVec
	reloads                          *prometheus.CounterVec
	reloadedAt                       prometheus.Gauge
}

// New makes the instruments of a gateway of this version.
func New(version string, s Sources) *Metrics {
	m := &Metrics{
		registry:          prometheus.NewRegistry(),
		requests:          counters("requests_total", "Calls that were answered, by method and code (ok, or the code of the error).", "method", "code"),
		requestSeconds:    seconds("request_duration_seconds", "How long calls took to be answered.", requestBuckets, "method"),
		http:              counters("http_requests_total", "Plain HTTP requests, by route and status.", "route", "status"),
		commits:           counters("store_commits_total", "Batches of changes written to the session stores, by result (ok, error).", "result"),
		changes:           counter("store_changes_total", "Changes in those batches."),
		commitSeconds:     durations("store_commit_duration_seconds", "How long a batch took to be durable."),
		checkpoints:       counters("store_checkpoints_total", "Times that sessions.json was brought up to date, by result (ok, error).", "result"),
		checkpointSeconds: durations("store_checkpoint_duration_seconds", "How long that took."),
		checkpointBytes:   counter("store_checkpoint_bytes_total", "Bytes written for it."),
		runs:              counters("runs_total", "Runs that ended, by agent, model and status (done, failed, killed, timeout).", "agent", "model", "status"),
		runSeconds:        seconds("run_duration_seconds", "How long runs took, by model.", runBuckets, "model"),
		firstSeconds:      seconds("model_first_piece_seconds", "How long a model took to the first piece of its answer.", runBuckets, "model"),
		tokens:            counters("tokens_total", "Tokens that models counted, by agent, model and kind (input, output, cache_read, cache_write).", "agent", "model", "kind"),
		reloads:           counters("config_reloads_total", "Times that the configuration was read again, by result (ok, error).", "result"),
		reloadedAt:        gauge("config_last_reload_success_timestamp_seconds", "When the configuration that holds was taken in."),
	}
	m.reloadedAt.SetToCurrentTime()
	built := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "The version that runs; always 1."}, []string{"version", "goversion"})
	built.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(
		m.requests, m.requestSeconds, m.http, m.commits, m.changes, m.commitSeconds, m.checkpoints, m.checkpointSeconds, m.checkpointBytes,
		m.runs, m.runSeconds, m.firstSeconds, m.tokens, m.reloads, m.reloadedAt, built, scraped{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// HTTP counts a request that a route answered.
func (m *Metrics) HTTP(route string, status int) {
	if m != nil {
		m.http.WithLabelValues(route, statusText(status)).Inc()
	}
}

// Committed counts a batch of changes that a store has written, or could not.
func (m *Metrics) Committed(took time.Duration, changes int, err error) {
	if m == nil {
		return
	}
	m.commits.WithLabelValues(result(err)).Inc()
	m.commitSeconds.Observe(took.Seconds())
	if err == nil {
		m.changes.Add(float64(changes))
	}
}

// Checkpointed counts that a store file was brought up to date, or could not be.
func (m *Metrics) Checkpointed(took time.Duration, bytes int64, err error) {
	if m == nil {
		return
	}
	m.checkpoints.WithLabelValues(result(err)).Inc()
	m.checkpointSeconds.Observe(took.Seconds())
	m.checkpointBytes.Add(float64(bytes))
}

// A Run is one that ended.
type Run struct {
	Agent, Model, Status string
	// Took is its time, First that to the first piece of the answer; 0 for none.
	Took, First                          time.Duration
	Input, Output, CacheRead, CacheWrite int64 // tokens
}

// Ran counts a run.
func (m *Metrics) Ran(r Run) {
	if m == nil {
		return
	}
	m.runs.WithLabelValues(r.Agent, r.Model, r.Status).Inc()
	m.runSeconds.WithLabelValues(r.Model).Observe(r.Took.Seconds())
	if r.First > 0 {
		m.firstSeconds.WithLabelValues(r.Model).Observe(r.First.Seconds())
	}
	for kind, n := range map[string]int64{"input": r.Input, "output": r.Output, "cache_read": r.CacheRead, "cache_write": r.CacheWrite} {
		if n > 0 {
			m.tokens.WithLabelValues(r.Agent, r.Model, kind).Add(float64(n))
		}
	}
}

// Reloaded counts that the configuration was read again.
func (m *Metrics) Reloaded(err error) {
	if m == nil {
		return
	}
	m.reloads.WithLabelValues(result(err)).Inc()
	if err == nil {
		m.reloadedAt.SetToCurrentTime()
	}
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

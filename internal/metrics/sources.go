package metrics

import (
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "parley"

// Sources are read when somebody asks. What they count must never become less;
// nil ones are left out.
type Sources struct {
	// Connections are those that are open: let in, and not yet.
	Connections func() (connected, handshaking int)
	// Edge are the counts of connections by what happened and how or why.
	Edge func(yield func(what, how string, n int64))
	// Events are the frames handed to connections by event; Dropped are those of
	// them that a slow connection did not get.
	Events, Dropped func() map[string]int64
	// Runs are those that go on and those that wait.
	Runs func() (active, waiting int)
	// Sessions are how many each agent has.
	Sessions func() map[string]int
	// Ready is whether the gateway takes work, Draining whether it is ending.
	Ready, Draining func() bool
}

// Descriptions of what is read.
var (
	connections  = desc("connections", "Open connections, by state (connected, handshaking).", "state")
	events       = desc("events_total", "Events handed to connections, by event.", "event")
	dropped      = desc("events_dropped_total", "Of those, events that a slow connection did not get.", "event")
	runsNow      = desc("runs", "Runs under way, by state (active, waiting).", "state")
	sessionCount = desc("sessions", "Stored sessions, by agent.", "agent")
	ready        = desc("ready", "Whether the gateway takes work: what /ready says.")
	draining     = desc("draining", "Whether the gateway is ending.")
	// edge are the counters of connections, by the word that the gateway has for
	// them; by is the label, "" for none.
	edge = map[string]struct {
		desc *prometheus.Desc
		by   string
	}{
		"opened":    {desc("connections_opened_total", "Connections opened, by protocol (frames, rpc).", "protocol"), "protocol"},
		"connected": {desc("connections_connected_total", "Handshakes that succeeded, by client.", "client"), "client"},
		"refused":   {desc("connections_refused_total", "Handshakes and requests that were refused, by reason.", "reason"), "reason"},
		"closed":    {desc("connections_closed_total", "Connections that ended, by close code.", "code"), "code"},
		"malformed": {desc("connections_malformed_total", "Upgrades that were none."), ""},
		"crowded":   {desc("connections_crowded_out_total", "Connections without a secret that had to make room."), ""},
		"received":  {desc("received_bytes_total", "Bytes of messages received."), ""},
		"sent":      {desc("sent_bytes_total", "Bytes of messages sent."), ""},
	}
)

// scraped reads the sources.
type scraped struct{ s Sources }

// Describe names what Collect gives.
func (c scraped) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connections, events, dropped, runsNow, sessionCount, ready, draining} {
		to <- d
	}
	for _, e := range edge {
		to <- e.desc
	}
}

// Collect reads them all.
func (c scraped) Collect(to chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	flag := func(d *prometheus.Desc, is func() bool) {
		if is != nil {
			v := 0.0
			if is() {
				v = 1
			}
			send(d, prometheus.GaugeValue, v)
		}
	}
	pair := func(d *prometheus.Desc, read func() (int, int), a, b string) {
		if read != nil {
			x, y := read()
			send(d, prometheus.GaugeValue, float64(x), a)
			send(d, prometheus.GaugeValue, float64(y), b)
		}
	}
	counts := func(d *prometheus.Desc, read func() map[string]int64) {
		if read != nil {
			for name, n := range read() {
				send(d, prometheus.CounterValue, float64(n), name)
			}
		}
	}
	pair(connections, c.s.Connections, "connected", "handshaking")
	pair(runsNow, c.s.Runs, "active", "waiting")
	counts(events, c.s.Events)
	counts(dropped, c.s.Dropped)
	flag(ready, c.s.Ready)
	flag(draining, c.s.Draining)
	if c.s.Sessions != nil {
		for agent, n := range c.s.Sessions() {
			send(sessionCount, prometheus.GaugeValue, float64(n), agent)
		}
	}
	if c.s.Edge != nil {
		c.s.Edge(func(what, how string, n int64) {
			e, ok := edge[what]
			switch {
			case ok && e.by != "":
				send(e.desc, prometheus.CounterValue, float64(n), how)
			case ok:
				send(e.desc, prometheus.CounterValue, float64(n))
			}
		})
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func durations(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: diskBuckets})
}

func seconds(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// Names are the names of all metrics of ours, as they are scraped.
func Names() []string {
	name := regexp.MustCompile(`fqName: "(` + namespace + `_[a-z_]+)"`)
	descs := make(chan *prometheus.Desc)
	go func() {
		New("", Sources{}).registry.Describe(descs)
		close(descs)
	}()
	var out []string
	for d := range descs {
		if m := name.FindStringSubmatch(d.String()); m != nil && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

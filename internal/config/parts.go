package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// UI is the part "ui", as far as agents' names and pictures depend on it.
type UI struct {
	AssistantName   string
	AssistantAvatar string
}

func (u *UI) read() reader {
	return object([]field{
		{name: "assistant", read: object([]field{
			{name: "name", read: trimmed(&u.AssistantName)},
			{name: "avatar", read: trimmed(&u.AssistantAvatar)},
		}, "")},
	}, "seamColor")
}

// Logging is the part "logging".
type Logging struct {
	// Level is "" or one of silent, fatal, error, warn, info, debug, trace.
	Level string
	// File is the log file, absolute, "" for none.
	File string
}

func (l *Logging) read() reader {
	return object([]field{
		{name: "level", read: oneOf(&l.Level, "silent", "fatal", "error", "warn", "info", "debug", "trace")},
		{name: "file", read: trimmed(&l.File)},
	}, "maxFileBytes consoleLevel consoleStyle redactSensitive redactPatterns")
}

// Parley holds the keys that OpenClaw does not have.
type Parley struct {
	// Deviceless says which clients without a device keep their scopes:
	// "loopback" (default), "never" or "always".
	Deviceless string
	// Protocols are the protocol versions offered, default 3 and 4.
	Protocols []int
	// ThrottleLoopback counts failed secrets from loopback too, default true.
	ThrottleLoopback bool
	// RunsOnRestart is "close" (default) or "resume": what becomes of queued
	// messages that a restart found.
	RunsOnRestart string
	// RunsCompaction is "off" (default) or "auto": whether a conversation that does
	// not fit into the model's context window is summed up by the model.
	RunsCompaction string
	// MaxAnswerBytes is how long an answer may become, its thinking included.
	MaxAnswerBytes int
	// Strangers limits the connections of those who have shown no secret.
	Strangers Strangers
	// Drain is how long runs may go on when the daemon is told to end, default 5 s.
	Drain time.Duration
	// Admin is a loopback address for metrics and profiles without credentials,
	// "" for none.
	Admin   string
	Metrics Metrics
	Tracing Tracing
}

// Metrics is parley.metrics.
type Metrics struct {
	Enabled bool // default true
	Public  bool // without credentials
}

// Tracing is parley.tracing.
type Tracing struct {
	// Endpoint is the base URL of an OTLP collector, "" for none. The environment's
	// OTEL_EXPORTER_OTLP_ENDPOINT counts where it is empty.
	Endpoint string
	// Ratio is the share of traces, begun here, that are recorded, default 1.
	Ratio float64
}

// Strangers is parley.unauthenticated: how many connections may be open whose
// clients have not shown that they may come in.
type Strangers struct {
	PerAddress int // default 32
	InAll      int // default 1024
}

// Protocol versions that parley.protocols may name.
const (
	oldestProtocol = 3
	newestProtocol = 4
)

func (p *Parley) defaults() {
	*p = Parley{Deviceless: "loopback", Protocols: []int{3, 4}, ThrottleLoopback: true, RunsOnRestart: "close", RunsCompaction: "off", MaxAnswerBytes: 8 << 20, Strangers: Strangers{32, 1024}}
	p.Drain, p.Metrics.Enabled, p.Tracing.Ratio = 5*time.Second, true, 1
}

func (p *Parley) read() reader {
	return object([]field{
		{name: "deviceless", read: oneOf(&p.Deviceless, "loopback", "never", "always")},
		{name: "protocols", read: p.readProtocols},
		{name: "throttleLoopback", read: boolean(&p.ThrottleLoopback)},
		{name: "unauthenticated", read: object([]field{
			{name: "perAddress", read: whole(&p.Strangers.PerAddress, 1, 1<<20)},
			{name: "total", read: whole(&p.Strangers.InAll, 1, 1<<20)},
		}, "")},
		{name: "runs", read: object([]field{
			{name: "onRestart", read: oneOf(&p.RunsOnRestart, "close", "resume")},
			{name: "compaction", read: oneOf(&p.RunsCompaction, "off", "auto")},
			{name: "maxAnswerBytes", read: whole(&p.MaxAnswerBytes, 1024, 1<<30)},
		}, "")},
		{name: "drain", read: p.readDrain},
		{name: "admin", read: p.readAdmin},
		{name: "metrics", read: object([]field{
			{name: "enabled", read: boolean(&p.Metrics.Enabled)},
			{name: "public", read: boolean(&p.Metrics.Public)},
		}, "")},
		{name: "tracing", read: object([]field{
			{name: "endpoint", read: p.Tracing.readEndpoint},
			{name: "ratio", read: p.Tracing.readRatio},
		}, "")},
	}, "")
}

// maxDrain is the longest that an end may be put off.
const maxDrain = time.Hour

func (p *Parley) readDrain(d *decoder, at string, v rawjson.Value) {
	if d.describes(`{"type":["string","number"]}`) {
		return
	}
	s, ok := numberOrText(v)
	if ok {
		p.Drain, ok = parseDuration(s, time.Second)
	}
	if !ok || p.Drain > maxDrain {
		d.issue(at, "invalid duration (use ms, s, m; a bare number is seconds; at most 1h)")
	}
}

func (p *Parley) readAdmin(d *decoder, at string, v rawjson.Value) {
	trimmed(&p.Admin)(d, at, v)
	if p.Admin == "" || d.shape != nil {
		return
	}
	if err := CheckAdmin(p.Admin); err != nil {
		d.issue(at, "%v", err)
	}
}

// CheckAdmin is why an address may not be that of parley.admin, or nil. What is
// served there asks for no credentials, so only this machine may reach it.
func CheckAdmin(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address with a port, such as 127.0.0.1:9090", address)
	}
	if !a.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not a loopback address; what is served there asks for no credentials", address)
	}
	return nil
}

func (t *Tracing) readEndpoint(d *decoder, at string, v rawjson.Value) {
	trimmed(&t.Endpoint)(d, at, v)
	if t.Endpoint == "" || d.shape != nil {
		return
	}
	if u, err := url.Parse(t.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		d.issue(at, "%q is no URL of a collector, such as http://127.0.0.1:4318", t.Endpoint)
	}
}

func (t *Tracing) readRatio(d *decoder, at string, v rawjson.Value) {
	if d.describes(`{"type":"number","minimum":0,"maximum":1}`) {
		return
	}
	f, ok := rawjson.Number(v)
	if !ok || f < 0 || f > 1 {
		d.issue(at, "Invalid input: expected a number from 0 to 1")
		return
	}
	t.Ratio = f
}

func (p *Parley) readProtocols(d *decoder, at string, v rawjson.Value) {
	p.Protocols = []int{}
	each(func(d *decoder, at string, v rawjson.Value) {
		var n int
		whole(&n, oldestProtocol, newestProtocol)(d, at, v)
		if !slices.Contains(p.Protocols, n) {
			p.Protocols = append(p.Protocols, n)
		}
	})(d, at, v)
	if len(p.Protocols) == 0 {
		d.issue(at, "Too small: expected array to have >=1 items")
	}
	slices.Sort(p.Protocols)
}

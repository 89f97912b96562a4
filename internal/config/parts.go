package config

import (
	"slices"

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
	// Strangers limits the connections of those who have shown no secret.
	Strangers Strangers
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
	*p = Parley{Deviceless: "loopback", Protocols: []int{3, 4}, ThrottleLoopback: true, RunsOnRestart: "close", RunsCompaction: "off", Strangers: Strangers{32, 1024}}
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
		}, "")},
	}, "")
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

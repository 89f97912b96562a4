package config

import (
	"math"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Session is the part "session": keys, stores, resets and maintenance.
type Session struct {
	// Store is session.store as written: a path, a template with {agentId},
	// or "" for one file per agent in the state directory.
	Store string
	// Global is true when session.scope is "global".
	Global bool
	// Reset, ByType, ByChannel and IdleMinutes are what Config.ResetPolicy
	// reads. Reset is nil and ByType is nil when they are not configured.
	Reset       *ResetRule
	ByType      map[string]ResetRule
	ByChannel   map[string]ResetRule
	IdleMinutes int
	Maintenance Maintenance
	SendPolicy  SendPolicy
}

// Maintenance is session.maintenance with its defaults filled in.
type Maintenance struct {
	// Enforce is false in mode "warn", which removes nothing.
	Enforce    bool
	PruneAfter time.Duration
	MaxEntries int
	// RotateBytes is the size of sessions.json beyond which it is rotated.
	RotateBytes int64
	// KeepResetArchives is true when resetArchiveRetention is false.
	KeepResetArchives     bool
	ResetArchiveRetention time.Duration
	// Budget is true when maxDiskBytes is set.
	Budget         bool
	MaxDiskBytes   int64
	HighWaterBytes int64
}

// mainKeyIgnored is logged by OpenClaw too, in these words.
const mainKeyIgnored Warning = `session.mainKey is ignored; main session is always "main".`

func (s *Session) read(d *decoder, at string, v rawjson.Value) {
	var scope, dmScope, mainKey string
	var triggers []string
	var forkTokens int
	object([]field{
		{name: "scope", read: oneOf(&scope, "per-sender", "global")},
		{name: "dmScope", read: unused(oneOf(&dmScope, "main", "per-peer", "per-channel-peer", "per-account-channel-peer"))},
		{name: "resetTriggers", read: unused(texts(&triggers))},
		{name: "idleMinutes", read: whole(&s.IdleMinutes, 1, maxWhole)},
		{name: "reset", read: func(d *decoder, at string, v rawjson.Value) {
			s.Reset = new(ResetRule)
			s.Reset.read(d, at, v)
		}},
		{name: "resetByType", read: s.readByType},
		{name: "resetByChannel", read: s.readByChannel},
		{name: "store", read: trimmed(&s.Store)},
		{name: "mainKey", read: trimmed(&mainKey)},
		{name: "sendPolicy", read: s.SendPolicy.read},
		{name: "parentForkMaxTokens", read: unused(whole(&forkTokens, 0, maxWhole))},
		{name: "maintenance", read: s.Maintenance.read},
	}, "identityLinks typingIntervalSeconds typingMode agentToAgent threadBindings")(d, at, v)
	s.Global = scope == "global"
	if mainKey != "" && mainKey != "main" {
		d.warnings = append(d.warnings, mainKeyIgnored)
	}
}

func (s *Session) readByType(d *decoder, at string, v rawjson.Value) {
	s.ByType = map[string]ResetRule{}
	var fields []field
	for _, kind := range []string{"direct", "dm", "group", "thread"} {
		fields = append(fields, field{name: kind, read: into(s.ByType, kind)})
	}
	object(fields, "")(d, at, v)
}

func (s *Session) readByChannel(d *decoder, at string, v rawjson.Value) {
	s.ByChannel = map[string]ResetRule{}
	members(func(d *decoder, name, at string, v rawjson.Value) {
		into(s.ByChannel, jstext.Lower(jstext.Trim(name)))(d, at, v)
	})(d, at, v)
}

func into(rules map[string]ResetRule, name string) reader {
	return func(d *decoder, at string, v rawjson.Value) {
		var r ResetRule
		r.read(d, at, v)
		rules[name] = r
	}
}

// Defaults of session.maintenance.
const (
	defaultPruneAfter  = 30 * 24 * time.Hour
	defaultMaxEntries  = 500
	defaultRotateBytes = 10 << 20
)

func (m *Maintenance) defaults() {
	*m = Maintenance{PruneAfter: defaultPruneAfter, MaxEntries: defaultMaxEntries, RotateBytes: defaultRotateBytes, ResetArchiveRetention: defaultPruneAfter}
}

func (m *Maintenance) read(d *decoder, at string, v rawjson.Value) {
	m.defaults()
	var mode string
	var pruneDays int
	prune, retention, high := time.Duration(-1), time.Duration(-1), int64(-1)
	object([]field{
		{name: "mode", read: oneOf(&mode, "enforce", "warn")},
		{name: "pruneAfter", read: days(&prune)},
		{name: "pruneDays", read: whole(&pruneDays, 1, math.MaxInt32)},
		{name: "maxEntries", read: whole(&m.MaxEntries, 1, maxWhole)},
		{name: "rotateBytes", read: size(&m.RotateBytes)},
		{name: "resetArchiveRetention", read: either('f', off(func() { m.KeepResetArchives = true }), days(&retention))},
		{name: "maxDiskBytes", read: func(d *decoder, at string, v rawjson.Value) {
			m.Budget = true
			size(&m.MaxDiskBytes)(d, at, v)
		}},
		{name: "highWaterBytes", read: size(&high)},
	}, "")(d, at, v)
	m.Enforce = mode == "enforce"
	if prune >= 0 {
		m.PruneAfter = prune
	} else if pruneDays > 0 {
		m.PruneAfter = milliseconds(float64(pruneDays) * 24 * 60 * 60 * 1000)
	}
	if m.ResetArchiveRetention = m.PruneAfter; retention >= 0 {
		m.ResetArchiveRetention = retention
	}
	m.HighWaterBytes = highWater(m.MaxDiskBytes, high)
}

// highWater is where the disk budget stops removing: as configured, at most
// the budget itself; else four fifths of it.
func highWater(budget, configured int64) int64 {
	switch {
	case budget <= 0:
		return 0
	case configured >= 0:
		return min(configured, budget)
	}
	return max(1, int64(math.Floor(float64(budget)*0.8)))
}

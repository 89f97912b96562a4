package config

import (
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// ResetRule is session.reset, or one of its overrides, as configured.
type ResetRule struct {
	Mode        string // "", daily or idle
	AtHour      *int   // nil when it is not configured
	IdleMinutes int    // 0 when it is not configured
}

func (r *ResetRule) read(d *decoder, at string, v rawjson.Value) {
	object([]field{
		{name: "mode", read: oneOf(&r.Mode, "daily", "idle")},
		{name: "atHour", read: func(d *decoder, at string, v rawjson.Value) {
			r.AtHour = new(int)
			whole(r.AtHour, 0, 23)(d, at, v)
		}},
		{name: "idleMinutes", read: whole(&r.IdleMinutes, 1, maxWhole)},
	}, "")(d, at, v)
}

// over is r with what it leaves open taken from base.
func (r ResetRule) over(base ResetRule) ResetRule {
	if r.Mode == "" {
		r.Mode = base.Mode
	}
	if r.AtHour == nil {
		r.AtHour = base.AtHour
	}
	if r.IdleMinutes == 0 {
		r.IdleMinutes = base.IdleMinutes
	}
	return r
}

// ResetPolicy says when a session starts over with its next message. With both
// rules, either is enough; with none it never does.
type ResetPolicy struct {
	Daily  bool
	AtHour int
	Idle   time.Duration // 0: no idle rule
}

// ResetKind is the type of a session for ResetPolicy: thread, group or direct.
// chatType is that of the message or the entry, "" when there is none.
func ResetKind(key, chatType string) string {
	has := func(part string) bool { return strings.Contains(key, part) }
	switch {
	case has(":thread:") || has(":topic:"):
		return "thread"
	case has(":group:") || has(":channel:") || chatType != "" && chatType != "direct":
		return "group"
	}
	return "direct"
}

// defaultResetHour is when sessions start over unless told otherwise.
const defaultResetHour = 4

// ResetPolicy is the policy for a kind of session (see ResetKind) and the
// message's channel, "" when it has none. A rule for the channel stands alone;
// else the kind's rule lies over session.reset.
func (c *Config) ResetPolicy(kind, channel string) ResetPolicy {
	s := c.Session
	if rule, ok := s.ByChannel[jstext.Lower(jstext.Trim(channel))]; ok && channel != "" {
		return rule.policy("daily")
	}
	var rule ResetRule
	if s.Reset != nil {
		rule = *s.Reset
	}
	own, ok := s.ByType[kind]
	if !ok && kind == "direct" {
		own = s.ByType["dm"]
	}
	rule = own.over(rule)
	mode := "daily"
	if s.IdleMinutes > 0 && s.Reset == nil && s.ByType == nil {
		mode = "idle"
	}
	return rule.over(ResetRule{IdleMinutes: s.IdleMinutes}).policy(mode)
}

// policy is r with the mode for when it names none.
func (r ResetRule) policy(mode string) ResetPolicy {
	if r.Mode != "" {
		mode = r.Mode
	}
	p := ResetPolicy{Daily: mode == "daily", AtHour: defaultResetHour, Idle: milliseconds(float64(r.IdleMinutes) * 60_000)}
	if r.AtHour != nil {
		p.AtHour = *r.AtHour
	}
	return p
}

// Stale reports whether a session last updated at updatedAt starts over at
// now. The hour of the daily rule is taken in now's time zone.
func (p ResetPolicy) Stale(updatedAt, now time.Time) bool {
	if p.Daily && updatedAt.Before(p.lastReset(now)) {
		return true
	}
	return p.Idle > 0 && now.Sub(updatedAt) > p.Idle
}

// lastReset is the latest daily reset that is not after now.
func (p ResetPolicy) lastReset(now time.Time) time.Time {
	for day := now.Day(); ; day-- {
		t := time.Date(now.Year(), now.Month(), day, p.AtHour, 0, 0, 0, now.Location())
		// Where clocks go forward over the hour, the reset is when they have.
		if early := p.AtHour - t.Hour(); early > 0 {
			t = t.Add(time.Duration(early) * time.Hour)
		}
		if !t.After(now) {
			return t
		}
	}
}

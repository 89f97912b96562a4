package config

import (
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // a machine may have no zones of its own

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"30d", 30 * day, true}, {"30", 30 * day, true}, {"0", 0, true}, {" 1.5H ", 90 * time.Minute, true}, {"1h30m", 90 * time.Minute, true},
		{"2d1h3m4s5ms", 2*day + time.Hour + 3*time.Minute + 4*time.Second + 5*time.Millisecond, true}, {"0.4ms", 0, true}, {"0.5ms", time.Millisecond, true}, {"0.5", 12 * time.Hour, true},
		{"1e9d", 0, false}, {"999999999999d", math.MaxInt64, true},
		{"", 0, false}, {"d", 0, false}, {"1h30", 0, false}, {"1 h", 0, false}, {"1h 30m", 0, false}, {"-1d", 0, false}, {"1w", 0, false}, {".5h", 0, false}, {"1.h", 0, false}, {"forever", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseDuration(tt.text, day); got != tt.want || ok != tt.ok {
			t.Errorf("parseDuration(%q) = %v, %v, want %v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"100", 100, true}, {"100b", 100, true}, {"5kb", 5120, true}, {"5K", 5120, true}, {" 1.5MB ", 1572864, true}, {"2g", 2 << 30, true}, {"1tb", 1 << 40, true}, {"1.4", 1, true}, {"1.5", 2, true},
		{"99999999999tb", math.MaxInt64, true},
		{"", 0, false}, {"kb", 0, false}, {"5 kb", 0, false}, {"-5", 0, false}, {"5kib", 0, false}, {"5pb", 0, false}, {"5bb", 0, false}, {"1,5", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseSize(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("parseSize(%q) = %v, %v, want %v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestMaintenance(t *testing.T) {
	base := Maintenance{PruneAfter: 30 * day, MaxEntries: 500, RotateBytes: 10485760, ResetArchiveRetention: 30 * day}
	with := func(change func(*Maintenance)) Maintenance { m := base; change(&m); return m }
	tests := []struct {
		text string
		want Maintenance
	}{
		{`{}`, base},
		{`{mode: "warn"}`, base},
		{`{mode: "enforce", maxEntries: 3, rotateBytes: "1kb"}`, with(func(m *Maintenance) { m.Enforce, m.MaxEntries, m.RotateBytes = true, 3, 1024 })},
		{`{pruneAfter: "2h"}`, with(func(m *Maintenance) { m.PruneAfter, m.ResetArchiveRetention = 2*time.Hour, 2*time.Hour })},
		{`{pruneAfter: 2}`, with(func(m *Maintenance) { m.PruneAfter, m.ResetArchiveRetention = 2*day, 2*day })},
		{`{pruneDays: 7}`, with(func(m *Maintenance) { m.PruneAfter, m.ResetArchiveRetention = 7*day, 7*day })},
		{`{pruneDays: 7, pruneAfter: "1d"}`, with(func(m *Maintenance) { m.PruneAfter, m.ResetArchiveRetention = day, day })},
		{`{resetArchiveRetention: "2d"}`, with(func(m *Maintenance) { m.ResetArchiveRetention = 2 * day })},
		{`{resetArchiveRetention: 0}`, with(func(m *Maintenance) { m.ResetArchiveRetention = 0 })},
		{`{resetArchiveRetention: false}`, with(func(m *Maintenance) { m.KeepResetArchives = true })},
		{`{maxDiskBytes: "5kb"}`, with(func(m *Maintenance) { m.Budget, m.MaxDiskBytes, m.HighWaterBytes = true, 5120, 4096 })},
		{`{maxDiskBytes: 1}`, with(func(m *Maintenance) { m.Budget, m.MaxDiskBytes, m.HighWaterBytes = true, 1, 1 })},
		{`{maxDiskBytes: 0, highWaterBytes: 5}`, with(func(m *Maintenance) { m.Budget = true })},
		{`{maxDiskBytes: 100, highWaterBytes: 500}`, with(func(m *Maintenance) { m.Budget, m.MaxDiskBytes, m.HighWaterBytes = true, 100, 100 })},
		{`{maxDiskBytes: 100, highWaterBytes: "50b"}`, with(func(m *Maintenance) { m.Budget, m.MaxDiskBytes, m.HighWaterBytes = true, 100, 50 })},
		{`{highWaterBytes: 50}`, base},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got := parse(t, `{session: {maintenance: `+tt.text+`}}`).Session.Maintenance
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff(base, parse(t, `{session: {}}`).Session.Maintenance); diff != "" {
		t.Errorf("without maintenance (-want +got):\n%s", diff)
	}
}

func TestMainKeyIsIgnored(t *testing.T) {
	for key, warned := range map[string]bool{"main": false, " main ": false, "": false, "Work": true, "home": true} {
		_, ws, err := Parse(`{session: {mainKey: "`+key+`"}}`, testOptions(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := hasWarning(ws, `session.mainKey is ignored; main session is always "main".`); got != warned {
			t.Errorf("mainKey %q: warned %v, want %v", key, got, warned)
		}
	}
}

func TestResetPolicy(t *testing.T) {
	daily := func(hour int, idle time.Duration) ResetPolicy {
		return ResetPolicy{Daily: true, AtHour: hour, Idle: idle}
	}
	tests := []struct {
		name, session, kind, channel string
		want                         ResetPolicy
	}{
		{"nothing", `{}`, "direct", "", daily(4, 0)},
		{"hour", `{reset: {atHour: 0}}`, "direct", "", daily(0, 0)},
		{"idle", `{reset: {mode: "idle", idleMinutes: 30}}`, "group", "", ResetPolicy{AtHour: 4, Idle: 30 * time.Minute}},
		{"idle without minutes", `{reset: {mode: "idle"}}`, "direct", "", ResetPolicy{AtHour: 4}},
		{"daily and idle", `{reset: {mode: "daily", idleMinutes: 5}}`, "direct", "", daily(4, 5*time.Minute)},
		{"minutes alone are daily and idle", `{reset: {idleMinutes: 5}}`, "direct", "", daily(4, 5*time.Minute)},
		{"old minutes alone are idle", `{idleMinutes: 5}`, "direct", "", ResetPolicy{AtHour: 4, Idle: 5 * time.Minute}},
		{"old minutes beside reset", `{idleMinutes: 5, reset: {}}`, "direct", "", daily(4, 5*time.Minute)},
		{"old minutes beside types", `{idleMinutes: 5, resetByType: {group: {}}}`, "direct", "", daily(4, 5*time.Minute)},
		{"reset's minutes win over old ones", `{idleMinutes: 5, reset: {mode: "idle", idleMinutes: 7}}`, "direct", "", ResetPolicy{AtHour: 4, Idle: 7 * time.Minute}},
		{"type over reset", `{reset: {atHour: 6, idleMinutes: 9}, resetByType: {group: {mode: "idle"}}}`, "group", "", ResetPolicy{AtHour: 6, Idle: 9 * time.Minute}},
		{"other type", `{reset: {atHour: 6}, resetByType: {group: {mode: "idle"}}}`, "thread", "", daily(6, 0)},
		{"dm means direct", `{resetByType: {dm: {atHour: 9}}}`, "direct", "", daily(9, 0)},
		{"direct wins over dm, whole", `{resetByType: {dm: {atHour: 9, idleMinutes: 1}, direct: {atHour: 8}}}`, "direct", "", daily(8, 0)},
		{"channel stands alone", `{reset: {atHour: 6, idleMinutes: 9}, idleMinutes: 3, resetByChannel: {Discord: {atHour: 2}}}`, "group", "discord", daily(2, 0)},
		{"channel idle without minutes", `{idleMinutes: 3, resetByChannel: {discord: {mode: "idle"}}}`, "group", " DISCORD ", ResetPolicy{AtHour: 4}},
		{"another channel", `{reset: {atHour: 6}, resetByChannel: {discord: {atHour: 2}}}`, "group", "slack", daily(6, 0)},
		{"no channel", `{resetByChannel: {"": {atHour: 2}}}`, "group", "", daily(4, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, `{session: `+tt.session+`}`).ResetPolicy(tt.kind, tt.channel)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStale(t *testing.T) {
	zone := time.FixedZone("east", 3*3600)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, zone) }
	daily, idle := ResetPolicy{Daily: true, AtHour: 4}, ResetPolicy{Idle: 30 * time.Minute}
	both := ResetPolicy{Daily: true, AtHour: 4, Idle: 30 * time.Minute}
	tests := []struct {
		name         string
		policy       ResetPolicy
		updated, now time.Time
		want         bool
	}{
		{"same morning", daily, at(2, 4, 0), at(2, 23, 59), false},
		{"before the hour", daily, at(2, 3, 59), at(2, 4, 0), true},
		{"night before the hour", daily, at(1, 4, 0), at(2, 3, 59), false},
		{"yesterday before the hour", daily, at(1, 3, 59), at(2, 3, 59), true},
		{"first of a month", daily, time.Date(2026, 2, 28, 3, 0, 0, 0, zone), at(1, 2, 0), true},
		{"other zone of the entry", daily, at(2, 4, 0).UTC(), at(2, 5, 0), false},
		{"never written", daily, time.UnixMilli(0), at(2, 5, 0), true},
		{"idle exactly", idle, at(2, 10, 0), at(2, 10, 30), false},
		{"idle longer", idle, at(2, 10, 0), at(2, 10, 31), true},
		{"idle over the daily hour", idle, at(2, 3, 50), at(2, 4, 10), false},
		{"both, daily", both, at(2, 3, 50), at(2, 4, 10), true},
		{"both, idle", both, at(2, 10, 0), at(2, 10, 31), true},
		{"none", ResetPolicy{}, time.UnixMilli(0), at(2, 10, 0), false},
		{"from the future", both, at(3, 10, 0), at(2, 10, 0), false},
	}
	for _, tt := range tests {
		if got := tt.policy.Stale(tt.updated, tt.now); got != tt.want {
			t.Errorf("%s: Stale = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// On the day when clocks go forward over the reset hour there is still one
// reset, not none and not two.
func TestStaleOnDayWithoutTheHour(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	p := ResetPolicy{Daily: true, AtHour: 2}
	before := time.Date(2026, 3, 8, 1, 59, 0, 0, zone)
	after := time.Date(2026, 3, 8, 4, 0, 0, 0, zone)
	if !p.Stale(before, after) {
		t.Error("a session from before the change of clocks is not stale after it")
	}
	if p.Stale(after, after.Add(time.Hour)) {
		t.Error("a session from after the change of clocks is stale an hour later")
	}
}

func TestResetKind(t *testing.T) {
	for _, tt := range []struct{ key, chatType, want string }{
		{"agent:main:main", "", "direct"}, {"agent:main:main", "direct", "direct"}, {"agent:main:main", "group", "group"}, {"agent:main:main", "channel", "group"},
		{"agent:main:slack:channel:c1", "", "group"}, {"agent:main:whatsapp:group:1", "direct", "group"},
		{"agent:main:slack:channel:c1:thread:9", "", "thread"}, {"agent:main:telegram:group:1:topic:2", "", "thread"},
	} {
		if got := ResetKind(tt.key, tt.chatType); got != tt.want {
			t.Errorf("ResetKind(%q, %q) = %q, want %q", tt.key, tt.chatType, got, tt.want)
		}
	}
}

func TestSendAllowed(t *testing.T) {
	const rules = `{rules: [{action: "deny", match: {keyPrefix: "DM:"}}, {action: "deny", match: {channel: "discord", chatType: "group"}}, {action: "allow", match: {rawKeyPrefix: "agent:ops:"}}], default: %}`
	allow, deny := strings.ReplaceAll(rules, "%", `"allow"`), strings.ReplaceAll(rules, "%", `"deny"`)
	tests := []struct {
		name, policy string
		target       SendTarget
		want         bool
	}{
		{"no policy", `{}`, SendTarget{Key: "agent:main:main"}, true},
		{"default deny", `{default: "deny"}`, SendTarget{Key: "agent:main:main"}, false},
		{"entry wins over deny", `{default: "deny"}`, SendTarget{Key: "agent:main:main", SendPolicy: "allow"}, true},
		{"entry wins over allow", allow, SendTarget{Key: "agent:ops:x", SendPolicy: "deny"}, false},
		{"odd entry counts for nothing", allow, SendTarget{Key: "agent:main:x", SendPolicy: "maybe"}, true},
		{"prefix behind the agent", allow, SendTarget{Key: "agent:main:dm:bob"}, false},
		{"prefix of the whole key", allow, SendTarget{Key: "dm:bob"}, false},
		{"no prefix in the middle", allow, SendTarget{Key: "agent:main:x:dm:bob"}, true},
		{"channel and type of the entry", allow, SendTarget{Key: "agent:main:x", Channel: "Discord", ChatType: "group"}, false},
		{"last channel", allow, SendTarget{Key: "agent:main:x", LastChannel: "discord", ChatType: "group"}, false},
		{"channel before last channel", allow, SendTarget{Key: "agent:main:x", Channel: "slack", LastChannel: "discord", ChatType: "group"}, true},
		{"both from the key", allow, SendTarget{Key: "agent:main:discord:group:1"}, false},
		{"other type", allow, SendTarget{Key: "agent:main:discord:channel:1"}, true},
		{"channel without a type", allow, SendTarget{Key: "agent:main:x", Channel: "discord"}, true},
		{"matching allow beats the default", deny, SendTarget{Key: "agent:ops:x"}, true},
		{"no match takes the default", deny, SendTarget{Key: "agent:main:x"}, false},
		{"deny beats an allow that matches too", deny, SendTarget{Key: "agent:ops:dm:x"}, false},
		{"rule without match", `{rules: [{action: "deny"}]}`, SendTarget{Key: "global"}, false},
		{"empty match", `{rules: [{action: "allow", match: {}}], default: "deny"}`, SendTarget{Key: "global"}, true},
		{"dm is direct", `{rules: [{action: "deny", match: {chatType: "dm"}}]}`, SendTarget{Key: "agent:main:telegram:direct:7"}, false},
		{"direct is dm", `{rules: [{action: "deny", match: {chatType: "direct"}}]}`, SendTarget{Key: "agent:main:telegram:dm:7"}, false},
		{"odd type of the entry falls back to the key", `{rules: [{action: "deny", match: {chatType: "direct"}}]}`, SendTarget{Key: "agent:main:telegram:dm:7", ChatType: "room"}, false},
		{"group wins over dm in a key", `{rules: [{action: "deny", match: {chatType: "group"}}]}`, SendTarget{Key: "agent:main:dm:group:7"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parse(t, `{session: {sendPolicy: `+tt.policy+`}}`).SendAllowed(tt.target); got != tt.want {
				t.Errorf("SendAllowed = %v, want %v", got, tt.want)
			}
		})
	}
}

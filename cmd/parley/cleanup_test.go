package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/upkeep"
)

func TestCleanupText(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	ago := func(d time.Duration) rawjson.Value { return rawjson.MustMarshal(now.Add(-d).UnixMilli()) }
	planned := upkeep.StoreReport{
		AgentID: "main", StorePath: "/st/a.json", Mode: "warn", DryRun: true, BeforeCount: 5, AfterCount: 3, Missing: 1, Pruned: 1,
		DiskBudget: &sessions.DiskBudget{TotalBytesBefore: 900, TotalBytesAfter: 700, RemovedFiles: 2, RemovedEntries: 1},
		Actions: []upkeep.Action{
			{Key: "agent:main:a", Action: "keep", UpdatedAt: ago(59 * time.Second), Model: "m", Flags: []string{"think:low", "id:x"}},
			{Key: "agent:main:telegram:group:-100123", Action: "cap-overflow", UpdatedAt: ago(59 * time.Minute), Model: "anthropic-large-4", Flags: []string{}},
			{Key: "agent:main:26-runes-totalé", Action: "evict-budget", UpdatedAt: ago(23 * time.Hour), Model: "14-runes-long!"},
			{Key: "agent:main:d", Action: "prune-stale", UpdatedAt: ago(24 * time.Hour)},
			{Key: "agent:main:e", Action: "prune-missing", UpdatedAt: rawjson.Value("null")},
			{Key: "agent:main:f", Action: "keep", UpdatedAt: ago(-time.Hour)},
		},
	}
	const plan = `Session store: /st/a.json
Maintenance mode: warn
Entries: 5 -> 3 (remove 2)
Would prune missing transcripts: 1
Would prune stale: 1
Would cap overflow: 0
Would enforce disk budget: 900 -> 700 bytes (files 2, entries 1)

Planned session actions:
Action       Key                        Age       Model          Flags
keep         agent:main:a               just now  m              think:low id:x
cap-overflow agent:main:t…group:-100123 59m ago   anthro…large-4
evict-budget agent:main:26-runes-totalé 23h ago   14-runes-long!
prune-stale  agent:main:d               1d ago
prune-missing agent:main:e               unknown
keep         agent:main:f               just now
`
	applied := upkeep.StoreReport{AgentID: "ops", StorePath: "/st/b.json", Mode: "enforce", AfterCount: 7, Applied: true, AppliedCount: new(7)}
	for name, tt := range map[string]struct {
		stores []upkeep.StoreReport
		want   string
	}{
		"planned": {[]upkeep.StoreReport{planned}, plan},
		"applied": {[]upkeep.StoreReport{applied}, "Session store: /st/b.json\nApplied maintenance. Current entries: 7\n"},
		"several": {[]upkeep.StoreReport{planned, applied}, "Agent: main\n" + plan + "\nAgent: ops\nSession store: /st/b.json\nApplied maintenance. Current entries: 7\n"},
	} {
		t.Run(name, func(t *testing.T) {
			// As it comes from the daemon.
			var r upkeep.Result
			if err := rawjson.Unmarshal(rawjson.MustMarshal(upkeep.Result{Mode: "warn", Stores: tt.stores}), &r); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := printCleanup(&b, r, now); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Two commands must not work on one directory at a time, and a command is no
// gateway to talk to.
func TestCleanupBesideAnotherCommand(t *testing.T) {
	dir := t.TempDir()
	release, err := take(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = take(dir)
	f, ok := errors.AsType[fault](err)
	if !ok || f.code != exitOwned || !strings.HasPrefix(err.Error(), "a parley command (pid ") {
		t.Errorf("error %v, want that another command is at work", err)
	}
	release()
	if release, err = take(dir); err != nil {
		t.Fatal(err)
	}
	release()
}

package sessions

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// untidy is a store with something to do for every rule.
func untidy(t *testing.T, maintenance string) (st *Store, wait func() []string) {
	t.Helper()
	st, wait = maintained(t, maintenance, fmt.Sprintf(`{"agent:main:main":{"updatedAt":1,"sessionId":"none"},"agent:main:busy":{"updatedAt":2,"sessionId":"none"},
		"agent:main:old":{"updatedAt":3,"sessionId":"old"},"Loose":{"updatedAt":4,"sessionId":"old"},"agent:main:lost":{"updatedAt":%[1]d,"sessionId":"none"},
		"agent:main:never":{"sessionId":"never"},"agent:main:bare":{"updatedAt":%[1]d},"agent:main:n1":{"updatedAt":%[1]d,"sessionId":"n1"},
		"agent:main:n2":{"updatedAt":%[2]d,"sessionId":"n2"},"agent:main:n3":{"updatedAt":%[2]d,"sessionId":"n3"}, "junk":null}`, ago(3*time.Hour), ago(time.Hour)))
	dated(t, st, "old.jsonl", "never.jsonl", "orphan.jsonl", "n1.jsonl", "n2.jsonl", "n3.jsonl", "notes.txt", "x.jsonl.deleted.2020-01-01T00-00-00Z")
	return st, wait
}

// absentIn reports of an entry whether the directory of st lacks its transcript.
func absentIn(st *Store) func(string, Entry) bool {
	return func(_ string, e Entry) bool {
		_, err := os.Stat(filepath.Join(st.Dir(), e.SessionID()+".jsonl"))
		return err != nil
	}
}

func actionsOf(removed []Removed) []string {
	out := []string{}
	for _, r := range removed {
		out = append(out, fmt.Sprintf("%s %s", strings.TrimPrefix(r.Key, "agent:main:"), r.Action))
	}
	return out
}

// The dry run must foretell exactly what the real run does.
func TestCleanupDoesWhatTheDryRunSays(t *testing.T) {
	for _, tt := range []struct {
		name, maintenance string
		o                 CleanupOptions
		absent            bool
		want              []string
		files             int
	}{
		{name: "limits", maintenance: `{maxEntries: 6}`, want: []string{"old prune-stale", "loose prune-stale", "never cap-overflow", "n1 cap-overflow"}},
		{name: "active", maintenance: `{maxEntries: 6}`, o: CleanupOptions{Active: "agent:main:never"},
			want: []string{"old prune-stale", "loose prune-stale", "n1 cap-overflow", "bare cap-overflow"}},
		{name: "active in another spelling", maintenance: `{}`, o: CleanupOptions{Active: "agent:main:loose"}, want: []string{"old prune-stale"}},
		{name: "missing", maintenance: `{pruneAfter: "36500d"}`, absent: true, want: []string{"lost prune-missing"}},
		{name: "missing but active", maintenance: `{pruneAfter: "36500d"}`, absent: true, o: CleanupOptions{Active: "agent:main:lost"}, want: []string{}},
		{name: "all", maintenance: `{maxEntries: 6, maxDiskBytes: 5000, highWaterBytes: 3500}`, absent: true,
			want: []string{"lost prune-missing", "old prune-stale", "loose prune-stale", "never cap-overflow", "n1 evict-budget"}, files: 4},
		{name: "nothing", maintenance: `{pruneAfter: "36500d"}`, want: []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, wait := untidy(t, tt.maintenance)
			if tt.absent {
				tt.o.Absent = absentIn(st)
			}
			file, files := readFile(t, st.Path()), kept(t, st)
			tt.o.DryRun = true
			dry, err := st.Cleanup(t.Context(), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if readFile(t, st.Path()) != file || !slices.Equal(kept(t, st), files) {
				t.Error("the dry run changed something")
			}
			tt.o.DryRun, tt.o.Enforce = false, true
			real, err := st.Cleanup(t.Context(), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			for run, r := range map[string]Report{"dry": dry, "real": real} {
				if got := actionsOf(r.Removed); !slices.Equal(got, tt.want) {
					t.Errorf("%s run removed %q, want %q", run, got, tt.want)
				}
			}
			if diff := cmp.Diff(dry.Budget, real.Budget); diff != "" {
				t.Errorf("budget (-dry +real):\n%s", diff)
			}
			if dry.Before != 10 || real.Before != 10-real.Missing || dry.After != 10-len(tt.want) || real.After != dry.After || len(keysOf(st)) != real.After {
				t.Errorf("dry %d -> %d, real %d -> %d, in the store %d", dry.Before, dry.After, real.Before, real.After, len(keysOf(st)))
			}
			if dry.Changed() != real.Changed() || real.Changed() != (len(tt.want) > 0) || real.Budget != nil && real.Budget.RemovedFiles != tt.files {
				t.Errorf("changed: dry %v, real %v; budget %+v", dry.Changed(), real.Changed(), real.Budget)
			}
			if dry.Missing+dry.Pruned+dry.Capped+evicted(dry) != len(tt.want) || real.Missing != dry.Missing || real.Pruned != dry.Pruned || real.Capped != dry.Capped {
				t.Errorf("counts: dry %+v, real %+v", dry, real)
			}
			if told := wait(); len(told) != 0 {
				t.Errorf("told the callback of %v, which is the caller's to do", told)
			}
			if slices.Contains(names(t, st), "x.jsonl.deleted.2020-01-01T00-00-00Z") != strings.Contains(tt.maintenance, "36500d") {
				t.Errorf("old archives: %v", names(t, st))
			}
		})
	}
}

func evicted(r Report) int {
	if r.Budget == nil {
		return 0
	}
	return r.Budget.RemovedEntries
}

func TestDryRunPlansEveryEntry(t *testing.T) {
	st, _ := untidy(t, `{maxEntries: 6}`)
	r, err := st.Cleanup(t.Context(), CleanupOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Planned {
		got = append(got, fmt.Sprintf("%s %s", strings.TrimPrefix(p.Key, "agent:main:"), p.Action))
	}
	want := []string{"n2 keep", "n3 keep", "lost keep", "bare keep", "n1 cap-overflow", "loose prune-stale", "old prune-stale", "busy keep", "main keep", "never cap-overflow"}
	if !slices.Equal(got, want) {
		t.Errorf("planned %q, want %q", got, want)
	}
}

func TestCleanupInModeWarn(t *testing.T) {
	st, _ := untidy(t, `{maxEntries: 1, maxDiskBytes: 100}`)
	files := kept(t, st)
	r, err := st.Cleanup(t.Context(), CleanupOptions{})
	if err != nil || r.Changed() || r.Enforced || r.Before != 10 || r.After != 10 || !r.Budget.OverBudget || r.Budget.FreedBytes != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = st.Cleanup(t.Context(), CleanupOptions{Absent: absentIn(st)})
	if got := actionsOf(r.Removed); err != nil || !slices.Equal(got, []string{"lost prune-missing"}) || r.Before != 9 || r.After != 9 {
		t.Errorf("removed %v, %d -> %d, %v", got, r.Before, r.After, err)
	}
	if got := kept(t, st); !slices.Equal(got, files) {
		t.Errorf("files %v, want %v", got, files)
	}
}

// Between the look at the disk and the change a session may get a transcript,
// or be written.
func TestCleanupLooksAgain(t *testing.T) {
	st, _ := maintained(t, `{}`, `{"agent:main:a":{"sessionId":"sa"},"agent:main:b":{"sessionId":"sb"},"agent:main:c":{"sessionId":"sc"}}`)
	looks := 0
	r, err := st.Cleanup(t.Context(), CleanupOptions{Absent: func(key string, e Entry) bool {
		if looks++; looks == 3 {
			writeFile(t, filepath.Join(st.Dir(), "sa.jsonl"), "{}")
			if err := set(t.Context(), st, "agent:main:b", entryOf(t, `{"sessionId":"sb","label":"x"}`)); err != nil {
				t.Error(err)
			}
		}
		return absentIn(st)(key, e)
	}})
	if got := actionsOf(r.Removed); err != nil || !slices.Equal(got, []string{"c prune-missing"}) {
		t.Errorf("removed %v, %v", got, err)
	}
}

func TestCleanupOfNothing(t *testing.T) {
	c := configured(t, `{session: {maintenance: {mode: "enforce", maxDiskBytes: 10}}}`)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		r, err := st.Cleanup(t.Context(), CleanupOptions{DryRun: dry, Absent: absentIn(st), Active: "agent:main:y"})
		if err != nil || r.Changed() || r.Before != 0 || r.After != 0 || r.Budget.TotalBytesBefore != 2 {
			t.Errorf("dry %v: %+v, %v", dry, r, err)
		}
	}
	if got, err := filepath.Glob(filepath.Join(c.StateDir, "*")); len(got) != 0 || err != nil {
		t.Errorf("made %v, %v", got, err)
	}
}

// Another process may be writing an entry whose transcript we see already.
func TestCleanupLeavesAloneWhatAnotherOwns(t *testing.T) {
	st, _ := untidy(t, `{}`)
	st.snapshot()
	others := openTest(t, configured(t, `{}`), Options{})
	other := openStore(st.Path(), "main", others.Keys(), Options{Config: others.o.Config})
	files := kept(t, st)
	if _, err := other.Cleanup(t.Context(), CleanupOptions{Enforce: true}); err == nil || !strings.Contains(err.Error(), "in use by another parley process") {
		t.Errorf("error %v, want that the store is in use", err)
	}
	if r, err := other.Cleanup(t.Context(), CleanupOptions{DryRun: true}); err != nil || r.Before != 10 {
		t.Errorf("dry run: %+v, %v", r, err)
	}
	if got := kept(t, st); !slices.Equal(got, files) {
		t.Errorf("files %v, want %v", got, files)
	}
}

func TestCleanupOfADamagedJournal(t *testing.T) {
	st, _ := untidy(t, `{maxDiskBytes: 0}`)
	if err := set(t.Context(), st, "agent:main:n4", entryOf(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	st.commits.turn.Lock()
	st.commits.refused = fmt.Errorf("the journal is damaged")
	st.commits.turn.Unlock()
	files := kept(t, st)
	if _, err := st.Cleanup(t.Context(), CleanupOptions{Enforce: true}); err == nil || !strings.Contains(err.Error(), "the journal is damaged") {
		t.Errorf("error %v, want that the journal is damaged", err)
	}
	if got := kept(t, st); !slices.Equal(got, files) {
		t.Errorf("files %v, want %v", got, files)
	}
}

func TestCleanupOfAnUnreadableStore(t *testing.T) {
	st := openOne(t, "")
	if err := os.MkdirAll(st.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		if _, err := st.Cleanup(t.Context(), CleanupOptions{DryRun: dry}); err == nil {
			t.Errorf("dry %v: no error for a store that cannot be read", dry)
		}
	}
	if err := os.Remove(st.Path()); err != nil { // else it cannot be closed, either
		t.Error(err)
	}
}

package sessions

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestExpiredArchives(t *testing.T) {
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, maintenance string
		archived          bool // entries were removed just now
		want              string
	}{
		{"retention as pruneAfter", `{pruneAfter: "10d"}`, false, "old.jsonl.deleted old.jsonl.reset"},
		{"retention longer", `{pruneAfter: "10d", resetArchiveRetention: "11d"}`, false, "old.jsonl.deleted"},
		{"retention shorter", `{pruneAfter: "30d", resetArchiveRetention: 3}`, false, "new.jsonl.reset old.jsonl.reset"},
		{"resets are kept, nothing archived", `{pruneAfter: "10d", resetArchiveRetention: false}`, false, ""},
		{"resets are kept", `{pruneAfter: "10d", resetArchiveRetention: false}`, true, "old.jsonl.deleted"},
	} {
		st, _ := maintained(t, tt.maintenance, `{}`)
		var got []string
		for _, n := range []string{"new", "old"} {
			for _, reason := range []string{"bak", "deleted", "reset"} {
				day := map[string]string{"new": "2026-06-26T12-00-00.000Z", "old": "2026-06-20T11-59-59Z"}[n]
				if name := n + ".jsonl." + reason; st.expired(name+"."+day, now, tt.archived) {
					got = append(got, name)
				}
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: expired %v, want %s", tt.name, got, tt.want)
		}
	}
}

// What was removed is told at once; the directory is looked at once a second.
func TestDirectoryWorkIsRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, wait := maintained(t, `{mode: "enforce", maxEntries: 1, pruneAfter: "36500d", maxDiskBytes: 0}`, `{}`)
		log := keepLog(st)
		start := time.Now()
		var told []time.Duration
		st.removed = func(*Store, []Removed) { told = append(told, time.Since(start)) }
		for i := range 21 { // one in 100 ms for 2 s
			if err := set(t.Context(), st, fmt.Sprintf("agent:main:k%d", i), entryOf(t, fmt.Sprintf(`{"updatedAt":%d}`, i+1))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			<-time.After(100 * time.Millisecond)
		}
		wait()
		if len(told) < 20 || told[0] != 100*time.Millisecond || told[5] > 700*time.Millisecond {
			t.Errorf("told at %v, want with each change from the second on", told)
		}
		if got := log.with("applied session disk budget cleanup"); len(got) < 2 || len(got) > 4 {
			t.Errorf("%d looks at the directory in 2 s, want about one a second", len(got))
		}
	})
}

// What a client has just written may be too much for the budget. It stays all the
// same until somebody changes something else: the sweep that its own change
// caused leaves it alone, and causes no other one.
func TestTheLastWrittenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, wait := maintained(t, `{mode: "enforce", pruneAfter: "36500d", maxDiskBytes: 0}`, `{"agent:main:a":{"updatedAt":5},"agent:main:b":{"updatedAt":6}}`)
		write := func(key string) {
			t.Helper()
			if err := set(t.Context(), st, key, entryOf(t, `{"updatedAt":7}`)); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Second)
			synctest.Wait()
			if got := st.snapshot().Len(); got != 1 {
				t.Errorf("%d entries are left after %s was written, want it alone", got, key)
			}
			if _, ok := st.snapshot().Get(key); !ok {
				t.Errorf("%s is gone", key)
			}
		}
		write("agent:main:c")
		write("agent:main:d")
		if got := wait(); len(got) != 3 {
			t.Errorf("told of %v, want of three", got)
		}
	})
}

func TestCloseDoesWhatIsLeft(t *testing.T) {
	st, wait := maintained(t, `{mode: "enforce", maxEntries: 1, pruneAfter: "36500d"}`, `{"agent:main:a":{"updatedAt":5}}`, "x.jsonl.deleted.1900-01-01T00-00-00Z")
	st.sweeper.next = time.Now().Add(time.Hour)
	if err := set(t.Context(), st, "agent:main:b", entryOf(t, `{"updatedAt":6}`)); err != nil {
		t.Fatal(err)
	}
	if got, want := wait(), []string{"agent:main:a cap-overflow"}; !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
	if got, want := kept(t, st), []string{"sessions.json"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	if err := set(t.Context(), st, "agent:main:c", entryOf(t, `{"updatedAt":7}`)); err != nil {
		t.Fatal(err)
	}
	if got := wait(); len(got) != 2 {
		t.Errorf("a change after the end of the background work told of %v", got)
	}
}

func TestSweepWithoutDirectory(t *testing.T) {
	c := configured(t, `{session: {maintenance: {mode: "enforce", maxDiskBytes: 10}}}`)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.sweep(time.Now()); err != nil {
		t.Error(err)
	}
	if got, err := filepath.Glob(filepath.Join(c.StateDir, "*")); len(got) != 0 || err != nil {
		t.Errorf("made %v, %v", got, err)
	}
}

// Whoever keeps a record of the archives hears when some are gone, and only
// then.
func TestSweptIsTold(t *testing.T) {
	const expired = "x.jsonl.deleted.1900-01-01T00-00-00Z"
	for _, tt := range []struct {
		name, maintenance string
		others            []string
		cleanup           *CleanupOptions // instead of a change of the store
		want              int
	}{
		{"an archive is too old", `{mode: "enforce"}`, []string{expired}, nil, 1},
		{"there are none", `{mode: "enforce"}`, nil, nil, 0},
		{"nothing is enforced", `{maxDiskBytes: 1}`, []string{expired}, nil, 0},
		{"for space", `{mode: "enforce", maxDiskBytes: 500, resetArchiveRetention: false}`, []string{"x.jsonl.reset.2026-01-01T00-00-00Z"}, nil, 1},
		{"cleanup", `{}`, []string{expired}, &CleanupOptions{Enforce: true}, 1},
		{"cleanup of nothing", `{}`, nil, &CleanupOptions{Enforce: true}, 0},
		{"dry run", `{}`, []string{expired}, &CleanupOptions{Enforce: true, DryRun: true}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, wait := maintained(t, tt.maintenance, `{}`, tt.others...)
			told := 0
			st.swept = func(*Store) { told++ }
			if tt.cleanup == nil {
				if err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"updatedAt":99999999999999}`)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := st.Cleanup(t.Context(), *tt.cleanup); err != nil {
				t.Fatal(err)
			}
			wait()
			if told != tt.want {
				t.Errorf("told %d times, want %d", told, tt.want)
			}
		})
	}
}

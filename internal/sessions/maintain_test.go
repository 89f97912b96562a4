package sessions

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// maintained is a store under a maintenance configuration with files in its
// directory, and the keys that were removed from it.
func maintained(t *testing.T, maintenance, file string, others ...string) (st *Store, wait func() []string) {
	t.Helper()
	c := configured(t, `{session: {maintenance: `+maintenance+`}}`)
	dir := filepath.Join(c.StateDir, "agents", "main", "sessions")
	writeFile(t, filepath.Join(dir, "sessions.json"), file)
	for _, name := range others {
		writeFile(t, filepath.Join(dir, name), strings.Repeat("y", 1000))
	}
	var mu sync.Mutex
	var gone []string
	s := openTest(t, c, Options{
		Removed: func(_ *Store, removed []Removed) {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range removed {
				gone = append(gone, fmt.Sprintf("%s %v", r.Key, r.Action))
			}
		},
		Protected: func(key string) bool { return key == "agent:main:busy" },
	})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	return st, func() []string {
		st.sweeper.close()
		mu.Lock()
		defer mu.Unlock()
		return gone
	}
}

func ago(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }

func TestEnforcePrunesAndCaps(t *testing.T) {
	const day = 24 * time.Hour
	st, wait := maintained(t, `{mode: "enforce", pruneAfter: "30d", maxEntries: 4, resetArchiveRetention: "2d"}`,
		fmt.Sprintf(`{"agent:main:old":{"updatedAt":%d},"agent:main:main":{"updatedAt":%d},"agent:main:busy":{"updatedAt":1},
			"agent:main:undated":{},"agent:main:c1":{"updatedAt":%d},"agent:main:c2":{"updatedAt":%[3]d}}`, ago(31*day), ago(90*day), ago(time.Hour)),
		"x1.jsonl.deleted.2020-01-01T00-00-00.000Z", "x2.jsonl.deleted.2099-01-01T00-00-00.000Z", "x3.jsonl.reset.2020-01-01T00-00-00.000Z",
		"x4.jsonl.reset.2099-01-01T00-00-00Z", "x5.jsonl.bak.2020-01-01T00-00-00.000Z", "x6.jsonl.deleted.garbage")
	if err := set(t.Context(), st, "agent:main:new", entryOf(t, `{"label":"no time yet"}`)); err != nil {
		t.Fatal(err)
	}
	want := []string{"agent:main:old prune-stale", "agent:main:undated cap-overflow", "agent:main:c2 cap-overflow"}
	got := wait()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("removed %v, want %v", got, want)
	}
	if got, want := keysOf(st), []string{"agent:main:main", "agent:main:busy", "agent:main:c1", "agent:main:new"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	wantFiles := []string{"sessions.json", "sessions.json.flock", "x2.jsonl.deleted.2099-01-01T00-00-00.000Z", "x4.jsonl.reset.2099-01-01T00-00-00Z",
		"x5.jsonl.bak.2020-01-01T00-00-00.000Z", "x6.jsonl.deleted.garbage"}
	if got := names(t, st); !slices.Equal(got, wantFiles) {
		t.Errorf("files %v, want %v", got, wantFiles)
	}
}

func TestWarnRemovesNothing(t *testing.T) {
	st, wait := maintained(t, `{pruneAfter: "1h", maxEntries: 1, maxDiskBytes: 100, rotateBytes: 10}`,
		`{"agent:main:a":{"updatedAt":1},"agent:main:b":{"updatedAt":2}}`, "orphan.jsonl", "x1.jsonl.deleted.2020-01-01T00-00-00.000Z")
	if err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"updatedAt":3}`)); err != nil {
		t.Fatal(err)
	}
	if got := wait(); len(got) != 0 || len(keysOf(st)) != 2 {
		t.Errorf("removed %v", got)
	}
	if got := names(t, st); len(got) != 4 {
		t.Errorf("files %v", got)
	}
}

func TestDiskBudget(t *testing.T) {
	file := `{`
	var files []string
	for i := range 5 {
		file += fmt.Sprintf(`"agent:main:k%d":{"sessionId":"s%d","updatedAt":%d},`, i, i, 100-i)
		files = append(files, fmt.Sprintf("s%d.jsonl", i))
	}
	file = strings.TrimSuffix(file, ",") + `,"agent:main:shared":{"sessionId":"s4","updatedAt":500}}`
	st, wait := maintained(t, `{mode: "enforce", maxEntries: 100, pruneAfter: "36500d", maxDiskBytes: "5kb"}`, file,
		append(files, "orphan.jsonl", "s9.jsonl.bak.2026-01-01T00-00-00.000Z", "other.txt")...)
	if err := set(t.Context(), st, "agent:main:k0", entryOf(t, `{"sessionId":"s0","updatedAt":200}`)); err != nil {
		t.Fatal(err)
	}
	// k4 goes first but its transcript is shared; then k3, k2 and k1 with theirs.
	if got, want := wait(), []string{"agent:main:k4 evict-budget", "agent:main:k3 evict-budget", "agent:main:k2 evict-budget", "agent:main:k1 evict-budget"}; !slices.Equal(got, want) {
		t.Errorf("removed %v, want %v", got, want)
	}
	if got, want := names(t, st), []string{"other.txt", "s0.jsonl", "s4.jsonl", "sessions.json", "sessions.json.flock"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// records counts the log records with a message.
type records struct {
	slog.Handler
	message string
	n       *atomic.Int32
}

func (r records) Handle(_ context.Context, rec slog.Record) error {
	if rec.Message == r.message {
		r.n.Add(1)
	}
	return nil
}

func TestBudgetThatCannotBeKeptIsNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, wait := maintained(t, `{mode: "enforce", pruneAfter: "36500d", maxDiskBytes: 100}`, `{}`, "other.txt", "orphan.jsonl")
		var n atomic.Int32
		st.log = slog.New(records{slog.NewTextHandler(io.Discard, nil), "applied session disk budget cleanup", &n})
		if err := set(t.Context(), st, "agent:main:main", entryOf(t, `{"updatedAt":200}`)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		wait()
		if n.Load() != 1 {
			t.Errorf("%d cleanups within a minute of one change, want 1", n.Load())
		}
		if got, want := names(t, st), []string{"other.txt", "sessions.json", "sessions.json.flock"}; !slices.Equal(got, want) {
			t.Errorf("files %v, want %v", got, want)
		}
	})
}

func TestRotateKeepsTheStoreInPlace(t *testing.T) {
	st, wait := maintained(t, `{mode: "enforce", rotateBytes: 10, pruneAfter: "36500d"}`, `{"agent:main:a":{"updatedAt":5}}`,
		"sessions.json.bak.1", "sessions.json.bak.2", "sessions.json.bak.3")
	before := readFile(t, st.Path())
	for i := range 2 { // the second change comes within the hour and rotates nothing
		if err := set(t.Context(), st, "agent:main:b", entryOf(t, fmt.Sprintf(`{"updatedAt":%d}`, i))); err != nil {
			t.Fatal(err)
		}
		checkpoint(t, st)
	}
	wait()
	var backups []string
	for _, n := range names(t, st) {
		if strings.HasPrefix(n, "sessions.json.bak.") {
			backups = append(backups, n)
		}
	}
	if len(backups) != 3 || !slices.Equal(backups[1:], []string{"sessions.json.bak.2", "sessions.json.bak.3"}) {
		t.Fatalf("backups %v, want one new one and the newest two of the old", backups)
	}
	if got := readFile(t, filepath.Join(st.Dir(), backups[0])); len(backups[0]) < 25 || got != before {
		t.Errorf("backup %s holds %s, want %s", backups[0], got, before)
	}
	if got := keysOf(st); !slices.Equal(got, []string{"agent:main:a", "agent:main:b"}) {
		t.Errorf("store %v", got)
	}
}

func TestArchiveName(t *testing.T) {
	for _, tt := range []struct{ name, reason string }{
		{"a.jsonl.deleted.2020-01-01T00-00-00.000Z", "deleted"}, {"a.jsonl.reset.2020-01-01T00-00-00Z", "reset"},
		{"a.deleted.2020-01-01T00-00-00.000Z.bak.2021-01-01T00-00-00.000Z", "bak"},
		{"a.jsonl", ""}, {"a.jsonl.deleted.garbage", ""}, {"a.jsonl.bak-1-2", ""}, {".deleted.2020-13-01T00-00-00.000Z", ""}, {"x.deleted.2020-13-01T00-00-00.000Z", ""},
	} {
		reason, _, ok := archiveName(tt.name)
		if !ok {
			reason = ""
		}
		if reason != tt.reason {
			t.Errorf("%s: %q, want %q", tt.name, reason, tt.reason)
		}
	}
}

func TestLockOfADeadProcessIsTaken(t *testing.T) {
	st := openOne(t, "")
	writeFile(t, st.Path()+".lock", fmt.Sprintf(`{"pid": %d, "createdAt": %q}`, 1<<22, time.Now().UTC().Format(time.RFC3339)))
	if err := set(t.Context(), st, "a", entryOf(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, st)
	if got := names(t, st); !slices.Equal(got, []string{"sessions.json", "sessions.json.flock"}) {
		t.Errorf("files %v: the lock must be gone", got)
	}
}

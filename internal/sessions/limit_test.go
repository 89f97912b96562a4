package sessions

import (
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/btree"
)

// snapshotOf is a store content that is nowhere on the disk.
func snapshotOf(t testing.TB, text string) *Snapshot {
	t.Helper()
	v, err := parseText([]byte(text), Keys{DefaultAgent: "main"}, "main")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStaleEntries(t *testing.T) {
	v := snapshotOf(t, `{"undated1":{},"neg":{"updatedAt":-5},"zero1":{"updatedAt":0},"undated2":{"updatedAt":"7"},"tiny":{"updatedAt":5e-324},
		"zero2":{"updatedAt":0},"one":{"updatedAt":1},"ten":{"updatedAt":10},"no entry":7}`)
	for _, tt := range []struct {
		cutoff float64
		want   string
	}{
		{-5, ""}, {-4, "neg"}, {0, "neg"}, {math.SmallestNonzeroFloat64, "neg zero2 zero1"}, {1, "neg zero2 zero1 tiny"},
		{10, "neg zero2 zero1 tiny one"}, {11, "neg zero2 zero1 tiny one ten"},
	} {
		var got []string
		for r := range v.stale(tt.cutoff) {
			got = append(got, r.key)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("before %g: %v, want %s", tt.cutoff, got, tt.want)
		}
	}
	for r := range v.stale(11) {
		if r.key != "neg" {
			t.Error("the loop went on after its break")
		}
		break
	}
	v.replace(v.record("zero1"), nil)
	if v.zeros != 1 {
		t.Errorf("%d entries of the time 0 are left, want 1", v.zeros)
	}
}

// TestLimitsLookAtNothingThatStays counts the comparisons in the index: a
// change must cost the same in a large store.
func TestLimitsLookAtNothingThatStays(t *testing.T) {
	const n = 20_000
	compared := 0
	v := newSnapshot(Keys{DefaultAgent: "main"}, "main")
	v.recent = btree.NewBTreeGOptions(func(a, b *record) bool {
		compared++
		return a.updated > b.updated || a.updated == b.updated && a.pos < b.pos
	}, btree.Options{NoLocks: true})
	now := time.Now()
	old := entryOf(t, `{"updatedAt":1}`)
	v.put("main", old)
	v.put("agent:main:busy", old)
	for i := range n {
		e := entryOf(t, `{}`)
		if i%2 == 0 {
			e = entryOf(t, fmt.Sprintf(`{"updatedAt":%d}`, now.UnixMilli()))
		}
		v.put(fmt.Sprint(i), e)
	}
	c := configured(t, fmt.Sprintf(`{session: {maintenance: {mode: "enforce", maxEntries: %d}}}`, n+2))
	asked := 0
	s := openStore(filepath.Join(t.TempDir(), "sessions.json"), "main", v.keys, Options{Config: c, Protected: func(key string) bool {
		asked++
		return key == "agent:main:busy"
	}})
	compared = 0
	if gone := s.limit(newTx(v), now); len(gone) != 0 {
		t.Errorf("removed %v", gone)
	}
	if compared > 500 || asked > 2 {
		t.Errorf("%d comparisons and %d questions for nothing to remove", compared, asked)
	}
}

// BenchmarkLimits is what mode enforce adds to a change that removes nothing.
func BenchmarkLimits(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			now := time.Now()
			v := newSnapshot(Keys{DefaultAgent: "main"}, "main")
			for i := range n {
				e := entryOf(b, fmt.Sprintf(`{"updatedAt":%d}`, now.UnixMilli()-int64(i)))
				v.put(fmt.Sprint(i), e)
			}
			c := configured(b, `{session: {maintenance: {mode: "enforce", maxEntries: 1000000}}}`)
			s := openStore(filepath.Join(b.TempDir(), "sessions.json"), "main", v.keys, Options{Config: c})
			tx := newTx(v)
			for b.Loop() {
				s.limit(tx, now)
			}
		})
	}
}

func TestNobodyRemovesWhatIsExempt(t *testing.T) {
	const store = `{"agent:main:main":{"updatedAt":1},"agent:ops:main":{"updatedAt":1},"global":{"updatedAt":1},"agent:main:busy":{"updatedAt":1},
		"Written":{"updatedAt":1},"agent:main:written":{"updatedAt":1},"agent:main:other":{"updatedAt":1},"agent:main:late":{"updatedAt":2}}`
	for _, tt := range []struct {
		name, maintenance string
		global            bool // session.scope
		want              []string
	}{
		{"prune", `{mode: "enforce"}`, false, []string{"agent:main:late", "agent:main:other", "global"}},
		{"cap", `{mode: "enforce", pruneAfter: "36500d", maxEntries: 1}`, false, []string{"agent:main:late", "agent:main:other", "global"}},
		{"cap of one too many", `{mode: "enforce", pruneAfter: "36500d", maxEntries: 7}`, false, []string{"agent:main:other"}},
		{"budget", `{mode: "enforce", pruneAfter: "36500d", maxDiskBytes: 0}`, false, []string{"agent:main:late", "agent:main:other", "global"}},
		{"global scope", `{mode: "enforce"}`, true, []string{"agent:main:late", "agent:main:other"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, wait := maintained(t, tt.maintenance, store)
			st.keys.Global = tt.global
			// The change leaves the time as it is, and names one of two spellings.
			err := st.Update(t.Context(), func(tx *Tx) error {
				tx.Put("agent:main:written", entryOf(t, `{"updatedAt":1,"label":"x"}`))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, gone := range wait() {
				key, _, _ := strings.Cut(gone, " ")
				got = append(got, key)
			}
			if slices.Sort(got); !slices.Equal(got, tt.want) {
				t.Errorf("removed %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLimitWarnings(t *testing.T) {
	for _, tt := range []struct {
		name, maintenance, key, entry string
		want                          string
	}{
		{"too old", `{}`, "agent:main:x", `{"updatedAt":1}`, "stale=true over the cap=false"},
		{"too many", `{maxEntries: 2, pruneAfter: "36500d"}`, "agent:main:x", `{"updatedAt":1}`, "stale=false over the cap=true"},
		{"undated", `{maxEntries: 2}`, "agent:main:x", `{}`, "stale=false over the cap=true"},
		{"newest of too many", `{maxEntries: 2, pruneAfter: "36500d"}`, "agent:main:x", `{"updatedAt":9}`, ""},
		{"as many as may be", `{maxEntries: 3, pruneAfter: "36500d"}`, "agent:main:x", `{"updatedAt":1}`, ""},
		{"main", `{maxEntries: 1}`, "agent:main:main", `{"updatedAt":1}`, ""},
		{"enforced", `{mode: "enforce", maxEntries: 1}`, "agent:main:x", `{"updatedAt":1}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, wait := maintained(t, tt.maintenance, `{"agent:main:a":{"updatedAt":5},"agent:main:b":{"updatedAt":6}}`)
			log := keepLog(st)
			if err := set(t.Context(), st, tt.key, entryOf(t, tt.entry)); err != nil {
				t.Fatal(err)
			}
			wait()
			got := log.with("session maintenance would remove")
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(strings.ReplaceAll(got[0], `"`, ""), tt.want)) {
				t.Errorf("warnings %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWarningsComeOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, wait := maintained(t, `{maxEntries: 1, maxDiskBytes: 10}`, `{"agent:main:a":{"updatedAt":5}}`)
		log := keepLog(st)
		for i := range 100 {
			if err := set(t.Context(), st, "agent:main:b", entryOf(t, fmt.Sprintf(`{"updatedAt":1,"n":%d}`, i))); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		wait()
		for _, text := range []string{"session maintenance would remove", "session disk budget exceeded (warn-only mode)"} {
			if got := log.with(text); len(got) != 2 {
				t.Errorf("%d warnings in 100 s, want 2: %q", len(got), got)
			}
		}
	})
}

// kept are the files in the store's directory, but for those that we keep
// beside the store. A checkpoint that is under way is awaited.
func kept(t testing.TB, st *Store) []string {
	t.Helper()
	st.checkpoints.one.Lock()
	defer st.checkpoints.one.Unlock()
	return slices.DeleteFunc(names(t, st), uncounted)
}

// logLines are what a store logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

// keepLog makes a store log into memory.
func keepLog(st *Store) *logLines {
	l := &logLines{}
	st.log = slog.New(slog.NewTextHandler(l, nil))
	return l
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

// with are the lines that contain a text.
func (l *logLines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return out
}

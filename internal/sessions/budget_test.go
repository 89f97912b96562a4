package sessions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/config"
)

func TestStoreSizeIsThatOfTheFile(t *testing.T) {
	for _, entries := range []string{
		``, `"a":{}`, `"a":null`, `"a":{},"b":{"x":1}`, `"a \"q\" <é>":{"x":{"y":[]},"z":[1,[2,{}],{"a":[[]]}]}`,
		`"a":{"text":"{[,:]}\\\" \\\\","k{\"":"é\u2028"},"b":[1,2],"c":"x:y,"`,
	} {
		v := snapshotOf(t, `{`+entries+`}`)
		if got, want := storeSize(v), int64(len(rendered(t, v))); got != want {
			t.Errorf("{%s}: %d bytes, want %d", entries, got, want)
		}
	}
}

func FuzzIndentedSize(f *testing.F) {
	f.Add(`{"a":[1,{"b":"\\\""},[]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var compact, indented bytes.Buffer
		if json.Compact(&compact, []byte(text)) != nil {
			return
		}
		if err := json.Indent(&indented, compact.Bytes(), "  ", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indentedSize(compact.Bytes()); got != indented.Len() {
			t.Errorf("%s: %d, want %d", compact.Bytes(), got, indented.Len())
		}
	})
}

// dated makes files in a store's directory, each an hour younger than the one
// before.
func dated(t *testing.T, st *Store, files ...string) {
	t.Helper()
	at := time.Now().Add(-1000 * time.Hour)
	for i, name := range files {
		path := filepath.Join(st.Dir(), name)
		filler := "y"
		if strings.HasSuffix(path, ".json.journal") {
			filler = "\x00" // else it would be a damaged one
		}
		writeFile(t, path, strings.Repeat(filler, 1000))
		if err := os.Chtimes(path, at, at.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBudgetOrder(t *testing.T) {
	const store = `{"agent:main:a":{"sessionId":"sa","updatedAt":1},"agent:main:b":{"sessionId":"sb","updatedAt":2,"sessionFile":"custom.jsonl"},"agent:main:c":{"sessionId":"sa","updatedAt":3}}`
	files := []string{"sb.jsonl", "orphan.jsonl", "notes.txt", "sessions.json.bak.17", "sa.jsonl", "x.jsonl.bak-1-2", "x.jsonl.reset.2026-01-01T00-00-00Z",
		"custom.jsonl", "x.jsonl.deleted.nonsense", "x.lock", "sessions.json.0.tmp", "sessions.json.journal", "sessions.json.conflicts", "sessions.json.archived.journal", "runs.journal", "sessions.json.doctor.17"}
	all := []string{"orphan.jsonl", "sessions.json.bak.17", "x.jsonl.reset.2026-01-01T00-00-00Z", "sb.jsonl", "custom.jsonl", "sa.jsonl"}
	for _, tt := range []struct {
		name    string
		free    int64 // what must go, in bytes
		files   int   // how many of all go
		entries string
	}{
		{"nothing", 0, 0, ""},
		{"the oldest spare file", 1, 1, ""},
		{"two spare files", 1001, 2, ""},
		{"all spare files", 3000, 3, ""},
		{"sessions: the first one's transcript is shared", 3001, 3, "a"},
		{"a session with two files", 3200, 5, "a b"},
		{"all sessions", 5400, 6, "a b c"},
		{"more than there is", 1 << 30, 6, "a b c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, _ := maintained(t, `{mode: "enforce", pruneAfter: "36500d", maxDiskBytes: 0}`, store)
			dated(t, st, files...)
			total := int64(11*1000) + storeSize(st.snapshot())
			rules := st.rules()
			rules.MaxDiskBytes, rules.HighWaterBytes = total-1, total-tt.free
			if tt.free == 0 {
				rules.MaxDiskBytes = total
			}
			st.rules = func() config.Maintenance { return rules }
			before := names(t, st)
			r, err := st.Cleanup(t.Context(), CleanupOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var gone, removed []string
			for _, name := range before {
				if !slices.Contains(names(t, st), name) {
					gone = append(gone, name)
				}
			}
			for _, e := range r.Removed {
				removed = append(removed, strings.TrimPrefix(e.Key, "agent:main:"))
			}
			want := slices.Sorted(slices.Values(all[:tt.files]))
			if !slices.Equal(gone, want) || strings.Join(removed, " ") != tt.entries {
				t.Errorf("deleted %v and entries %v, want %v and %s", gone, removed, want, tt.entries)
			}
			b := r.Budget
			shrunk := storeSize(snapshotOf(t, store)) - storeSize(st.snapshot())
			wantBudget := DiskBudget{
				TotalBytesBefore: total, TotalBytesAfter: total - int64(tt.files)*1000 - shrunk, FreedBytes: int64(tt.files)*1000 + shrunk,
				RemovedFiles: tt.files, RemovedEntries: len(removed), MaxBytes: rules.MaxDiskBytes, HighWaterBytes: rules.HighWaterBytes, OverBudget: tt.free > 0,
			}
			if *b != wantBudget {
				t.Errorf("budget\n%+v, want\n%+v", *b, wantBudget)
			}
		})
	}
}

// Another agent's entry may have its transcript in this directory.
func TestBudgetSparesTranscriptsOfOtherStores(t *testing.T) {
	c := configured(t, `{session: {store: "all/{agentId}.json", maintenance: {mode: "enforce", maxDiskBytes: 10}}, agents: {list: [{id: "main"}, {id: "ops"}]}}`)
	c.Session.Store = filepath.Join(c.StateDir, c.Session.Store)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(st.Dir(), "ops.json"), `{"agent:ops:x":{"sessionId":"theirs"}}`)
	for _, name := range []string{"theirs.jsonl", "nobodys.jsonl"} {
		writeFile(t, filepath.Join(st.Dir(), name), "y")
	}
	if err := st.sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, want := kept(t, st), []string{"ops.json", "theirs.jsonl"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// The entries of a damaged store are not known; their transcripts must stay.
func TestBudgetSparesTranscriptsOfADamagedStore(t *testing.T) {
	st, wait := maintained(t, `{mode: "enforce", maxDiskBytes: 10}`, `{"agent:main:a":{"sessionId":"sa"},`, "sa.jsonl", "x.jsonl.bak.2026-01-01T00-00-00Z")
	if err := st.sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, st); len(got) != 3 {
		t.Errorf("files %v, want all", got)
	}
	if err := set(t.Context(), st, "agent:main:main", entryOf(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	wait()
	got := slices.DeleteFunc(names(t, st), func(n string) bool { return strings.HasPrefix(n, "sessions.json") })
	if want := []string{"sa.jsonl"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// Neither are those of the lines that were lost with a damaged journal.
func TestBudgetSparesTranscriptsOfARepairedJournal(t *testing.T) {
	for name, want := range map[string]int{"sessions.json.journal.doctor.17": 1, "sessions.json.doctor.17": 0} {
		st, wait := maintained(t, `{mode: "enforce", maxDiskBytes: 10}`, `{"agent:main:a":{}}`, "sb.jsonl", name)
		if err := set(t.Context(), st, "agent:main:main", entryOf(t, `{}`)); err != nil {
			t.Fatal(err)
		}
		wait()
		got := slices.DeleteFunc(names(t, st), func(n string) bool { return strings.HasPrefix(n, "sessions.json") })
		if len(got) != want {
			t.Errorf("beside %s: files %v, want %d", name, got, want)
		}
	}
}

func TestBudgetGoesOnWhenAFileCannotBeRemoved(t *testing.T) {
	st, _ := maintained(t, `{mode: "enforce", maxDiskBytes: 10}`, `{"agent:main:a":{"sessionId":"sa","updatedAt":1}}`, "o1.jsonl", "o2.jsonl", "sa.jsonl")
	root, files, err := st.files()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	do := onlyStaged(newTx(st.snapshot().clone()))
	do.remove = func(name string) error {
		if name == "o2.jsonl" {
			return fmt.Errorf("remove %s: not today", name)
		}
		return nil
	}
	b, gone, err := st.keepBudget(do, files, time.Now(), true, func(*record) bool { return false })
	if err == nil || b.RemovedFiles != 2 || len(gone) != 1 || b.TotalBytesAfter != 1002 {
		t.Errorf("%+v, removed %v, error %v", b, gone, err)
	}
}

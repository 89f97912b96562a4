package sessions

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// edit replaces the file at path as a careful program does.
func edit(t testing.TB, path, text string) {
	t.Helper()
	writeFile(t, path+".edit", text)
	if err := os.Rename(path+".edit", path); err != nil {
		t.Fatal(err)
	}
}

// lostValues are the lines of the conflicts file, without their times.
func lostValues(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "sessions.json.conflicts"))
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		o, err := rawjson.Parse([]byte(line))
		if err != nil {
			t.Fatalf("conflicts: %q: %v", line, err)
		}
		if at, ok := rawjson.Number(o.Get("t")); !ok || at < 1e12 {
			t.Errorf("conflicts: no time in %s", line)
		}
		o.Delete("t")
		out.Write(append(o.JSON(), '\n'))
	}
	return out.String()
}

// What another program and we changed since the file was last written is joined
// by key; on one key the newer change stays and the other is kept aside. It is
// the same whether the daemon sees the file while it runs or after a crash.
func TestForeignChangesAreMerged(t *testing.T) {
	far := time.Now().Add(time.Hour).UnixMilli()
	const begin = `{"a":{"v":0,"updatedAt":1},"b":{"v":0,"updatedAt":1},"gone":{"v":0,"updatedAt":1}}`
	for _, tt := range []struct {
		name   string
		ours   func(*Tx)
		theirs string
		want   string
		lost   string
	}{
		{"different keys", func(tx *Tx) { tx.Put("a", entry1(1)); tx.Put("new", entry1(2)) },
			`{"b":{"v":9,"updatedAt":5},"gone":{"v":0,"updatedAt":1},"theirs":{"v":8},"a":{"v":0,"updatedAt":1}}`,
			`{"b":{"v":9,"updatedAt":5},"gone":{"v":0,"updatedAt":1},"theirs":{"v":8},"a":{"v":1},"new":{"v":2}}`, ""},
		{"laid out anew", func(tx *Tx) { tx.Put("a", entry1(1)) },
			"{\n\t\"a\" : {\"v\" : 0, \"updatedAt\": 1 }\n}", `{"a":{"v":1}}`, ""},
		{"their older change", func(tx *Tx) { tx.Put("a", entry1(1)) },
			`{"a":{"v":9,"updatedAt":5}}`, `{"a":{"v":1}}`, `{"key":"a","kept":"journal","lost":{"v":9,"updatedAt":5}}` + "\n"},
		{"their newer change", func(tx *Tx) { tx.Put("a", entry1(1)) },
			fmt.Sprintf(`{"a":{"v":9,"updatedAt":%d}}`, far), fmt.Sprintf(`{"a":{"v":9,"updatedAt":%d}}`, far), `{"key":"a","kept":"file","lost":{"v":1}}` + "\n"},
		{"the same change", func(tx *Tx) { tx.Put("a", entry1(1)) }, `{"a":{"v":1}}`, `{"a":{"v":1}}`, ""},
		{"they removed what we changed", func(tx *Tx) { tx.Put("a", entry1(1)) },
			`{"b":{"v":0}}`, `{"b":{"v":0},"a":{"v":1}}`, `{"key":"a","kept":"journal","lost":null}` + "\n"},
		{"we removed what they changed", func(tx *Tx) { tx.Delete("a") },
			`{"a":{"v":9,"updatedAt":5}}`, `{}`, `{"key":"a","kept":"journal","lost":{"v":9,"updatedAt":5}}` + "\n"},
		{"we removed what they changed later", func(tx *Tx) { tx.Delete("a") },
			fmt.Sprintf(`{"a":{"v":9,"updatedAt":%d}}`, far), fmt.Sprintf(`{"a":{"v":9,"updatedAt":%d}}`, far), `{"key":"a","kept":"file","lost":null}` + "\n"},
		{"both removed", func(tx *Tx) { tx.Delete("a") }, `{"b":{"v":0}}`, `{"b":{"v":0}}`, ""},
		{"both made", func(tx *Tx) { tx.Put("new", entry1(1)) },
			`{"new":{"v":9,"updatedAt":5}}`, `{"new":{"v":1}}`, `{"key":"new","kept":"journal","lost":{"v":9,"updatedAt":5}}` + "\n"},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crash %v", tt.name, crash), func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "sessions.json")
				writeFile(t, path, begin)
				st := byHand(t, nil, dir)
				if err := st.Update(t.Context(), func(tx *Tx) error { tt.ours(tx); return nil }); err != nil {
					t.Fatal(err)
				}
				if crash {
					left := t.TempDir()
					if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
						t.Fatal(err)
					}
					if err := st.close(); err != nil {
						t.Fatal(err)
					}
					dir, path = left, filepath.Join(left, "sessions.json")
					edit(t, path, tt.theirs)
					st = byHand(t, nil, dir)
				} else {
					edit(t, path, tt.theirs)
				}
				want, err := parseText([]byte(tt.want), st.keys, "main")
				if err != nil {
					t.Fatal(err)
				}
				if got := string(rendered(t, st.snapshot())); got != string(rendered(t, want)) {
					t.Errorf("readers see %s", got)
				}
				checkpoint(t, st)
				if got := fileContent(t, st); got != string(rendered(t, want)) {
					t.Errorf("the file is %s", got)
				}
				if got := lostValues(t, dir); got != tt.lost {
					t.Errorf("conflicts %q, want %q", got, tt.lost)
				}
				if err := st.close(); err != nil {
					t.Error(err)
				}
				if got := fileContent(t, st); got != string(rendered(t, want)) {
					t.Errorf("after closing the file is %s", got)
				}
			})
		}
	}
}

// fileContent is what the file says, laid out as we do: one that another
// program wrote and that lacks nothing is not written again.
func fileContent(t *testing.T, st *Store) string {
	t.Helper()
	c, err := readContent(nil, st.path, st.keys, st.agent)
	if err != nil || c.view.damaged {
		t.Fatal(err, c.view.damaged)
	}
	return string(rendered(t, c.view))
}

func entry1(v int) Entry {
	return NewEntry(rawjson.NewObject(rawjson.Member{Name: "v", Value: rawjson.MustMarshal(v)}))
}

// Another program may save at any moment of a change or a checkpoint: nothing
// of its save is lost, nor of ours.
func TestForeignSaveAtEveryMoment(t *testing.T) {
	for n := 0; ; n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "sessions.json")
		writeFile(t, path, `{"a":{"v":0},"b":{"v":0}}`)
		var st *Store
		armed, saved, seen := false, false, 0
		files := disk.New(func(op disk.Op) (int, error) {
			if armed {
				if seen++; seen == n+1 {
					armed, saved = false, true
					edit(t, path, `{"a":{"v":0},"b":{"v":7},"theirs":{"v":7}}`)
				}
			}
			return 0, nil
		})
		st = byHand(t, files, dir)
		if err := set(t.Context(), st, "before", entry1(1)); err != nil {
			t.Fatal(err)
		}
		armed = true
		if err := set(t.Context(), st, "a", entry1(1)); err != nil {
			t.Errorf("operation %d: %v", n, err)
		}
		checkpoint(t, st)
		armed = false
		if err := set(t.Context(), st, "after", entry1(1)); err != nil {
			t.Errorf("operation %d: %v", n, err)
		}
		if err := st.close(); err != nil {
			t.Errorf("operation %d: close: %v", n, err)
		}
		if !saved {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		want := map[string]string{"a": "1", "b": "7", "theirs": "7", "before": "1", "after": "1"}
		c, err := readContent(nil, path, st.keys, "main")
		if err != nil {
			t.Fatal(err)
		}
		for key, v := range want {
			e, _ := c.view.Get(key)
			if got := string(e.Value("v")); got != v {
				t.Errorf("saved before operation %d: %s is %q, want %s; the file is %s", n, key, got, v, readFile(t, path))
			}
		}
	}
}

// A reader may take another program's file in between the moment a change is
// staged and the moment it is durable.
func TestReaderTakesInAFileDuringACommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.json")
	writeFile(t, path, `{"a":{"v":0},"b":{"v":0}}`)
	var st *Store
	armed := false
	files := disk.New(func(op disk.Op) (int, error) {
		if armed && op.Kind == disk.Sync {
			armed = false
			edit(t, path, `{"a":{"v":5,"updatedAt":5},"b":{"v":7}}`)
			e, _ := st.snapshot().Get("b")
			if string(e.Value("v")) != "7" {
				t.Errorf("the reader sees %s", e.Raw())
			}
		}
		return 0, nil
	})
	st = byHand(t, files, dir)
	if err := set(t.Context(), st, "c", entry1(1)); err != nil {
		t.Fatal(err)
	}
	armed = true
	if err := set(t.Context(), st, "a", entry1(1)); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"a\": {\n    \"v\": 1\n  },\n  \"b\": {\n    \"v\": 7\n  },\n  \"c\": {\n    \"v\": 1\n  }\n}"
	if got := storeText(t, st); got != want {
		t.Errorf("the file is %s", got)
	}
	if got, want := lostValues(t, dir), `{"key":"a","kept":"journal","lost":{"v":5,"updatedAt":5}}`+"\n"; got != want {
		t.Errorf("conflicts %q, want %q", got, want)
	}
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
}

// A program that follows OpenClaw's lock and we change different keys as fast
// as we can; nothing of either is lost.
func TestTwoWritersWithTheLock(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.json")
	writeFile(t, path, `{"theirs":{"v":0}}`)
	st := openStore(path, "main", Keys{DefaultAgent: "main"}, Options{Config: configured(t, `{}`)})
	const changes = 60
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 1; i <= changes; i++ {
			if err := set(t.Context(), st, fmt.Sprint("ours", i), entry1(i)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := 1; i <= changes/3; i++ {
			foreignWrite(t, path, i)
		}
	})
	wg.Wait()
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
	c, err := readContent(nil, path, st.keys, "main")
	if err != nil {
		t.Fatal(err)
	}
	if e, _ := c.view.Get("theirs"); string(e.Value("v")) != fmt.Sprint(changes/3) {
		t.Errorf("theirs is %s", e.Raw())
	}
	for i := 1; i <= changes; i++ {
		if e, _ := c.view.Get(fmt.Sprint("ours", i)); string(e.Value("v")) != fmt.Sprint(i) {
			t.Errorf("ours%d is %s", i, e.Raw())
		}
	}
	if got := lostValues(t, dir); got != "" {
		t.Errorf("conflicts %s", got)
	}
}

// foreignWrite changes one key as OpenClaw does: lock, read, write by rename.
func foreignWrite(t *testing.T, path string, v int) {
	lock := path + ".lock"
	for {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintf(f, `{"pid": %d, "createdAt": %q}`, os.Getppid(), time.Now().UTC().Format(time.RFC3339))
			f.Close()
			break
		}
		time.Sleep(time.Millisecond)
	}
	c, err := readContent(nil, path, Keys{DefaultAgent: "main"}, "main")
	if err != nil {
		t.Error(err)
		return
	}
	c.view.put("theirs", entry1(v))
	edit(t, path, string(rendered(t, c.view)))
	if err := os.Remove(lock); err != nil {
		t.Error(err)
	}
}

func FuzzJournal(f *testing.F) {
	h := header{identity{10, 7}, 3}
	lines := appendChanges(h.line(), 4, 4, 1, []change{{key: "a", entry: rawjson.Value(`{"v":1}`), was: "0123456789abcdef"}})
	lines = appendChanges(lines, 5, 4, 2, []change{{key: "a"}, {key: "b\n", entry: rawjson.Value(`{}`)}})
	f.Add(lines, []byte(nil))
	f.Add(lines, append([]byte("\x00\x00"), checkpointLine(identity{}, 5)...))
	f.Add(append(lines, checkpointLine(identity{1, 2}, 4)...), []byte(`{"n":6,"b":6`))
	f.Add([]byte("{\"v\":2}\n"), []byte("\n\n"))
	f.Fuzz(func(t *testing.T, data, tail []byte) {
		r := readJournal(data)
		if r.end > int64(len(data)) || r.end < 0 {
			t.Fatalf("end %d of %d", r.end, len(data))
		}
		if len(r.damaged) > 0 || r.foreign != nil {
			return
		}
		// What was cut off as torn does not come back, and a tail that is no
		// line of a later batch changes nothing before it.
		again := readJournal(data[:r.end])
		if len(again.changes) != len(r.changes) || again.n != r.n || again.torn {
			t.Fatalf("%d changes up to %d; of the kept part %d up to %d", len(r.changes), r.n, len(again.changes), again.n)
		}
		longer := readJournal(append(data[:r.end:r.end], tail...))
		if len(longer.changes) < len(r.changes) {
			t.Fatalf("%d changes, with %q behind them %d", len(r.changes), tail, len(longer.changes))
		}
	})
}

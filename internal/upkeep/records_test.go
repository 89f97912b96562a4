package upkeep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
	"github.com/parleyd/parley/internal/sessions"
)

func entryOf(t *testing.T, text string) sessions.Entry {
	t.Helper()
	e, err := sessions.ParseEntry([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// main is the store of the agent main.
func (k Keeper) main(t *testing.T) *sessions.Store {
	t.Helper()
	st, err := k.Stores.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// recordOf is a record of one archive in the directory of the store.
func recordOf(t *testing.T, st *sessions.Store, name string) Record {
	t.Helper()
	return Record{
		Key: "agent:main:" + name, At: 5, Reason: "deleted", Archives: []string{filepath.Join(st.Dir(), name)},
		Entry: entryOf(t, `{"sessionId":"`+name+`","x":1.50}`),
	}
}

// keys are the keys of what is recorded.
func (k Keeper) keys(t *testing.T, st *sessions.Store) map[string]string {
	t.Helper()
	keys, err := k.Records.Keys(st)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for path, key := range keys {
		out[filepath.Base(path)] = strings.TrimPrefix(key, "agent:main:")
	}
	return out
}

// The form is written down in doc/disk.md. When this test needs another text, so
// does the document, and recordVersion.
func TestRecordFormIsAsWrittenDown(t *testing.T) {
	k := open(t, `{}`, nil)
	st := k.main(t)
	rec := Record{
		Key: "agent:main:t", At: 1795748697355, Reason: "reset",
		Archives: []string{filepath.Join(st.Dir(), "5f0c6d4a.jsonl.reset.2026-11-27T05-04-57.355Z"), "/far/a.jsonl.reset.2026-11-27T05-04-57.355Z"},
		Entry:    entryOf(t, `{"sessionId":"5f0c6d4a","label":"L"}`),
	}
	line := string(rec.line(st.Dir()).AppendJSON(nil))
	want := `{"v":1,"key":"agent:main:t","at":1795748697355,"reason":"reset","archives":["5f0c6d4a.jsonl.reset.2026-11-27T05-04-57.355Z",` +
		`"/far/a.jsonl.reset.2026-11-27T05-04-57.355Z"],"entry":{"sessionId":"5f0c6d4a","label":"L"}}`
	if line != want {
		t.Errorf("line %s, want %s", line, want)
	}
	back, _, ok := parseRecord([]byte(line), st.Dir())
	if diff := cmp.Diff(rec, back, cmp.Comparer(func(a, b sessions.Entry) bool { return string(a.Raw()) == string(b.Raw()) })); diff != "" || !ok {
		t.Error(diff)
	}
	doc, err := os.ReadFile("../../doc/disk.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"v":1,"key":"agent:main:t","at":1795748697355,"reason":"reset","archives":["`, `"],"entry":{"sessionId":"`, "sessions.json.archived.journal"} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("doc/disk.md lacks %s", part)
		}
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	const good = `{"v":1,"key":"k","at":5,"reason":"reset","archives":["a"],"entry":{}}`
	for _, tt := range []struct {
		line      string
		later, ok bool
	}{
		{good, false, true}, {strings.Replace(good, `"v":1`, `"v":2`, 1), true, false}, {strings.Replace(good, `"v":1`, `"v":0`, 1), false, false},
		{strings.Replace(good, `"k"`, `" "`, 1), false, false}, {strings.Replace(good, `"a"`, ``, 1), false, false}, {strings.Replace(good, `"a"`, `"../a"`, 1), false, false},
		{strings.Replace(good, `"a"`, `7`, 1), false, false}, {strings.Replace(good, `{}`, `7`, 1), false, false}, {good[:len(good)-1], false, false}, {`7`, false, false}, {``, false, false},
	} {
		if _, later, ok := parseRecord([]byte(tt.line), "/d"); later != tt.later || ok != tt.ok {
			t.Errorf("%s: later %v, ok %v", tt.line, later, ok)
		}
	}
}

func TestRecords(t *testing.T) {
	k := open(t, `{}`, nil)
	st := k.main(t)
	if got := k.keys(t, st); len(got) != 0 {
		t.Errorf("nothing was recorded, found %v", got)
	}
	if err := os.MkdirAll(st.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]Record{{recordOf(t, st, "a")}, {recordOf(t, st, "b"), recordOf(t, st, "c")}} {
		if err := k.Records.Add(st, list...); err != nil {
			t.Fatal(err)
		}
	}
	// Other Records, as after a restart, and then these that know a part.
	for _, r := range []*Records{k.Records, NewRecords(nil)} {
		again := recordOf(t, st, "b")
		again.Key = "agent:main:again"
		if err := r.Add(st, again); err != nil {
			t.Fatal(err)
		}
		k.Records = r
		if diff := cmp.Diff(map[string]string{"a": "a", "b": "again", "c": "c"}, k.keys(t, st)); diff != "" {
			t.Error(diff)
		}
		rec, ok, err := r.Find(st, filepath.Join(st.Dir(), "c"))
		if !ok || err != nil || string(rec.Entry.Raw()) != `{"sessionId":"c","x":1.50}` || rec.At != 5 {
			t.Errorf("found %+v, %v, %v", rec, ok, err)
		}
		if _, ok, err := r.Find(st, filepath.Join(st.Dir(), "d")); ok || err != nil {
			t.Errorf("found what is not there: %v", err)
		}
	}
	info, err := os.Stat(st.Path() + recordsEnd)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A crash may cut the file anywhere: the lines before count, and the next one
// is not glued to the rest.
func TestRecordsCutAnywhere(t *testing.T) {
	k := open(t, `{}`, nil)
	st := k.main(t)
	if err := os.MkdirAll(st.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.Records.Add(st, recordOf(t, st, "a"), recordOf(t, st, "b")); err != nil {
		t.Fatal(err)
	}
	path := st.Path() + recordsEnd
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.IndexByte(string(whole), '\n') + 1
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		k.Records = NewRecords(nil)
		want := map[string]string{}
		if n >= first {
			want["a"] = "a"
		}
		if n == len(whole) {
			want["b"] = "b"
		}
		if diff := cmp.Diff(want, k.keys(t, st)); diff != "" {
			t.Fatalf("cut at %d: %s", n, diff)
		}
		if n == len(whole)-1 || n == first-1 {
			continue // whole but for the newline: the next append brings it back, which is fine
		}
		if err := k.Records.Add(st, recordOf(t, st, "c")); err != nil {
			t.Fatal(err)
		}
		want["c"] = "c"
		if diff := cmp.Diff(want, k.keys(t, st)); diff != "" {
			t.Fatalf("cut at %d and appended to: %s", n, diff)
		}
	}
}

func TestTidyRecords(t *testing.T) {
	k := open(t, `{}`, map[string]string{"agents/main/sessions/sub/deep": "", "far": "", "agents/main/sessions/b": "", "agents/main/sessions/d": ""})
	st := k.main(t)
	path := st.Path() + recordsEnd
	add := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if err := k.Records.Add(st, recordOf(t, st, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tidy := func(want ...string) {
		t.Helper()
		if err := k.Records.Tidy(st); err != nil {
			t.Fatal(err)
		}
		wanted := map[string]string{}
		for _, name := range want {
			wanted[name] = name
		}
		for what, r := range map[string]*Records{"here": k.Records, "after a restart": NewRecords(nil)} {
			if diff := cmp.Diff(wanted, (Keeper{Records: r}).keys(t, st)); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
	}
	tidy() // no file
	add("a", "b", "c", "d")
	tidy("a", "b", "c", "d") // half of them are of use
	add("e")
	both := recordOf(t, st, "gone")
	both.Archives = append(both.Archives, filepath.Join(st.Dir(), "sub/deep"), filepath.Join(k.Config.StateDir, "far"))
	if err := k.Records.Add(st, both); err != nil {
		t.Fatal(err)
	}
	later := `{"v":2,"of":"a later version"}` + "\n"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("junk\n\n" + later + "torn"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"b", "d"} {
		if err := os.Remove(filepath.Join(st.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Records.Tidy(st); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if want := string(both.line(st.Dir()).JSON()) + "\n" + later; string(text) != want || err != nil {
		t.Errorf("file %s, %v, want %s", text, err, want)
	}
	add("f")
	for _, name := range []string{filepath.Join(st.Dir(), "sub/deep"), filepath.Join(k.Config.StateDir, "far"), path} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	add("g", "h")
	tidy()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file stays without a record: %v", err)
	}
	add("i")
	tidy()
}

// addTo adds a record to a file that has two, and then another.
func addTwice(t *testing.T, k Keeper) (first, second error) {
	st := k.main(t)
	return k.Records.Add(st, recordOf(t, st, "c"), recordOf(t, st, strings.Repeat("d", 9000))), k.Records.Add(st, recordOf(t, st, "e"))
}

func seeded(t *testing.T, dir string) {
	t.Helper()
	prepare(t, dir, map[string]string{"agents/main/sessions/sessions.json": `{}`})
	k := openOn(t, dir, `{}`, nil)
	defer k.Stores.Close() // nothing was written
	if err := k.Records.Add(k.main(t), recordOf(t, k.main(t), "a"), recordOf(t, k.main(t), "b")); err != nil {
		t.Fatal(err)
	}
}

// Whatever operation fails, what was recorded stays, and the next record is
// taken.
func TestFaultsOfRecords(t *testing.T) {
	var second error
	disktest.EachFaultAfter(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		seeded(t, dir)
		arm()
		k := openOn(t, dir, `{}`, fs)
		defer k.Stores.Close() // nothing was written
		var first error
		first, second = addTwice(t, k)
		return first
	}, func(t *testing.T, dir string, first error) {
		for _, err := range []error{first, second} {
			if err != nil && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) || err != nil && !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not tell the reason and the file: %v", err)
			}
		}
		dead := strings.HasSuffix(t.Name(), "ever_after")
		if first != nil && second != nil && !dead {
			t.Errorf("one fault costs two records: %v, %v", first, second)
		}
		k := openOn(t, dir, `{}`, nil)
		defer k.Stores.Close() // nothing was written
		checkRecords(t, k, first == nil, second == nil)
	})
}

func checkRecords(t *testing.T, k Keeper, first, second bool) {
	t.Helper()
	got := k.keys(t, k.main(t))
	for name, want := range map[string]bool{"a": true, "b": true, "c": first, strings.Repeat("d", 9000): first, "e": second} {
		if want && got[name] != name {
			t.Errorf("%.9s is missing in %.60v", name, got)
		}
	}
	if err := k.Records.Add(k.main(t), recordOf(t, k.main(t), "f")); err != nil || k.keys(t, k.main(t))["f"] != "f" {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPowerCutsOfRecords(t *testing.T) {
	for name, fails := range map[string][]disk.Kind{"no fault": nil, "sync": {disk.Sync}, "sync and truncate": {disk.Sync, disk.Truncate}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			seeded(t, dir)
			rec := disktest.Record(t, dir)
			k := openOn(t, dir, `{}`, rec.FS())
			if fails != nil {
				rec.Fault = func(o disk.Op) (int, error) {
					for _, kind := range fails {
						if o.Kind == kind {
							return 0, syscall.EIO
						}
					}
					return 0, nil
				}
				if first, _ := addTwice(t, k); first == nil {
					t.Fatal("nothing failed")
				}
				rec.Fault = nil
			}
			first, second := addTwice(t, k)
			if err := errors.Join(first, second); err != nil {
				t.Fatal(err)
			}
			rec.Mark(true)
			if err := k.Stores.Close(); err != nil {
				t.Fatal(err)
			}
			n := disktest.PowerCuts(t, rec, cutOptions, func(dir string, marks []any) error {
				k := openOn(t, dir, `{}`, nil)
				checkRecords(t, k, len(marks) > 0, len(marks) > 0)
				if t.Failed() {
					return fmt.Errorf("see above")
				}
				return k.Stores.Close()
			})
			t.Logf("%d states", n)
		})
	}
}

var cutOptions = disktest.Options{AnyOrder: true, All: 64, Samples: 16, Ignore: []string{"*.lock", "*.flock", "*.lock.*"}}

package sessions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// byHand is a store at dir whose checkpoints happen only when asked for.
func byHand(t testing.TB, files *disk.FS, dir string) *Store {
	t.Helper()
	st := openStore(filepath.Join(dir, "sessions.json"), "main", Keys{DefaultAgent: "main"}, Options{Config: configured(t, `{}`), Disk: files})
	st.checkpoints.byHand = true
	return st
}

// step is one change of the history that crash tests play: the labels that keys
// have after it, "" for removed ones.
type step map[string]string

// history has every kind of change: new keys, new values, removals, several
// keys at once, a key that comes back, and checkpoints (nil) in between.
var history = []step{
	{"agent:main:a": "a1"},
	{"agent:main:b": "b1", "agent:main:old": "o1"},
	nil,
	{"agent:main:a": ""},
	{"agent:main:b": "b2"},
	{"agent:main:c": "c1", "agent:main:old2": ""},
	nil,
	nil,
	{"agent:main:a": "a2"},
	{"agent:main:c": "c2"},
}

const historyBegin = `{"agent:main:old":{"label":"o0","updatedAt":1,"x":1.0},"odd":[],"agent:main:old2":{"label":"p0"}}`

// play plays the history and tells after each change whether it was
// acknowledged.
func play(t testing.TB, st *Store, told func(n int, err error)) error {
	var faults []error
	for n, change := range history {
		var err error
		if change == nil {
			err = st.Checkpoint(t.Context())
		} else {
			err = st.Update(t.Context(), func(tx *Tx) error {
				for _, key := range sortedKeys(change) {
					if change[key] == "" {
						tx.Delete(key)
						continue
					}
					tx.Put(key, NewEntry(rawjson.NewObject(rawjson.Member{Name: "label", Value: rawjson.MustMarshal(change[key])})))
				}
				return nil
			})
		}
		told(n, err)
		faults = append(faults, err)
	}
	return errors.Join(append(faults, st.close())...)
}

func sortedKeys(m step) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// labels are what a content says, "" for what is not there.
func labels(v *Snapshot) step {
	out := step{}
	for key, e := range v.All() {
		out[key] = e.Text("label")
	}
	return out
}

// after is what the first n steps make of the beginning.
func after(n int) step {
	out := step{"agent:main:old": "o0", "agent:main:old2": "p0"}
	for _, change := range history[:n] {
		for key, label := range change {
			if out[key] = label; label == "" {
				delete(out, key)
			}
		}
	}
	return out
}

func (s step) String() string {
	var b strings.Builder
	for _, k := range sortedKeys(s) {
		fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(k, "agent:main:"), s[k])
	}
	return b.String()
}

// usable fails the test if a reopened store does not work or is not sound.
func usable(t testing.TB, st *Store) {
	t.Helper()
	if err := set(t.Context(), st, "agent:main:next", entryOf(t, `{"label":"n"}`)); err != nil {
		t.Errorf("a change after reopening: %v", err)
	}
	if err := st.close(); err != nil {
		t.Errorf("close after reopening: %v", err)
	}
	c, err := readContent(nil, st.path, st.keys, st.agent)
	if err != nil || c.view.damaged || c.view.record("agent:main:next") == nil || c.view.record("odd") == nil {
		t.Errorf("the file after reopening: %v, damaged %v, keys %v", err, c != nil && c.view.damaged, labels(c.view))
	}
	if _, err := os.Lstat(st.path + ".journal"); !os.IsNotExist(err) {
		t.Errorf("the journal is left after closing: %v", err)
	}
}

// Whatever operation of commit, checkpoint and close fails, and however, what
// was acknowledged is there after reopening, what was refused is there whole or
// not at all, and nobody saw it while the store was open.
func TestFaultsLoseNothingAcknowledged(t *testing.T) {
	var acked []int
	disktest.EachFaultAfter(t, func(t *testing.T, files *disk.FS, dir string, arm func()) error {
		writeFile(t, filepath.Join(dir, "sessions.json"), historyBegin)
		st := byHand(t, files, dir)
		acked = nil
		arm()
		return play(t, st, func(n int, err error) {
			if err == nil {
				acked = append(acked, n)
			} else if e, ok := errors.AsType[*protocol.Error](err); !ok || e.Code != protocol.Unavailable {
				t.Errorf("step %d: %v, want UNAVAILABLE", n, err)
			}
			if got, want := labels(st.snapshot()).String(), seen(acked).String(); got != want {
				t.Errorf("after step %d (%v) readers see%s, want%s", n, err, got, want)
			}
		})
	}, func(t *testing.T, dir string, workErr error) {
		st := byHand(t, nil, dir)
		got := labels(st.snapshot())
		if !possible(got, acked) {
			t.Errorf("reopened:%s; acknowledged were %v (%v)", got, acked, workErr)
		}
		usable(t, st)
	})
}

// seen is what the acknowledged steps make of the beginning.
func seen(acked []int) step {
	out := after(0)
	for _, n := range acked {
		for key, label := range history[n] {
			if out[key] = label; label == "" {
				delete(out, key)
			}
		}
	}
	return out
}

// possible reports whether a content is what all acknowledged steps and some of
// the others make.
func possible(got step, acked []int) bool {
	var open []int
	for n := range history {
		if !slices.Contains(acked, n) && history[n] != nil {
			open = append(open, n)
		}
	}
	for set := range 1 << len(open) {
		all := slices.Clone(acked)
		for i, n := range open {
			if set>>i&1 == 1 {
				all = append(all, n)
			}
		}
		slices.Sort(all)
		if seen(all).String() == got.String() {
			return true
		}
	}
	return false
}

// Wherever the power goes, and whatever of what was not synced survives, the
// acknowledged changes are there.
func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	for _, o := range []disktest.Options{{}, {AnyOrder: true, Sectors: true}} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "sessions.json"), historyBegin)
		rec := disktest.Record(t, dir)
		st := byHand(t, rec.FS(), dir)
		if err := play(t, st, func(n int, err error) {
			if err != nil {
				t.Fatal(err)
			}
			rec.Mark(n)
		}); err != nil {
			t.Fatal(err)
		}
		o.Ignore = []string{"*.lock", "*.flock", "*.lock.*.tmp"}
		n := disktest.PowerCuts(t, rec, o, func(dir string, marks []any) error {
			done := -1
			if len(marks) > 0 {
				done = marks[len(marks)-1].(int)
			}
			st := byHand(t, nil, dir)
			got := labels(st.snapshot()).String()
			ok := false
			for n := done + 1; n <= min(done+2, len(history)); n++ {
				ok = ok || got == after(n).String()
			}
			if !ok {
				return fmt.Errorf("reopened:%s; the first %d steps were acknowledged, which make%s", got, done+1, after(done+1))
			}
			usable(t, st)
			return nil
		})
		t.Logf("%d states", n)
		if n < 50 {
			t.Errorf("only %d states were looked at", n)
		}
	}
}

// crashed is the directory of a store that was killed after changes that are
// only in its journal, and the journal's text.
func crashed(t *testing.T) (dir string, journal []byte) {
	t.Helper()
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "sessions.json"), historyBegin)
	st := byHand(t, nil, dir)
	for n := range 6 {
		if err := set(t.Context(), st, fmt.Sprint("agent:main:k", n), entryOf(t, fmt.Sprintf(`{"label":"v%d"}`, n))); err != nil {
			t.Fatal(err)
		}
	}
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(left, "sessions.json.journal"))
	if err != nil {
		t.Fatal(err)
	}
	return left, journal
}

// reopened is what a store reads with another journal in its place, and the
// error of a change of it.
func reopened(t *testing.T, dir string, journal []byte) (got step, refusal error) {
	t.Helper()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(left, "sessions.json.journal"), string(journal))
	st := byHand(t, nil, left)
	got = labels(st.snapshot())
	refusal = set(t.Context(), st, "agent:main:next", entryOf(t, `{}`))
	if err := st.close(); err != nil {
		t.Error(err)
	}
	if refusal != nil {
		if kept := readFile(t, filepath.Join(left, "sessions.json.journal")); kept != string(journal) {
			t.Error("a damaged journal was touched")
		}
	}
	return got, refusal
}

func TestJournalCutAtEveryByte(t *testing.T) {
	dir, journal := crashed(t)
	end := len(strings.TrimRight(string(journal), "\x00"))
	if end == len(journal) {
		t.Error("the journal has no space for the next line")
	}
	lines := strings.SplitAfter(string(journal[:end]), "\n")
	if len(lines) != 8 { // header, six changes, nothing
		t.Fatalf("the journal has %d lines", len(lines))
	}
	for cut := range end + 1 {
		whole := strings.Count(string(journal[:cut]), "\n")
		for _, tail := range []string{"", "\x00\x00\x00", "\x00rubbish\n"} {
			if r := readJournal(append(slices.Clone(journal[:cut]), tail...)); len(r.changes) != max(whole-1, 0) || len(r.damaged) > 0 {
				t.Fatalf("cut at %d of %d, then %q: %d changes, damaged at %v", cut, end, tail, len(r.changes), r.damaged)
			}
			if cut%37 != 0 && cut < end-3 {
				continue // the rest is as for another place in the line
			}
			got, err := reopened(t, dir, append(slices.Clone(journal[:cut]), tail...))
			if whole == 0 && strings.Trim(string(journal[:cut])+tail, "\x00") != "" {
				// The first line comes with the file: without it the file is damaged.
				if err == nil {
					t.Fatalf("cut at %d, in the first line, then %q: a change was taken", cut, tail)
				}
				continue
			}
			want := after(0)
			for n := range max(whole-1, 0) {
				want[fmt.Sprint("agent:main:k", n)] = fmt.Sprint("v", n)
			}
			if got.String() != want.String() || err != nil {
				t.Fatalf("cut at %d of %d, then %q: %s, want%s; a change: %v", cut, end, tail, got, want, err)
			}
		}
	}
}

// A flipped bit costs at most the last change; anywhere else the store can be
// read with all that is intact, and takes no change that would hide the damage.
func TestJournalWithAFlippedBit(t *testing.T) {
	dir, journal := crashed(t)
	end := len(strings.TrimRight(string(journal), "\x00"))
	last := strings.LastIndexByte(string(journal[:end-1]), '\n') + 1
	for at := range end {
		bad := slices.Clone(journal)
		bad[at] ^= 1 << (at % 8)
		r := readJournal(bad)
		lost := 6 - len(r.changes)
		if torn := at >= last; torn != (len(r.damaged) == 0 && r.ok) || lost > 1 && journal[at] != '\n' || lost > 2 {
			t.Fatalf("byte %d, the last line begins at %d: %d changes are missing, damaged at %v, header %v", at, last, lost, r.damaged, r.ok)
		}
		if at%37 != 0 {
			continue // the rest is as for another place in the line
		}
		got, err := reopened(t, dir, bad)
		if want := len(r.changes) + len(after(0)); len(got) != want {
			t.Fatalf("byte %d: %d entries, want %d", at, len(got), want)
		}
		if at < last && (err == nil || !strings.Contains(err.Error(), "parley doctor --fix")) {
			t.Fatalf("byte %d: a change: %v, want a refusal that names the cure", at, err)
		}
		if at >= last && err != nil {
			t.Fatalf("byte %d in the last line: %v", at, err)
		}
	}
}

// What is cut off is kept where it does not look like a torn write.
func TestCutEndWithItsNewlineIsKept(t *testing.T) {
	dir, journal := crashed(t)
	end := len(strings.TrimRight(string(journal), "\x00"))
	flipped := slices.Clone(journal)
	flipped[end-20] ^= 1
	for _, tt := range []struct {
		name    string
		journal []byte
		kept    bool
	}{{"torn", journal[:end-20], false}, {"flipped", flipped, true}, {"whole", journal, false}} {
		left := t.TempDir()
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(left, "sessions.json.journal"), string(tt.journal))
		st := byHand(t, nil, left)
		if got, want := len(labels(st.snapshot())), 8; got != want && !(tt.name != "whole" && got == want-1) {
			t.Errorf("%s: %d entries", tt.name, got)
		}
		if err := st.close(); err != nil {
			t.Fatal(err)
		}
		copies, err := filepath.Glob(filepath.Join(left, "sessions.json.journal.cut.*"))
		if err != nil || len(copies) > 1 || (len(copies) == 1) != tt.kept {
			t.Errorf("%s: copies %v, %v", tt.name, copies, err)
		}
		if tt.kept && len(copies) == 1 && readFile(t, copies[0]) != string(tt.journal) {
			t.Errorf("%s: the copy is not the journal", tt.name)
		}
	}
}

// A sync that failed once is never trusted again.
func TestFailedSyncBeginsANewJournal(t *testing.T) {
	dir := t.TempDir()
	fail := false
	files := disk.New(func(op disk.Op) (int, error) {
		if fail && op.Kind == disk.Sync && strings.HasSuffix(op.Path, ".journal.tmp") {
			t.Error("synced by its temporary name")
		}
		if fail && op.Kind == disk.Sync {
			fail = false
			return 0, errors.New("input/output error")
		}
		return 0, nil
	})
	st := byHand(t, files, dir)
	put := func(key string) error { return set(t.Context(), st, key, entryOf(t, `{"label":"x"}`)) }
	if err := put("agent:main:a"); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(st.path + ".journal") // kept open, so that no other file gets its number
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	first, err := open.Stat()
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := put("agent:main:b"); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("with a failing sync: %v", err)
	}
	if got := labels(st.snapshot()).String(); got != " a=x" {
		t.Errorf("readers see%s", got)
	}
	if err := put("agent:main:c"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	second, err := os.Stat(st.path + ".journal")
	if err != nil || os.SameFile(first, second) {
		t.Errorf("the journal is still the one whose sync failed (%v)", err)
	}
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
	if got := labels(byHand(t, nil, dir).snapshot()).String(); got != " a=x c=x" {
		t.Errorf("reopened:%s", got)
	}
}

package sessions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

// damage is a way in which the files of a crashed store can be damaged: the
// file of historyBegin, and a journal that has k0 to k5 put.
type damage struct {
	name    string
	file    string // in its place; "" leaves it
	journal func(journal []byte) []byte
	want    Condition // but for Content
	content string    // before, as far as it can be read
	after   string    // the repair
	copies  []string
	opens   bool // opening the store is all that it needs
}

func damages(journal []byte) []damage {
	lines := bytes.SplitAfter(bytes.TrimRight(journal, "\x00"), []byte("\n"))
	flip := func(n int) func([]byte) []byte {
		return func(journal []byte) []byte {
			out := slices.Clone(journal)
			out[len(bytes.Join(lines[:n], nil))+9] ^= 1
			return out
		}
	}
	at := func(n int) []int64 { return []int64{int64(len(bytes.Join(lines[:n], nil)))} }
	same := func(journal []byte) []byte { return journal }
	none := func([]byte) []byte { return nil }
	const all = " k0=v0 k1=v1 k2=v2 k3=v3 k4=v4 k5=v5 old=o0 old2=p0"
	const without2 = " k0=v0 k1=v1 k3=v3 k4=v4 k5=v5 old=o0 old2=p0"
	const cut = `{"agent:main:old":{"label":"o0","updatedAt":1,"x":1.0},"agent:main:k1":{"label":"v1"},"agent:main:old2":{"lab`
	both := []string{"sessions.json.journal.doctor.", "sessions.json.doctor."}
	corrupt := []string{"sessions.json.journal.corrupt.", "sessions.json.corrupt."}
	return []damage{
		{
			name: "sound", journal: none, content: " old=o0 old2=p0", after: " old=o0 old2=p0",
			want: Condition{Exists: true},
		},
		{
			name: "left by a crash", opens: true, journal: same, content: all, after: all, copies: both,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 7, Pending: 6}},
		},
		{
			name: "torn", opens: true, content: strings.ReplaceAll(all, " k5=v5", ""), after: strings.ReplaceAll(all, " k5=v5", ""), copies: both,
			journal: func(journal []byte) []byte { return journal[:bytes.LastIndexByte(journal, '}')-3] },
			want:    Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 6, Pending: 5, Torn: true}},
		},
		{
			name: "a line", journal: flip(3), content: without2, after: without2, copies: both,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 6, Pending: 5, Damaged: at(3), Lost: []string{"agent:main:k2"}}},
		},
		{
			name: "the header", journal: flip(0), content: all, after: all, copies: both,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 6, Pending: 6, Damaged: at(0), Headless: true}},
		},
		{
			name: "all of the journal", content: " old=o0 old2=p0", after: " old=o0 old2=p0", copies: both,
			journal: func(journal []byte) []byte { return bytes.Repeat([]byte("rubbish\n"), 9) },
			want:    Condition{Exists: true, Journal: JournalCondition{Exists: true, Torn: true, Headless: true}},
		},
		{
			name: "the file", file: cut, journal: same, content: "", after: strings.ReplaceAll(all, " old2=p0", ""), copies: corrupt,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 7, Foreign: true}},
		},
		{
			name: "the file and a line", file: cut, journal: flip(3), content: "", after: strings.ReplaceAll(without2, " old2=p0", ""), copies: corrupt,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 6, Damaged: at(3), Foreign: true, Lost: []string{"agent:main:k2"}}},
		},
		{
			name: "the file without a journal", file: cut, journal: none, content: "", after: " k1=v1 old=o0", copies: corrupt[1:],
			want: Condition{Exists: true},
		},
		{
			name: "no object", file: `[1,2]`, journal: same, content: "", after: " k0=v0 k1=v1 k2=v2 k3=v3 k4=v4 k5=v5", copies: corrupt,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 7, Foreign: true}},
		},
		{
			name: "another program's file", opens: true, file: `{"agent:main:k1":{"label":"theirs","updatedAt":99999999999999},"agent:main:new":{"label":"n"}}`, journal: same,
			content: " k0=v0 k1=theirs k2=v2 k3=v3 k4=v4 k5=v5 new=n", after: " k0=v0 k1=theirs k2=v2 k3=v3 k4=v4 k5=v5 new=n", copies: both,
			want: Condition{Exists: true, Journal: JournalCondition{Exists: true, Lines: 7, Pending: 5, Foreign: true}},
		},
	}
}

// lay puts the damaged files into a directory.
func (d damage) lay(t testing.TB, dir string, journal []byte) {
	t.Helper()
	file := d.file
	if file == "" {
		file = historyBegin
	}
	writeFile(t, filepath.Join(dir, "sessions.json"), file)
	if j := d.journal(journal); j != nil {
		writeFile(t, filepath.Join(dir, "sessions.json.journal"), string(j))
	}
}

// filesIn are the names and contents of the files in a directory.
func filesIn(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		out[n.Name()] = readFile(t, filepath.Join(dir, n.Name()))
	}
	return out
}

// Looking changes nothing; a repair keeps all that can be read, and copies of
// what was there; the store goes on without being opened again.
func TestRepair(t *testing.T) {
	_, journal := crashed(t)
	for _, d := range damages(journal) {
		for _, used := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, used %v", d.name, used), func(t *testing.T) {
				dir := t.TempDir()
				d.lay(t, dir, journal)
				before := filesIn(t, dir)
				st := byHand(t, nil, dir)
				checkCondition(t, st, d)
				if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
					t.Errorf("looking changed files (-before +after):\n%s", diff)
				}
				if used {
					st.snapshot() // owns the store, as a daemon does
				}
				copies, err := st.Repair(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if used && d.opens {
					d.copies = nil
				}
				checkCopies(t, dir, copies, d.copies, before)
				if got := labels(st.snapshot()).String(); got != d.after {
					t.Errorf("repaired:%s, want%s", got, d.after)
				}
				if err := set(t.Context(), st, "agent:main:later", entryOf(t, `{"label":"l"}`)); err != nil {
					t.Errorf("a change after the repair: %v", err)
				}
				if again, err := st.Repair(t.Context()); err != nil || len(again) > 0 {
					t.Errorf("repaired again: %v, %v", again, err)
				}
				if err := st.close(); err != nil {
					t.Error(err)
				}
				st = byHand(t, nil, dir)
				if got, want := len(labels(st.snapshot())), strings.Count(d.after, "=")+1; got != want {
					t.Errorf("reopened: %d sessions, want %d", got, want)
				}
				if err := st.close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func checkCondition(t *testing.T, st *Store, d damage) {
	t.Helper()
	c, err := st.Condition()
	if err != nil {
		t.Fatal(err)
	}
	if got := labels(c.Content).String(); got != d.content {
		t.Errorf("content:%s, want%s", got, d.content)
	}
	if (c.Fault != nil) != (d.content == "") {
		t.Errorf("the file: %v", c.Fault)
	}
	c.Content, c.Fault = nil, nil
	if diff := cmp.Diff(d.want, c); diff != "" {
		t.Errorf("condition (-want +got):\n%s", diff)
	}
}

// checkCopies compares copies with what was there.
func checkCopies(t *testing.T, dir string, got, want []string, before map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("copies %v, want %v", got, want)
		return
	}
	for i, path := range got {
		name := filepath.Base(path)
		of, _, _ := strings.Cut(want[i], ".doctor.")
		of, _, _ = strings.Cut(of, ".corrupt.")
		if !strings.HasPrefix(name, want[i]) || filepath.Dir(path) != dir || readFile(t, path) != before[of] {
			t.Errorf("copy %s holds %.40q, want %s… with %.40q", path, readFile(t, path), want[i], before[of])
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
}

// Whatever fails in a repair, nothing that could be read is lost, and the next
// repair succeeds.
func TestRepairSurvivesFaults(t *testing.T) {
	_, journal := crashed(t)
	for _, d := range damages(journal) {
		if !slices.Contains([]string{"torn", "a line", "the file and a line"}, d.name) {
			continue // the rest goes the same ways
		}
		t.Run(d.name, func(t *testing.T) {
			disktest.EachFaultAfter(t, func(t *testing.T, files *disk.FS, dir string, arm func()) error {
				d.lay(t, dir, journal)
				st := byHand(t, files, dir)
				arm()
				_, err := st.Repair(t.Context())
				_ = st.close() // as a daemon that is stopped on a dying disk
				return err
			}, func(t *testing.T, dir string, workErr error) {
				st := byHand(t, nil, dir)
				if _, err := st.Repair(t.Context()); err != nil {
					t.Errorf("the next repair: %v (the first: %v)", err, workErr)
				}
				if got := labels(st.snapshot()).String(); got != d.after {
					t.Errorf("repaired:%s, want%s (the first repair: %v)", got, d.after, workErr)
				}
				if err := st.close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What a process knew when another program damaged the file is not lost, and
// neither is what that program had written before.
func TestRepairRemembers(t *testing.T) {
	for _, checkpointed := range []bool{false, true} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "sessions.json"), historyBegin)
		st := byHand(t, nil, dir)
		for _, key := range []string{"agent:main:a", "agent:main:b"} {
			if err := set(t.Context(), st, key, entryOf(t, `{"label":"ours","updatedAt":5}`)); err != nil {
				t.Fatal(err)
			}
		}
		if checkpointed {
			checkpoint(t, st)
		}
		writeFile(t, filepath.Join(dir, "sessions.json"), `{"agent:main:b":{"label":"theirs","updatedAt":99999999999999},"agent:main:old":{"label":"stale","updatedAt":0},"agent:main:new":{"label":"n"},"agent:`)
		if got := labels(st.snapshot()); len(got) > 0 {
			t.Errorf("readers of a damaged file see%s", got)
		}
		if copies, err := st.Repair(t.Context()); err != nil || len(copies) != 2 {
			t.Errorf("copies %v, %v", copies, err)
		}
		if got, want := labels(st.snapshot()).String(), " a=ours b=theirs new=n old=o0 old2=p0"; got != want {
			t.Errorf("checkpointed %v: repaired:%s, want%s", checkpointed, got, want)
		}
		usable(t, st)
	}
}

func TestALaterJournalIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "sessions.json"), historyBegin)
	writeFile(t, filepath.Join(dir, "sessions.json.journal"), string(endLine([]byte(`{"v":2,"base":null,"n":0`), 0)))
	before := filesIn(t, dir)
	st := byHand(t, nil, dir)
	c, err := st.Condition()
	if err != nil || !c.Journal.Later || c.Content.Len() != 2 {
		t.Errorf("condition %+v, %v", c, err)
	}
	if _, err := st.Repair(t.Context()); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("repair: %v", err)
	}
	if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	if err := st.close(); err != nil {
		t.Error(err)
	}
}

// A store that is read only does not even own its file, whatever lies there.
func TestReadOnlyChangesNothing(t *testing.T) {
	_, journal := crashed(t)
	for _, d := range damages(journal) {
		t.Run(d.name, func(t *testing.T) {
			c := configured(t, `{}`)
			dir := filepath.Join(c.StateDir, "agents", "main", "sessions")
			writeFile(t, filepath.Join(dir, "sessions.json.x.tmp"), "")
			d.lay(t, dir, journal)
			before := filesIn(t, dir)
			s := openTest(t, c, Options{ReadOnly: true})
			st, err := s.Store("agent:main:x")
			if err != nil {
				t.Fatal(err)
			}
			if got := labels(st.snapshot()).String(); got != d.content {
				t.Errorf("content:%s, want%s", got, d.content)
			}
			if err := set(t.Context(), st, "agent:main:x", entryOf(t, `{}`)); err == nil {
				t.Error("a change was taken")
			}
			if _, err := st.Repair(t.Context()); err == nil && len(d.copies) > 0 {
				t.Error("it was repaired")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

func TestEndRuns(t *testing.T) {
	st := openOne(t, `{"a":{"status":"running","updatedAt":7,"startedAt":5},"agent:main:b":{"status":"running"},"c":{"status":"done"}}`)
	keys, err := st.EndRuns(t.Context(), func(key string) bool { return key != "agent:main:b" })
	if err != nil || !slices.Equal(keys, []string{"agent:main:a"}) {
		t.Errorf("ended %v, %v", keys, err)
	}
	_ = st.View(func(v *Snapshot) error {
		a, _ := v.Get("a")
		if got, want := string(a.Raw()), `{"status":"killed","updatedAt":7,"startedAt":5,"abortedLastRun":true,"endedAt":7,"runtimeMs":2}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if b, _ := v.Get("agent:main:b"); b.Text("status") != "running" {
			t.Errorf("b: %s", b.Raw())
		}
		return nil
	})
	if _, err := st.EndRuns(context.Background(), func(string) bool { return false }); err != nil {
		t.Error(err)
	}
}

// A power cut at any moment of a repair costs nothing that could be read.
func TestRepairSurvivesPowerCuts(t *testing.T) {
	_, journal := crashed(t)
	for _, d := range damages(journal) {
		if !slices.Contains([]string{"torn", "a line", "the file and a line", "the file without a journal"}, d.name) {
			continue // the rest goes the same ways
		}
		for _, o := range []disktest.Options{{}, {AnyOrder: true, Sectors: true}} {
			dir := t.TempDir()
			d.lay(t, dir, journal)
			rec := disktest.Record(t, dir)
			st := byHand(t, rec.FS(), dir)
			if _, err := st.Repair(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := st.close(); err != nil {
				t.Fatal(err)
			}
			o.Ignore = []string{"*.lock", "*.flock", "*.lock.*.tmp"}
			n := disktest.PowerCuts(t, rec, o, func(dir string, _ []any) error {
				st := byHand(t, nil, dir)
				_, err := st.Repair(t.Context())
				if got := labels(st.snapshot()).String(); err == nil && got != d.after {
					err = fmt.Errorf("repaired:%s, want%s", got, d.after)
				}
				return errors.Join(err, st.close())
			})
			t.Logf("%s: %d states", d.name, n)
			if n < 5 {
				t.Errorf("%s: only %d states were looked at", d.name, n)
			}
		}
	}
}

// Changes that wait while a journal is repaired are taken as soon as it is.
func TestRepairBesideChanges(t *testing.T) {
	_, journal := crashed(t)
	for _, d := range damages(journal) {
		if d.name != "a line" {
			continue
		}
		dir := t.TempDir()
		d.lay(t, dir, journal)
		st := byHand(t, nil, dir)
		st.checkpoints.byHand = false
		st.snapshot()
		var refused, taken sync.WaitGroup
		for n := range 8 {
			refused.Add(1)
			taken.Go(func() {
				for try := 0; ; try++ {
					err := set(t.Context(), st, fmt.Sprint("agent:main:n", n), entryOf(t, `{"label":"n"}`))
					if try == 0 {
						if err == nil || !strings.Contains(err.Error(), "parley doctor --fix") {
							t.Errorf("a change before the repair: %v", err)
						}
						refused.Done()
					}
					if err == nil || t.Context().Err() != nil {
						return
					}
				}
			})
		}
		refused.Wait()
		if _, err := st.Repair(t.Context()); err != nil {
			t.Error(err)
		}
		taken.Wait()
		if err := st.close(); err != nil {
			t.Error(err)
		}
		st = byHand(t, nil, dir)
		if got, want := len(labels(st.snapshot())), strings.Count(d.after, "=")+8; got != want {
			t.Errorf("reopened:%s, want %d sessions", labels(st.snapshot()), want)
		}
		if err := st.close(); err != nil {
			t.Error(err)
		}
	}
}

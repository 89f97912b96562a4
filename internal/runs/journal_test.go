package runs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// sampleTurn uses every member of an accepted line.
var sampleTurn = Turn{
	Kind: Chat, Key: testKey, RunID: "r1", Message: "hello", Timeout: NoLimit, Thinking: "low", Fresh: true,
	Media: []Media{{Path: "/p", MIME: "image/png"}}, Owner: Owner{Device: "d"},
}

// sampleLines are a journal of three runs: one that has ended, one that speaks,
// one that waits.
func sampleLines() [][]byte {
	waiting := &run{turn: Turn{Kind: Agent, Key: testKey, RunID: "r3", Message: `says ,"crc":"00000000"}`}, acceptedAt: 7}
	speaking := record{Op: "accepted", At: 6, Kind: Chat, RunID: "r2", Key: testKey, Message: "more"}
	return [][]byte{
		(&run{turn: sampleTurn, lineID: "ab", acceptedAt: 5}).acceptedLine(),
		endLine(claimKey{Chat, "r1"}, Outcome{Error: "no"}),
		speaking.line(),
		record{Op: "text", At: 8, Kind: Chat, RunID: "r2", Add: "one "}.line(),
		record{Op: "text", At: 9, Kind: Chat, RunID: "r2", Add: "two", From: 4}.line(),
		waiting.acceptedLine(),
	}
}

// told are the runs of a journal, each as one line.
func told(data []byte) (runs []string, damaged []int) {
	all, damaged := parseJournal(data)
	for _, p := range all {
		runs = append(runs, fmt.Sprintf("%s %s %q %q %t", p.accepted.RunID, p.accepted.Key, p.accepted.Message, p.text, p.ended != nil))
	}
	return runs, damaged
}

func TestJournalTellsWhatWasAccepted(t *testing.T) {
	runs, damaged := told(bytes.Join(sampleLines(), nil))
	equal(t, "runs", runs, []string{
		`r1 agent:main:t "hello" "" true`,
		`r2 agent:main:t "more" "one two" false`,
		`r3 agent:main:t "says ,\"crc\":\"00000000\"}" "" false`,
	})
	if len(damaged) > 0 {
		t.Errorf("damaged lines %v", damaged)
	}
	all, _ := parseJournal(sampleLines()[0])
	got := all[0].turn()
	if got.Timeout < 0 {
		got.Timeout = NoLimit
	}
	if diff := cmp.Diff(sampleTurn, got); diff != "" {
		t.Errorf("turn (-want +got):\n%s", diff)
	}
}

// However much of it a crash has left, whole lines count, and what is appended
// then is found.
func TestJournalCutAnywhere(t *testing.T) {
	lines := sampleLines()
	whole, dir := bytes.Join(lines, nil), t.TempDir()
	next := record{Op: "accepted", At: 10, Kind: Chat, RunID: "next", Key: testKey, Message: "next"}.line()
	for n := range len(whole) + 1 {
		kept, length := 0, 0
		for kept < len(lines) && length+len(lines[kept]) <= n {
			length += len(lines[kept])
			kept++
		}
		want, _ := told(bytes.Join(lines[:kept], nil))
		got, damaged := told(whole[:n])
		if !slices.Equal(got, want) || len(damaged) > 0 {
			t.Fatalf("cut at %d: runs %q, want %q; damaged %v", n, got, want, damaged)
		}
		j := &journal{dir: dir}
		if err := os.WriteFile(j.path(), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := j.append(next, false); err != nil {
			t.Fatal(err)
		}
		j.shut()
		data, err := os.ReadFile(j.path())
		if want := append(slices.Clip(whole[:length]), next...); err != nil || !bytes.Equal(data, want) {
			t.Fatalf("cut at %d and appended to: %q, %v; want %q", n, data, err, want)
		}
	}
}

// A byte that changed costs the line in which it is, never another one.
func TestDamagedLineCostsItselfOnly(t *testing.T) {
	lines := sampleLines()
	whole := bytes.Join(lines, nil)
	length := 0
	for n, line := range lines {
		want, _ := told(bytes.Join(slices.Delete(slices.Clone(lines), n, n+1), nil))
		for i := range len(line) - 1 { // without the newline
			for _, flip := range []byte{1, 0x20, 0x80} {
				data := bytes.Clone(whole)
				if data[length+i] ^= flip; data[length+i] == '\n' {
					continue
				}
				got, damaged := told(data)
				if !slices.Equal(got, want) || !slices.Equal(damaged, []int{n + 1}) {
					t.Fatalf("line %d, byte %d: runs %q, want %q; damaged %v", n+1, i, got, want, damaged)
				}
			}
		}
		length += len(line)
	}
}

// A last line that is damaged is cut before the next one is appended.
func TestDamagedLastLineIsCut(t *testing.T) {
	lines := sampleLines()
	whole := bytes.Join(lines, nil)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-5] ^= 1
	for name, tt := range map[string]struct {
		data []byte
		want int
	}{
		"sound":                 {whole, len(whole)},
		"damaged":               {damaged, len(whole) - len(lines[len(lines)-1])},
		"zeros":                 {append(bytes.Clone(whole), 0, 0, 0), len(whole)},
		"torn and only":         {whole[:20], 0},
		"empty":                 {nil, 0},
		"nothing but a newline": {[]byte("\n"), 0},
	} {
		if got := intact(tt.data); got != int64(tt.want) {
			t.Errorf("%s: %d bytes are intact, want %d", name, got, tt.want)
		}
	}
}

// Lines of the version before have no checksum.
func TestLinesWithoutChecksumAreRead(t *testing.T) {
	data := `{"op":"accepted","t":1,"kind":"chat","run":"r","key":"agent:main:t","message":"m"}
{"op":"text","t":2,"kind":"chat","run":"r","add":"one two"}
{"op":"accepted","t":3,"kind":"chat","run":"s","key":"agent:main:t","message":"damaged","crc":"1234567"}
["no","record"]
{"op":"ended","t":4,"kind":"agent","run":"old"}
`
	runs, damaged := told([]byte(data))
	equal(t, "runs", runs, []string{`old  "" "" true`, `r agent:main:t "m" "one two" false`})
	if !slices.Equal(damaged, []int{3, 4}) {
		t.Errorf("damaged lines %v, want 3 and 4", damaged)
	}
}

// A journal that was written anew may hold text that is noted once more.
func TestTextNotedTwiceIsReadOnce(t *testing.T) {
	text := func(add string, from int) []byte {
		return record{Op: "text", Kind: Chat, RunID: "r", Add: add, From: from}.line()
	}
	runs, _ := told(slices.Concat(
		record{Op: "accepted", Kind: Chat, RunID: "r", Key: testKey}.line(),
		text("one two", 0), text(" two", 3), text(" three", 7), text(" lost before", 70), text("bad", -1),
	))
	equal(t, "runs", runs, []string{`r agent:main:t "" "one two three" false`})
}

// The state directory may have any name.
func TestJournalInAnOddDirectoryIsFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "a[b]*")
		if err := os.Mkdir(state, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(state, "agents", "ops", "sessions", journalName), string(slices.Concat(sampleLines()[2:]...)))
		writeFile(t, filepath.Join(state, "agents", "notes.txt"), "no agent")
		b := newBench(t, state, "")
		equal(t, "messages", b.messages(testKey), []string{"user  more", "user  says ,\"crc\":\"00000000\"}"})
	})
}

// What cannot be read is left to the next process, and nothing is accepted
// meanwhile.
func TestUnreadableJournalStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		state := t.TempDir()
		if err := os.MkdirAll(filepath.Join(journalOf(state), "x"), 0o700); err != nil { // a directory cannot be read
			t.Fatal(err)
		}
		b := newBenchOn(t, state, "", nil)
		if err := b.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "read the journal of runs") {
			t.Errorf("recover: %v", err)
		}
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r", Message: "x"}); err == nil {
			t.Error("a message was accepted")
		}
		b.stop()
		if _, err := os.Stat(filepath.Join(journalOf(state), "x")); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedLinesAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		synctest.Wait()
		state := b.crash()
		data, err := os.ReadFile(journalOf(state))
		if err != nil {
			t.Fatal(err)
		}
		data = append([]byte("damaged\n\n"), data...)
		if err := os.WriteFile(journalOf(state), data, 0o600); err != nil {
			t.Fatal(err)
		}
		after := newBench(t, state, "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[hang]]"})
		if got, want := after.logged.String(), "count=2 lines=\"[1 2]\""; !strings.Contains(got, want) || !strings.Contains(got, journalOf(state)) {
			t.Errorf("log\n%s\nwant %s and the path in it", got, want)
		}
	})
}

// A run that cannot be settled stays in the journal until it is, or until the
// client sends it again.
func TestUnsettledRunStaysInTheJournal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r2", Message: "second"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		state := b.crash()
		store := filepath.Join(filepath.Dir(journalOf(state)), "sessions.json")
		aside := func(from, to string) {
			if err := os.Rename(from, to); err != nil && !os.IsNotExist(err) { // the changes may be in the store's journal yet
				t.Fatal(err)
			}
		}
		aside(store, store+".aside")
		if err := os.MkdirAll(filepath.Join(store, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		second := newBenchOn(t, state, "", nil)
		if err := second.Recover(t.Context()); err == nil {
			t.Error("runs were settled without a store")
		}
		second.stop()
		aside(store, store+".gone")
		aside(store+".aside", store)
		third := newBench(t, state, "")
		equal(t, "messages", third.messages(testKey), []string{"user  [[hang]]", "user  second"})
	})
}

func FuzzReadJournal(f *testing.F) {
	for _, line := range sampleLines() {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		runs, damaged := parseJournal(data)
		if n := bytes.Count(data, []byte("\n")); len(runs)+len(damaged) > n {
			t.Errorf("%d runs and %d damaged lines of %d lines", len(runs), len(damaged), n)
		}
		if size := intact(data); size > int64(len(data)) || size > 0 && data[size-1] != '\n' {
			t.Errorf("%d of %d bytes are intact", size, len(data))
		}
		// What is carried over to a new journal is read there as it was.
		for _, p := range runs {
			if p.ended != nil {
				continue
			}
			again, damaged := parseJournal(p.lines())
			if len(again) != 1 || len(damaged) > 0 {
				t.Fatalf("%d runs and damaged lines %v of one run", len(again), damaged)
			}
			if diff := cmp.Diff(p.accepted, again[0].accepted); diff != "" || again[0].text != p.text {
				t.Errorf("text %q, want %q; run (-want +got):\n%s", again[0].text, p.text, diff)
			}
		}
	})
}

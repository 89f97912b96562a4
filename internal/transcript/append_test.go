package transcript

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestAppendMakesFileWithHeader(t *testing.T) {
	f := newFixture(t)
	got, err := f.Append(f.ref("s-1"), "/work", messageLine("user", "hi"), Line{Type: "custom", ID: "c1"}, messageLine("assistant", "<b>\u2028"))
	if err != nil {
		t.Fatal(err)
	}
	sound(t, f.path("s-1"))
	lines := strings.Split(f.read(t, f.path("s-1")), "\n")
	if want := `{"type":"session","version":3,"id":"s-1","timestamp":`; !strings.HasPrefix(lines[0], want) || !strings.HasSuffix(lines[0], `"cwd":"/work"}`) {
		t.Errorf("header is %s", lines[0])
	}
	if !strings.Contains(lines[1], `"parentId":null`) || !strings.Contains(lines[2], `"parentId":"`+got[0].ID+`"`) || !strings.Contains(lines[3], `"parentId":"c1"`) {
		t.Errorf("parents are wrong:\n%s", strings.Join(lines, "\n"))
	}
	if !strings.Contains(lines[3], "<b>\u2028") {
		t.Errorf("text was escaped: %s", lines[3])
	}
	seqs := []int{got[0].Seq, got[1].Seq, got[2].Seq}
	if want := []int{1, 0, 2}; !cmp.Equal(seqs, want) {
		t.Errorf("seqs = %v, want %v", seqs, want)
	}
	if want := fmt.Sprintf(`{"role":"user","content":"hi","__openclaw":{"id":%q,"seq":1}}`, got[0].ID); string(got[0].Message) != want {
		t.Errorf("message = %s, want %s", got[0].Message, want)
	}
	info, err := os.Stat(f.path("s-1"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
	for i, m := range f.messages(t, f.ref("s-1"), 0) {
		if want := string(got[2*i].Message); m != want {
			t.Errorf("message %d reads %s, appended %s", i, m, want)
		}
	}
}

func TestAppendKeepsValuesOnOneLine(t *testing.T) {
	f := newFixture(t)
	fields := rawjson.NewObject(rawjson.Member{Name: "data", Value: rawjson.Value("{\n \"n\": 1.50\n}")})
	if _, err := f.Append(f.ref("s"), "/", Line{Type: "custom", Fields: fields}); err != nil {
		t.Fatal(err)
	}
	sound(t, f.path("s"))
	if got := f.read(t, f.path("s")); !strings.Contains(got, `"data":{"n":1.50}`) {
		t.Errorf("file is %s", got)
	}
	fields = rawjson.NewObject(rawjson.Member{Name: "data", Value: rawjson.Value("{broken")})
	if _, err := f.Append(f.ref("s"), "/", Line{Type: "custom", Fields: fields}); err == nil {
		t.Error("a line that is not JSON was appended")
	}
	sound(t, f.path("s"))
}

func TestEnsure(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		if err := f.Ensure(f.ref("s-1"), "/w"); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.read(t, f.path("s-1")); strings.Count(got, "\n") != 1 {
		t.Errorf("file is %q, want one header", got)
	}
	f.write(t, "empty.jsonl")
	if err := f.Ensure(f.ref("empty"), "/w"); err != nil {
		t.Fatal(err)
	}
	if got := f.read(t, f.path("empty")); !strings.Contains(got, `"id":"empty"`) {
		t.Errorf("header of the empty file is %q", got)
	}
	// An older version or a file without header is brought up to date by the
	// next line that is appended, not by looking whether it is there.
	old := f.write(t, "old.jsonl", `{"type":"session","id":"old"}`, `{"type":"message","message":{"role":"user","content":"u"}}`)
	before := f.read(t, old)
	if err := f.Ensure(f.ref("old"), "/w"); err != nil || f.read(t, old) != before {
		t.Errorf("an old file became %q, %v", f.read(t, old), err)
	}
	err := f.Ensure(f.ref("../evil"), "/w")
	if got, want := fmt.Sprint(err), "Invalid session ID: ../evil"; got != want || !errors.Is(err, ErrBadID) {
		t.Errorf("error = %q, want %q", got, want)
	}
}

// A crash in the middle of a write leaves a line without newline. Whatever is
// left, the next append must be read back and cost nothing that was whole.
func TestAppendAfterCut(t *testing.T) {
	f := newFixture(t)
	var whole []string
	for i, text := range []string{"one", "zwei é", "drei"} {
		parent := ""
		if i > 0 {
			parent = fmt.Sprintf("0000000%d", i-1)
		}
		whole = append(whole, testMessage(fmt.Sprintf("0000000%d", i), parent, "user", text))
	}
	content := joinLines(append([]string{testHeader}, whole...)...)
	for cut := range len(content) + 1 {
		path := filepath.Join(f.dir, "s.jsonl")
		if err := os.WriteFile(path, []byte(content[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		before := f.messages(t, f.ref("s"), 0)
		complete := 0
		for _, line := range strings.Split(content[:cut], "\n") {
			for _, w := range whole {
				if line == w {
					complete++
				}
			}
		}
		if len(before) != complete {
			t.Fatalf("cut at %d: %d messages, want %d", cut, len(before), complete)
		}
		if _, err := f.Append(f.ref("s"), "/", messageLine("user", "after")); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		after := f.messages(t, f.ref("s"), 0)
		if !cmp.Equal(after[:complete], before) || len(after) != complete+1 || !strings.Contains(after[complete], `"after"`) {
			t.Fatalf("cut at %d: messages are %v", cut, after)
		}
		if head, _ := parse([]byte(firstWhole(f.read(t, path)))); !head.header() {
			t.Fatalf("cut at %d: no header in\n%s", cut, f.read(t, path))
		}
	}
}

// firstWhole is the first line that is JSON.
func firstWhole(text string) string {
	for line := range strings.Lines(text) {
		if rawjson.Valid([]byte(line)) {
			return line
		}
	}
	return ""
}

func TestAppendConcurrently(t *testing.T) {
	f := newFixture(t)
	const writers, each = 8, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := f.Append(f.ref("s"), "/", messageLine("user", fmt.Sprint(w, i))); err != nil {
					t.Error(err)
				}
				if _, err := f.Messages(f.ref("s"), 3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sound(t, f.path("s"))
	if n, err := f.Count(f.ref("s")); n != writers*each || err != nil {
		t.Errorf("%d messages, %v, want %d", n, err, writers*each)
	}
	// The index that the appends made is the one that a scan makes.
	grown := f.Look(f.ref("s")).index()
	f.cache.drop(f.path("s"))
	if diff := cmp.Diff(f.Look(f.ref("s")).index().plain(), grown.plain(), plainly); diff != "" {
		t.Errorf("scanned and grown index differ:\n%s", diff)
	}
}

func TestFailedAppendChangesNothing(t *testing.T) {
	f := newFixture(t)
	if _, err := f.Append(f.ref("s"), "/", messageLine("user", "first")); err != nil {
		t.Fatal(err)
	}
	before := f.read(t, f.path("s"))
	full := true
	f.reopen(func(op disk.Op) (int, error) {
		if full && op.Kind == disk.Write {
			return len(op.Data) / 2, syscall.ENOSPC
		}
		return 0, nil
	})
	for _, id := range []string{"s", "new"} {
		_, err := f.Append(f.ref(id), "/", messageLine("user", "lost"))
		if want := "append to transcript " + id + ": write " + f.path(id) + ": no space left on device"; !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	if got := f.read(t, f.path("s")); got != before {
		t.Errorf("file is %q, want %q", got, before)
	}
	if _, err := os.Stat(f.path("new")); !os.IsNotExist(err) {
		t.Errorf("the new file is there: %v", err)
	}
	full = false
	if _, err := f.Append(f.ref("s"), "/", messageLine("user", "second")); err != nil {
		t.Fatal(err)
	}
	sound(t, f.path("s"))
	if n, _ := f.Count(f.ref("s")); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestAppendSeesForeignLines(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader, testMessage("00000001", "", "user", "a"))
	if _, err := f.Append(f.ref("s"), "/", messageLine("user", "b")); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(f.path("s"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(testMessage("foreign", "00000001", "user", "c") + "\n"); err != nil {
		t.Fatal(err)
	}
	got, err := f.Append(f.ref("s"), "/", messageLine("user", "d"))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Seq != 4 || !strings.Contains(f.read(t, f.path("s")), `"parentId":"foreign"`) {
		t.Errorf("appended %+v to\n%s", got[0], f.read(t, f.path("s")))
	}
}

func TestUpgrade(t *testing.T) {
	tests := []struct {
		name    string
		lines   []string
		want    []string // parts that must be in the file, in order
		backups int
	}{
		{
			name: "version 1",
			lines: []string{`{"type":"session","id":"s","cwd":"/w"}`,
				`{"type":"message","message":{"role":"user","content":"u","n":1.0}}`,
				`not json`,
				`{"type":"message","message":{"role":"hookMessage"}}`,
				`{"type":"compaction","summary":"x","firstKeptEntryIndex":2}`},
			want: []string{`"version":3`, `"n":1.0}`, `not json`, `"role":"custom"`, `"firstKeptEntryId":`},
		},
		{
			name: "version 2",
			lines: []string{`{"type":"session","version":2,"id":"s"}`,
				`{"type":"message","id":"00000001","parentId":null,"message":{"role":"hookMessage","x":1}}`,
				`{"type":"custom","id":"00000002","parentId":"00000001","message":{"role":"hookMessage"}}`},
			want: []string{`"version":3`, `"message":{"role":"custom","x":1}`, `"role":"hookMessage"`},
		},
		{
			name:    "no header",
			lines:   []string{testMessage("00000001", "", "user", "kept"), `{"type":"mess\`},
			want:    []string{`"type":"session","version":3,"id":"s"`, `"kept"`, `{"type":"mess`},
			backups: 1,
		},
		{
			name:    "no header and no ids",
			lines:   []string{`{"type":"message","message":{"role":"user","content":"kept"}}`},
			want:    []string{`"type":"session"`, `"kept"`, `"parentId":null`},
			backups: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write(t, "s.jsonl", tt.lines...)
			before := f.messages(t, f.ref("s"), 0)
			got, err := f.Append(f.ref("s"), "/", messageLine("user", "new"))
			if err != nil {
				t.Fatal(err)
			}
			text := f.read(t, f.path("s"))
			rest := text
			for _, part := range tt.want {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("no %s in\n%s", part, text)
				}
				rest = after
			}
			if strings.Contains(text, "firstKeptEntryIndex") {
				t.Errorf("an index is left in\n%s", text)
			}
			if want := len(before) + 1; got[0].Seq != want {
				t.Errorf("seq = %d, want %d", got[0].Seq, want)
			}
			if n := len(f.ls(t)) - 1; n != tt.backups {
				t.Errorf("files are %v, want %d copies", f.ls(t), tt.backups)
			}
			context, err := f.Context(f.ref("s"))
			if err != nil || len(context) < 2 {
				t.Errorf("context is %s, %v", context, err)
			}
		})
	}
}

func TestRepair(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", "junk", testHeader, `{"torn":`, testMessage("00000001", "", "user", "a"), "[1]", `{"type":"mess\`)
	before := f.read(t, f.path("s"))
	if n, err := f.Repair(f.ref("s")); n != 3 || err != nil {
		t.Fatalf("dropped %d, %v, want 3", n, err)
	}
	if got, want := f.read(t, f.path("s")), joinLines(testHeader, testMessage("00000001", "", "user", "a"), "[1]"); got != want {
		t.Errorf("file is\n%swant\n%s", got, want)
	}
	names := f.ls(t)
	if len(names) != 2 || !strings.HasPrefix(names[1], "s.jsonl.bak-") || f.read(t, filepath.Join(f.dir, names[1])) != before {
		t.Errorf("files are %v", names)
	}
	if n, err := f.Repair(f.ref("s")); n != 0 || err != nil {
		t.Errorf("second repair dropped %d, %v", n, err)
	}
	if n, err := f.Repair(f.ref("absent")); n != 0 || err != nil {
		t.Errorf("repair of nothing dropped %d, %v", n, err)
	}
}

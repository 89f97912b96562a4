package transcript

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	m := func(id, parent string) string { return testMessage(id, parent, "user", "x") }
	for _, tt := range []struct {
		name   string
		lines  []string
		want   Condition
		faults []string
	}{
		{"sound", []string{testHeader, m("00000001", ""), m("odd", "00000001"), m("00000003", "odd")},
			Condition{Lines: 4, Messages: 3, Header: true, SessionID: "s", Version: 3}, nil},
		{"empty", nil, Condition{}, nil},
		{"compacted", []string{testHeader, m("00000002", "00000001")}, Condition{Lines: 2, Messages: 1, Header: true, SessionID: "s", Version: 3}, nil},
		{"branch", []string{testHeader, m("a", ""), m("b", "a"), m("c", "a")}, Condition{Lines: 4, Messages: 3, Header: true, SessionID: "s", Version: 3}, nil},
		{"damaged", []string{"junk", testHeader, "", m("a", ""), m("a", "a"), m("00000001", "b"), m("00000001", "c"), m("c", "a"), `{"type":"mess\`},
			Condition{Lines: 8, Messages: 5, Header: true, SessionID: "s", Version: 3, Bad: 2, Torn: true, Repeated: 2, Orphans: 2},
			[]string{"2 of 8 lines are no JSON", "the last line does not end", "2 lines have an id that a line before has", "2 lines name a parent that is not before them"}},
		{"no header", []string{m("a", "")}, Condition{Lines: 1, Messages: 1}, []string{"there is no header"}},
		{"another session's", []string{`{"type":"session","version":3,"id":"t"}`}, Condition{Lines: 1, Header: true, SessionID: "t", Version: 3},
			[]string{`the header is of session "t"`}},
		{"old", []string{`{"type":"session","id":"s"}`}, Condition{Lines: 1, Header: true, SessionID: "s", Version: 1},
			[]string{"the format is of version 1; the next message brings it to 3"}},
		{"newer", []string{`{"type":"session","version":4,"id":"s"}`}, Condition{Lines: 1, Header: true, SessionID: "s", Version: 4},
			[]string{"the format is of version 4, which is not known here"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			path := f.write(t, "s.jsonl", tt.lines...)
			got, err := Check(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Size = int64(len(f.read(t, path)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.faults, got.Faults("s")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Two ids of an unusual form may have the same hash: they are no repetition,
// and a child of the one is no child of the other.
func TestIDsWithOneHashAreToldApart(t *testing.T) {
	one, two := sameHash()
	f := newFixture(t)
	path := f.write(t, "s.jsonl", testHeader, testMessage(one, "", "user", "1"), testMessage(two, "", "user", "2"),
		testMessage("c", one, "user", "3"), testMessage(two, "c", "user", "4"))
	if c, err := Check(path); c.Repeated != 1 || c.Orphans != 0 || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
	ix := f.Look(f.ref("s")).index()
	if parent := ix.lines.parent(2); parent != 0 {
		t.Errorf("line 2 is the child of line %d, want 0", parent)
	}
}

// sameHash finds two texts with one hash.
func sameHash() (one, two string) {
	seen := map[uint32]string{}
	for i := 0; ; i++ {
		text := fmt.Sprint("odd-", i)
		h := hashText([]byte(text))
		if other, ok := seen[h]; ok {
			return other, text
		}
		seen[h] = text
	}
}

func TestCheckOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.jsonl")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, filepath.Join(dir, "absent.jsonl"), filepath.Join(dir, "no", "s.jsonl")} {
		if c, err := Check(path); err == nil {
			t.Errorf("%s: %+v", path, c)
		}
	}
	if _, err := Check(filepath.Join(dir, "absent.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

package runs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journalName)
	check := func(want JournalCondition) {
		t.Helper()
		want.Path = path
		got, err := CheckJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check(JournalCondition{})
	var text []byte
	for _, r := range []record{
		{Op: "accepted", At: 1, Kind: "chat", RunID: "r1", Key: "agent:main:a", Message: "one"},
		{Op: "ended", At: 2, Kind: "chat", RunID: "r1"},
		{Op: "accepted", At: 3, Kind: "chat", RunID: "r2", Key: "agent:main:b", Message: "two"},
		{Op: "text", At: 4, Kind: "chat", RunID: "r2", Add: "so"},
	} {
		text = append(text, r.line()...)
	}
	text = append(text, "rubbish\n"+`{"op":"acc`...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	check(JournalCondition{Exists: true, Damaged: []int{5}, Torn: true, Unended: []Unended{{"r2", "agent:main:b", 3}}})
	if after, err := os.ReadFile(path); err != nil || string(after) != string(text) {
		t.Errorf("the journal was changed: %v", err)
	}
	copies, err := MendJournal(dir)
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies %v, %v", copies, err)
	}
	if kept, err := os.ReadFile(copies[0]); err != nil || string(kept) != string(text) {
		t.Errorf("the copy holds %q, %v", kept, err)
	}
	check(JournalCondition{Exists: true, Unended: []Unended{{"r2", "agent:main:b", 3}}})
	if c, err := CheckJournal(filepath.Join(dir, "absent")); err != nil || c.Exists {
		t.Errorf("without a directory: %+v, %v", c, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckJournal(dir); err == nil {
		t.Error("a directory in its place is no error")
	}
}

package transcript

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stampText = "2026-01-05T10-00-00.000Z"

func TestArchives(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{
		"a.jsonl.reset.2026-01-05T10-00-00.000Z",
		uuid1 + "-topic-7.jsonl.deleted.2026-01-07T10-00-00Z",
		"a.jsonl.bak.2026-01-06T10-00-00.000Z",
		"notes.txt.reset.2026-01-04T10-00-00.000Z",
		"a.jsonl", "a.jsonl.bak-7-1767607200000", "sessions.json.bak.1767607200000",
	} {
		f.write(t, name, testHeader)
	}
	if err := os.Mkdir(filepath.Join(f.dir, "d.jsonl.reset."+stampText), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := f.Archives(f.dir, filepath.Join(f.state, "absent"))
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, a := range list {
		got = append(got, []string{a.Transcript, a.SessionID, a.Reason, a.At.UTC().Format("Jan 2")})
		if a.Size != int64(len(testHeader))+1 || filepath.Dir(a.Path) != f.dir {
			t.Errorf("%+v", a)
		}
	}
	want := [][]string{
		{uuid1 + "-topic-7.jsonl", uuid1, "deleted", "Jan 7"},
		{"a.jsonl", "a", "bak", "Jan 6"},
		{"a.jsonl", "a", "reset", "Jan 5"},
		{"notes.txt", "", "reset", "Jan 4"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRestore(t *testing.T) {
	f := newFixture(t)
	r := f.ref("s")
	if _, err := f.Append(r, "/", messageLine("user", "a")); err != nil {
		t.Fatal(err)
	}
	archived, err := f.Archive(r, "reset", nil)
	if err != nil || len(archived) != 1 {
		t.Fatal(archived, err)
	}
	if got := f.messages(t, r, 0); len(got) != 0 {
		t.Fatalf("after the reset: %v", got)
	}
	// Of another session, since the reset gave this one a new id.
	r = f.ref("new")
	path, err := f.Restore(r, archived[0])
	if path != f.path("new") || err != nil {
		t.Fatalf("restored as %s, %v", path, err)
	}
	if got := f.messages(t, r, 0); len(got) != 1 {
		t.Errorf("after the restore: %v", got)
	}
	if diff := cmp.Diff([]string{"new.jsonl"}, f.ls(t)); diff != "" {
		t.Error(diff)
	}
	if _, err := f.Append(r, "/", messageLine("user", "b")); err != nil {
		t.Error(err)
	}
	sound(t, f.path("new"))
}

func TestRestoreRefuses(t *testing.T) {
	f := newFixture(t)
	good := f.write(t, "a.jsonl.reset."+stampText, testHeader)
	outside := f.write(t, filepath.Join(f.state, "a.jsonl.reset."+stampText), testHeader)
	bak := f.write(t, "a.jsonl.bak."+stampText, testHeader)
	pipe := filepath.Join(f.dir, "p.jsonl.reset."+stampText)
	if err := os.Symlink(outside, pipe); err != nil {
		t.Fatal(err)
	}
	f.write(t, "taken.jsonl", testHeader)
	for _, tt := range []struct {
		id, archive string
		exists      bool
	}{
		{"taken", good, true},
		{"s", outside, false},
		{"s", bak, false},
		{"s", pipe, false},
		{"s", f.path("taken"), false},
		{"s", filepath.Join(f.dir, "absent.jsonl.reset."+stampText), false},
		{"../s", good, false},
	} {
		path, err := f.Restore(f.ref(tt.id), tt.archive)
		if err == nil || path != "" || errors.Is(err, ErrExists) != tt.exists {
			t.Errorf("%s as %s: restored as %q, %v", tt.archive, tt.id, path, err)
		}
	}
	want := []string{"a.jsonl.bak." + stampText, "a.jsonl.reset." + stampText, "p.jsonl.reset." + stampText, "taken.jsonl"}
	if diff := cmp.Diff(want, f.ls(t)); diff != "" {
		t.Error(diff)
	}
}

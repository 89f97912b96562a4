package transcript

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// A transcript with a name of its own gets that back, also one that lay in
// another directory than that of the store.
func TestRestoreUnderTheOldName(t *testing.T) {
	f := newFixture(t)
	ops := filepath.Join(f.state, "agents/ops/sessions/far.jsonl")
	for _, tt := range []struct{ id, file, archive, want string }{
		{"s", "sub/own.jsonl", "sub/own.jsonl.reset." + stampText, "sub/own.jsonl"},
		{"a", "", "a.jsonl.deleted." + stampText, "a.jsonl"},
		{"b", "own.jsonl", "b.jsonl.deleted." + stampText, "b.jsonl"},
		{"far", ops, ops + ".deleted." + stampText, ops},
	} {
		r := f.ref(tt.id)
		r.SessionFile = tt.file
		archive := f.write(t, tt.archive, chain(1)...)
		want := tt.want
		if !filepath.IsAbs(want) {
			want = filepath.Join(f.dir, want)
		}
		if f.Restoring(r, archive) {
			t.Errorf("%s: restoring already", tt.id)
		}
		if got, err := f.Restore(r, archive); got != want || err != nil {
			t.Errorf("%s: restored as %s, %v, want %s", tt.id, got, err, want)
		}
		if got := f.texts(t, r); len(got) != 1 {
			t.Errorf("%s: texts %v", tt.id, got)
		}
		// A crash between the two steps of a restore leaves both names.
		if err := os.Link(want, archive); err != nil {
			t.Fatal(err)
		}
		if !f.Restoring(r, archive) {
			t.Errorf("%s: not restoring", tt.id)
		}
		if got, err := f.Restore(r, archive); got != want || err != nil {
			t.Errorf("%s: restored again as %s, %v", tt.id, got, err)
		}
	}
}

func TestMayLieAt(t *testing.T) {
	f := newFixture(t)
	r := f.ref("s")
	r.SessionFile = "sub/own.jsonl"
	for path, want := range map[string]bool{"s.jsonl": true, "sub/own.jsonl": true, "own.jsonl": false, "sessions.json": false, "../../ops/sessions/s.jsonl": false} {
		if got := f.MayLieAt(r, filepath.Join(f.dir, path)); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestArchiveAt(t *testing.T) {
	f := newFixture(t)
	name := "a.jsonl.reset." + stampText
	f.write(t, name, chain(1)...)
	f.write(t, "sub/"+name, testHeader)
	f.write(t, filepath.Join(f.state, name), testHeader)
	f.write(t, "plain.jsonl", testHeader)
	if err := os.Symlink(f.state, filepath.Join(f.dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(f.path("plain"), filepath.Join(f.dir, "l.jsonl.reset."+stampText)); err != nil {
		t.Fatal(err)
	}
	for path, found := range map[string]bool{
		name: true, "sub/" + name: true, "x/../" + name: true, "../../../" + name: false, "out/" + name: false, "plain.jsonl": false,
		"l.jsonl.reset." + stampText: false, "b.jsonl.reset." + stampText: false,
	} {
		a, err := f.ArchiveAt(f.dir, f.dir+"/"+path)
		if found != (err == nil) || !found && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
		if found && (a.Path != filepath.Join(f.dir, path) || a.Dir != f.dir || a.SessionID != "a" || a.Reason != "reset" || a.Size == 0) {
			t.Errorf("%s: %+v", path, a)
		}
	}
	if _, err := f.ArchiveAt(filepath.Join(f.state, "absent"), filepath.Join(f.state, "absent", name)); !errors.Is(err, ErrNotFound) {
		t.Errorf("in a directory that is not there: %v", err)
	}
	list, err := f.Archives(f.dir)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if got, err := f.FirstUser(list[0]); got != "m1" || err != nil {
		t.Errorf("first message %q, %v", got, err)
	}
	if _, err := f.FirstUser(Archived{Dir: f.dir, Path: filepath.Join(f.state, name)}); !errors.Is(err, ErrNotFound) {
		t.Errorf("first message of a file elsewhere: %v", err)
	}
}

func TestSessionsDirs(t *testing.T) {
	f := newFixture(t)
	far := t.TempDir()
	for _, dir := range []string{"agents/ops/sessions", "agents/none"} {
		if err := os.MkdirAll(filepath.Join(f.state, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(far, "sessions"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(far, filepath.Join(f.state, "agents/far")); err != nil {
		t.Fatal(err)
	}
	want := []string{far, f.dir, filepath.Join(f.state, "agents/ops/sessions"), filepath.Join(f.state, "home/.openclaw/sessions")}
	slices.Sort(want)
	if diff := cmp.Diff(want, f.SessionsDirs(far, f.dir+"/")); diff != "" {
		t.Error(diff)
	}
}

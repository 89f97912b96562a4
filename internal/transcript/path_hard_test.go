package transcript

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// snapshotOf lists everything below a directory with its content.
func snapshotOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			out[path] = string(data)
			return err
		case d.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink(path)
			out[path] = "-> " + to
			return err
		}
		out[path] = d.Type().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hardCase is a place where a transcript should be and something odd is.
type hardCase struct {
	name  string
	make  func(t *testing.T, f *fixture, outside string)
	ref   func(f *fixture) Ref
	found string // the file that is used, below the state directory; "" for none
	write bool   // a line can be appended
}

func hardCases() []hardCase {
	plain := func(f *fixture) Ref { return f.ref("s") }
	named := func(name string) func(f *fixture) Ref {
		return func(f *fixture) Ref {
			r := f.ref("s")
			r.SessionFile = strings.ReplaceAll(name, "STATE", f.state)
			return r
		}
	}
	link := func(to, at string) func(*testing.T, *fixture, string) {
		return func(t *testing.T, f *fixture, outside string) {
			t.Helper()
			to := strings.NewReplacer("OUT", outside, "STATE", f.state).Replace(to)
			at := filepath.Join(f.dir, at)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	both := func(list ...func(*testing.T, *fixture, string)) func(*testing.T, *fixture, string) {
		return func(t *testing.T, f *fixture, outside string) {
			t.Helper()
			for _, do := range list {
				do(t, f, outside)
			}
		}
	}
	file := func(name string) func(*testing.T, *fixture, string) {
		return func(t *testing.T, f *fixture, _ string) {
			t.Helper()
			f.write(t, filepath.Join(f.state, name), chain(1)...)
		}
	}
	nothing := func(*testing.T, *fixture, string) {}
	const sessions = "agents/main/sessions/"
	return []hardCase{
		{"link out", link("OUT/secret.jsonl", "s.jsonl"), plain, "", false},
		{"chain of links out", both(link("b.jsonl", "s.jsonl"), link("c.jsonl", "b.jsonl"), link("OUT/secret.jsonl", "c.jsonl")), plain, "", false},
		{"relative link out", link("../../../../OUT/secret.jsonl", "s.jsonl"), plain, "", false},
		{"link through a directory that leads out", both(link("OUT", "d"), link("d/secret.jsonl", "s.jsonl")), plain, "", false},
		{"name in a directory that leads out", link("OUT", "d"), named("d/secret.jsonl"), "", true},
		{"new name in a directory that leads out", link("OUT", "d"), named("d/new.jsonl"), "", true},
		{"link to itself", link("s.jsonl", "s.jsonl"), plain, "", false},
		{"link to a sibling agent", both(file("agents/ops/sessions/o.jsonl"), link("STATE/agents/ops/sessions/o.jsonl", "s.jsonl")), plain, "agents/ops/sessions/o.jsonl", true},
		{"link within", both(file(sessions+"o.jsonl"), link("o.jsonl", "s.jsonl")), plain, sessions + "o.jsonl", true},
		{"another entry's file", file(sessions + "other.jsonl"), named("other.jsonl"), sessions + "other.jsonl", true},
		{"another entry's file by its path", file("agents/ops/sessions/o.jsonl"), named("STATE/agents/ops/sessions/o.jsonl"), "agents/ops/sessions/o.jsonl", true},
		{"up and out", nothing, named("../../../../../etc/passwd"), "", true},
		{"absolute", nothing, named("/etc/passwd"), "", true},
		{"absolute and deep", nothing, named("STATE/agents/main/sessions/../../../secret.jsonl"), "", true},
		{"the store itself", file(sessions + "sessions.json"), named("sessions.json"), "", true},
		{"the journal of runs", file(sessions + "runs.journal"), named("runs.journal"), "", true},
		{"NUL", nothing, named("a\x00.jsonl"), "", true},
		{"a very long name", nothing, named(strings.Repeat("n", 300)), "", false},
		{"directory", func(t *testing.T, f *fixture, _ string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(f.path("s"), "sub"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, plain, "", false},
		{"pipe", func(t *testing.T, f *fixture, _ string) {
			t.Helper()
			if err := syscall.Mkfifo(f.path("s"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, plain, "", false},
	}
}

// Whatever is in the place of a transcript, nothing outside of the state
// directory is read or changed, nothing blocks, and no file is taken for a
// transcript that is none.
func TestHardPlaces(t *testing.T) {
	for _, tt := range hardCases() {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			outside := t.TempDir()
			f.write(t, filepath.Join(outside, "secret.jsonl"), testHeader, testMessage("00000001", "", "user", "secret"))
			tt.make(t, f, outside)
			before := snapshotOf(t, outside)
			r := tt.ref(f)

			path, err := f.Locate(r)
			if tt.found != "" {
				if want := filepath.Join(f.state, tt.found); err != nil || path != want {
					t.Errorf("located %q, %v, want %q", path, err, want)
				}
			} else if !errors.Is(err, ErrNotFound) {
				t.Errorf("located %q, %v", path, err)
			}
			for _, m := range f.messages(t, r, 0) {
				if strings.Contains(m, "secret") {
					t.Errorf("reads %s", m)
				}
			}
			f.Look(r).Titles()
			f.Look(r).Usage()
			f.HasIdempotency(r, "k")
			if _, _, err := f.Preview(r, 5, 100); err != nil {
				t.Error(err)
			}
			if _, err := f.Compact(r, 1); err != nil {
				t.Error(err)
			}
			if _, err := f.Repair(r); err != nil {
				t.Error(err)
			}
			_, err = f.Append(r, "/", messageLine("user", "x"))
			if (err == nil) != tt.write {
				t.Errorf("append: %v", err)
			}
			if tt.write && len(f.messages(t, r, 0)) == 0 {
				t.Error("what was appended is not read")
			}
			if _, err := f.Archive(r, "deleted", nil); err != nil {
				t.Error(err)
			}
			if after := snapshotOf(t, outside); len(after) != len(before) || after[filepath.Join(outside, "secret.jsonl")] != before[filepath.Join(outside, "secret.jsonl")] {
				t.Errorf("outside is now %v", after)
			}
		})
	}
}

// A sessions directory may itself be a link, as long as it stays in the state
// directory; then both names are one place.
func TestSessionsDirectoryIsALink(t *testing.T) {
	for name, inState := range map[string]bool{"within": true, "out": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			real := filepath.Join(f.state, "agents", "real", "sessions")
			if !inState {
				real = filepath.Join(t.TempDir(), "sessions")
			}
			dir := filepath.Join(f.state, "agents", "alias", "sessions")
			for _, d := range []string{real, filepath.Dir(dir)} {
				if err := os.MkdirAll(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(real, dir); err != nil {
				t.Fatal(err)
			}
			// The directory of the store is given by the configuration: that a user
			// has put it elsewhere is no escape.
			r := Ref{Dir: dir, Agent: "alias", SessionID: "s"}
			if _, err := f.Append(r, "/", messageLine("user", "x")); err != nil {
				t.Fatal(err)
			}
			sound(t, filepath.Join(real, "s.jsonl"))
			if got := f.messages(t, r, 0); len(got) != 1 {
				t.Errorf("messages %v", got)
			}
			// From another agent it is reached only if it is in the state directory.
			other := f.ref("t")
			other.SessionFile = filepath.Join(dir, "s.jsonl")
			_, err := f.Locate(other)
			if (err == nil) != inState {
				t.Errorf("located from elsewhere: %v", err)
			}
		})
	}
}

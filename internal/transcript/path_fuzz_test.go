package transcript

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzPaths asks where the transcript of any entry lies, in a state directory
// full of links. No answer may lie outside of the directories for transcripts.
func FuzzPaths(f *testing.F) {
	x := newFixture(f)
	outside, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	x.write(f, filepath.Join(outside, "secret.jsonl"), testHeader)
	x.write(f, filepath.Join(x.state, "agents/ops/sessions/o.jsonl"), testHeader)
	x.write(f, filepath.Join(x.state, "secret.jsonl"), testHeader)
	x.write(f, "s.jsonl", testHeader)
	for at, to := range map[string]string{
		"out.jsonl": filepath.Join(outside, "secret.jsonl"), "up.jsonl": "../../../secret.jsonl", "d": outside, "in.jsonl": "s.jsonl",
		"chain.jsonl": "d/secret.jsonl", "ops": "../../ops/sessions", "self.jsonl": "self.jsonl", "state": x.state,
	} {
		if err := os.Symlink(to, filepath.Join(x.dir, at)); err != nil {
			f.Fatal(err)
		}
	}
	for _, seed := range []struct{ id, file, agent string }{
		{"s", "", "main"}, {"out", "", "main"}, {"x", "d/secret.jsonl", "main"}, {"x", "state/secret.jsonl", "main"}, {"x", "ops/o.jsonl", ""},
		{"../s", "../../../secret.jsonl", "../ops"}, {"s", "DIR/d/../d/secret.jsonl", "main"}, {"s", "STATE/secret.jsonl", "main"},
		{"s", "STATE/agents/ops/sessions/o.jsonl", "ops"}, {"s", "STATE/agents/ops/sessions/../../../secret.jsonl", "ops"}, {"s", "OUT/secret.jsonl", ""},
		{"é", "a\x00b", "MAIN"}, {uuid1, uuid2 + ".jsonl", "main"}, {strings.Repeat("a", 128), strings.Repeat("../", 300) + "x", "main"},
		{"s", strings.Repeat("n", 300), "main"}, {"..", ".", "."}, {"s", "SESSIONS.json", ""}, {"s", "./x.jsonl/", "main"}, {"s", "~/x", "a/b"},
		{"x", "DIR/out.jsonl", "main"}, {"x", "DIR/in.jsonl", "main"}, {"x", "DIR/self.jsonl", "main"}, {"x", "DIR/none/x.jsonl", "main"}, {"x", "DIR/d/x.jsonl", ""},
	} {
		f.Add(seed.id, seed.file, seed.agent)
	}
	var dirs Dirs // of all calls: nothing moves
	f.Fuzz(func(t *testing.T, id, file, agent string) {
		file = strings.NewReplacer("DIR", x.dir, "STATE", x.state, "OUT", outside).Replace(file)
		r := Ref{Dir: x.dir, Agent: agent, SessionID: id, SessionFile: file}
		bases := x.paths.bases(r)
		for _, c := range x.paths.candidates(r) {
			if !slices.ContainsFunc(bases, func(b *base) bool { _, ok := inside(b.path, c); return ok }) {
				t.Errorf("%q is a candidate", c)
			}
		}
		check := func(what string, p place) {
			t.Helper()
			real := realPath(p.path())
			if !strings.HasPrefix(real, filepath.Join(x.state, "agents")+"/") && !strings.HasPrefix(real, filepath.Join(x.state, "home", ".openclaw", "sessions")+"/") {
				t.Errorf("%s is %q, that is %q", what, p.path(), real)
			}
			if strings.Contains(filepath.Base(real), "secret") {
				t.Errorf("%s is %q", what, real)
			}
		}
		if p, err := x.existing(r); err == nil {
			check("the file", p)
			if info, err := os.Lstat(realPath(p.path())); err != nil || !info.Mode().IsRegular() {
				t.Errorf("the file %q is none: %v", p.path(), err)
			}
		}
		if path := filepath.Clean(file); filepath.IsAbs(path) && !strings.ContainsRune(path, 0) && dirs.realPath(path) != realPath(path) {
			t.Errorf("%q is %q by known directories, %q without", path, dirs.realPath(path), realPath(path))
		}
		remembering := r
		remembering.Dirs = &dirs
		alone, _ := x.Locate(r)
		if among, _ := x.Locate(remembering); among != alone {
			t.Errorf("found %q by known directories, %q without", among, alone)
		}
		if p, err := x.target(r); err == nil {
			check("the directory to write in", place{base: filepath.Dir(p.path()), name: "new.jsonl"})
		}
		// Reading it must neither block nor panic.
		x.Look(r).Titles()
		if _, err := x.Messages(r, 1); err != nil {
			t.Errorf("read: %v", err)
		}
	})
}

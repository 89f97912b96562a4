package transcript

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	uuid1 = "11111111-1111-4111-8111-111111111111"
	uuid2 = "22222222-2222-4222-8222-222222222222"
)

func TestCandidates(t *testing.T) {
	const (
		d      = "/state/agents/main/sessions"
		legacy = "/home/.openclaw/sessions"
	)
	p := paths{stateDir: "/state", home: "/home"}
	tests := []struct {
		name string
		ref  Ref
		want []string
	}{
		{"default", Ref{Dir: d, Agent: "main", SessionID: " a.b-c_1 "}, []string{d + "/a.b-c_1.jsonl", legacy + "/a.b-c_1.jsonl"}},
		{"other directory", Ref{Dir: "/x", Agent: "main", SessionID: "a"}, []string{"/x/a.jsonl", d + "/a.jsonl", legacy + "/a.jsonl"}},
		{"no agent", Ref{Dir: "/x", SessionID: "a"}, []string{"/x/a.jsonl", legacy + "/a.jsonl"}},
		{"bad id", Ref{Dir: d, SessionID: "../a"}, nil},
		{"long id", Ref{Dir: d, SessionID: strings.Repeat("a", 129)}, nil},
		{"bad id, file", Ref{Dir: d, SessionID: "../a", SessionFile: "b.jsonl"}, []string{d + "/b.jsonl"}},
		{"relative", Ref{Dir: d, SessionID: "a", SessionFile: " sub/../x.jsonl "}, []string{d + "/x.jsonl", d + "/a.jsonl", legacy + "/a.jsonl"}},
		{"the directory", Ref{Dir: d, SessionFile: "."}, nil},
		{"the directory, absolute", Ref{Dir: d, SessionFile: d}, nil},
		{"out", Ref{Dir: d, SessionFile: "../x.jsonl"}, nil},
		{"out and in", Ref{Dir: d, SessionFile: "../sessions/x.jsonl"}, nil},
		{"absolute", Ref{Dir: d, SessionFile: d + "/sub/x.jsonl"}, []string{d + "/sub/x.jsonl"}},
		{"sibling", Ref{Dir: d, SessionFile: "/state/agents/ops/sessions/x.jsonl"}, []string{"/state/agents/ops/sessions/x.jsonl"}},
		{"sibling of a store elsewhere", Ref{Dir: "/t/agents/a/sessions", SessionFile: "/t/agents/b/sessions/x.jsonl"}, []string{"/t/agents/b/sessions/x.jsonl"}},
		{"not a sessions directory", Ref{Dir: d, SessionFile: "/state/agents/ops/x.jsonl"}, nil},
		{"bad agent", Ref{Dir: d, SessionFile: "/state/agents/OPS/sessions/x.jsonl"}, nil},
		{"state directory", Ref{Dir: d, SessionFile: "/state/x.jsonl"}, nil},
		{"foreign", Ref{Dir: d, SessionFile: "/nowhere/agents/main/sessions/x.jsonl"}, nil},
		{"NUL", Ref{Dir: d, SessionFile: "x\x00.jsonl"}, nil},
		{"stale", Ref{Dir: d, SessionID: "a", SessionFile: uuid1 + ".jsonl"}, []string{d + "/a.jsonl", d + "/" + uuid1 + ".jsonl", legacy + "/a.jsonl"}},
		{"own uuid", Ref{Dir: d, SessionID: uuid1, SessionFile: uuid1 + "-topic-7.jsonl"},
			[]string{d + "/" + uuid1 + "-topic-7.jsonl", d + "/" + uuid1 + ".jsonl", legacy + "/" + uuid1 + ".jsonl"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, p.candidates(tt.ref)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBelongsToOther(t *testing.T) {
	tests := map[string]bool{
		uuid1 + ".jsonl":                                false,
		uuid2 + ".jsonl":                                true,
		strings.ToUpper(uuid2) + ".jsonl":               true,
		uuid2 + "-topic-a%2Fb.jsonl":                    true,
		"2026-01-05T10-00-00-000Z_" + uuid2 + ".jsonl":  true,
		"2026-01-05T10-00-00-000Z_" + uuid1 + ".jsonl":  false,
		"mine_" + uuid2 + ".jsonl":                      false,
		uuid2 + ".txt":                                  false,
		"custom.jsonl":                                  false,
		uuid2 + "-topic-.jsonl":                         false,
		"2026-01-05T10:00:00.000Z_" + uuid2 + ".jsonl":  false,
		"x" + uuid2 + ".jsonl":                          false,
		uuid2 + ".jsonl.reset.2026-01-05T10-00-00.000Z": false,
	}
	for name, want := range tests {
		if got := belongsToOther(name, uuid1); got != want {
			t.Errorf("belongsToOther(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestLocateFollowsLinksWithinTheAgents(t *testing.T) {
	f := newFixture(t)
	out := f.write(t, filepath.Join(f.state, "secret.jsonl"), testHeader, testMessage("00000001", "", "user", "secret"))
	ops := f.write(t, filepath.Join(f.state, "agents/ops/sessions/o.jsonl"), testHeader, testMessage("00000001", "", "user", "ops"))
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(f.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link(out, "out.jsonl")
	link("../../../secret.jsonl", "relative-out.jsonl")
	link(ops, "in.jsonl")
	link("nothing.jsonl", "dangling.jsonl")
	if err := os.Mkdir(f.path("dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"out", "relative-out", "dir", "dangling", "absent"} {
		if p, err := f.Locate(f.ref(id)); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: located %q, %v", id, p, err)
		}
		if got := f.messages(t, f.ref(id), 0); len(got) != 0 {
			t.Errorf("%s: reads %v", id, got)
		}
	}
	if p, err := f.Locate(f.ref("in")); p != ops || err != nil {
		t.Errorf("located %q, %v, want %q", p, err, ops)
	}
	// Nothing is written or renamed outside either.
	for _, id := range []string{"out", "relative-out"} {
		if _, err := f.Append(f.ref(id), "/", messageLine("user", "x")); err == nil {
			t.Errorf("%s: appended through a link that leads out", id)
		}
		if got, err := f.Archive(f.ref(id), "deleted", nil); len(got) != 0 || err != nil {
			t.Errorf("%s: archived %v, %v", id, got, err)
		}
	}
	if got, err := f.Archive(f.ref("in"), "deleted", nil); len(got) != 1 || err != nil || !strings.HasPrefix(got[0], f.path("in")+".deleted.") {
		t.Errorf("archived %v, %v", got, err)
	}
	for _, path := range []string{out, ops} {
		if got := f.read(t, path); strings.Count(got, "\n") != 2 {
			t.Errorf("%s is now %q", path, got)
		}
	}
}

func TestStateDirectoryBehindLink(t *testing.T) {
	f := newFixture(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(f.state, link); err != nil {
		t.Fatal(err)
	}
	f.write(t, "named.jsonl", testHeader, testMessage("00000001", "", "user", "named"))
	dir := filepath.Join(link, "agents/main/sessions")
	l := New(Options{StateDir: link})
	for _, file := range []string{filepath.Join(dir, "named.jsonl"), filepath.Join(f.dir, "named.jsonl"), "named.jsonl"} {
		got, err := l.Locate(Ref{Dir: dir, Agent: "main", SessionID: "s", SessionFile: file})
		if want := filepath.Join(dir, "named.jsonl"); got != want || err != nil {
			t.Errorf("%s: located %q, %v, want %q", file, got, err, want)
		}
	}
	if _, err := l.Append(Ref{Dir: dir, Agent: "main", SessionID: "new"}, "/", messageLine("user", "x")); err != nil {
		t.Error(err)
	}
	sound(t, f.path("new"))
}

func TestWriterUsesTheFileThatReadersUse(t *testing.T) {
	f := newFixture(t)
	r := f.ref("s")
	r.SessionFile = "sub/named.jsonl"
	want := filepath.Join(f.dir, "sub/named.jsonl")
	if got, err := f.File(r); got != want || err != nil {
		t.Errorf("File = %q, %v, want %q", got, err, want)
	}
	if _, err := f.Append(r, "/", messageLine("user", "x")); err != nil {
		t.Fatal(err)
	}
	sound(t, want)
	f.write(t, "t.jsonl", testHeader)
	r = f.ref("t")
	r.SessionFile = "absent.jsonl"
	if got, err := f.File(r); got != f.path("t") || err != nil {
		t.Errorf("File = %q, %v, want %q", got, err, f.path("t"))
	}
}

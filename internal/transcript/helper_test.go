package transcript

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// fixture is a library over an empty state directory.
type fixture struct {
	*Library
	state, dir string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	state, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := openFixture(state, nil)
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

// openFixture is a library over a state directory that may hold something.
func openFixture(state string, fs *disk.FS) *fixture {
	return &fixture{
		Library: New(Options{StateDir: state, Home: filepath.Join(state, "home"), Disk: fs}),
		state:   state, dir: filepath.Join(state, "agents", "main", "sessions"),
	}
}

// reopen forgets all that the library knows; hook sees what it does from now.
func (f *fixture) reopen(hook disk.Hook) { f.Library = openFixture(f.state, disk.New(hook)).Library }

// texts are the contents of all messages.
func (f *fixture) texts(t testing.TB, r Ref) []string {
	t.Helper()
	out := []string{}
	for _, raw := range f.messages(t, r, 0) {
		m, err := rawjson.Parse([]byte(raw))
		if err != nil {
			t.Fatalf("message %s: %v", raw, err)
		}
		out = append(out, m.Text("content"))
	}
	return out
}

func (f *fixture) ref(id string) Ref { return Ref{Dir: f.dir, Agent: "main", SessionID: id} }

func (f *fixture) path(id string) string { return filepath.Join(f.dir, id+".jsonl") }

func (f *fixture) write(t testing.TB, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if filepath.IsAbs(name) {
		path = name
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(joinLines(lines...)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// joinLines ends each line with a newline; "\\" at the end of a line means
// that it is torn.
func joinLines(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		if s, torn := strings.CutSuffix(line, `\`); torn {
			b.WriteString(s)
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func (f *fixture) read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (f *fixture) ls(t testing.TB) []string {
	t.Helper()
	files, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range files {
		names = append(names, e.Name())
	}
	return names
}

// messages are the raw texts of all messages.
func (f *fixture) messages(t testing.TB, r Ref, last int) []string {
	t.Helper()
	list, err := f.Messages(r, last)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, m := range list {
		out = append(out, string(m.Raw))
	}
	return out
}

// sound fails the test when a transcript breaks an invariant.
func sound(t testing.TB, path string) {
	t.Helper()
	faults, err := VerifyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Errorf("%s: %s", filepath.Base(path), fault)
	}
}

// plainIndex is what an index says, without how it says it.
type plainIndex struct {
	size                        int64
	ended                       bool
	filled, parsed, bad, listed int
	orphans                     int
	head                        header
	lines                       []span
	leaf                        int32
	leafID                      string
	keys                        int
	tally                       tally
	lastRun                     snapshot
}

var plainly = cmp.AllowUnexported(plainIndex{}, header{}, span{}, tally{}, snapshot{})

func (ix *index) plain() plainIndex {
	p := plainIndex{
		size: ix.size, ended: ix.ended, filled: ix.filled, parsed: ix.parsed, bad: ix.bad, listed: ix.listed(),
		orphans: ix.orphans, head: ix.head, leaf: ix.leaf(), leafID: ix.leafID, keys: ix.keys.n, tally: ix.tally, lastRun: ix.lastRun,
	}
	for i := range ix.lines.n {
		s := ix.lines.at(i)
		s.parent = ix.lines.parent(i)
		p.lines = append(p.lines, s)
	}
	return p
}

func messageLine(role, text string) Line {
	var m, fields rawjson.Object
	m.Put("role", role)
	m.Put("content", text)
	fields.Set("message", m.JSON())
	return Line{Type: "message", Fields: fields}
}

const testHeader = `{"type":"session","version":3,"id":"s","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/w"}`

func testMessage(id, parent, role, text string) string {
	var o, m rawjson.Object
	o.Put("type", "message")
	o.Put("id", id)
	o.Set("parentId", rawjson.Value("null"))
	if parent != "" {
		o.Put("parentId", parent)
	}
	o.Put("timestamp", "2026-01-05T10:00:01.000Z")
	m.Put("role", role)
	m.Put("content", text)
	o.Set("message", m.JSON())
	return string(o.JSON())
}

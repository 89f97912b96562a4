package doctor

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	dir   = "agents/main/sessions/"
	head  = `{"type":"session","version":3,"id":"s","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/"}` + "\n"
	first = `{"type":"message","id":"00000001","parentId":null,"message":{"role":"user","content":"one"}}` + "\n"
	// deadLock is the lock of a process that is gone.
	deadLock = `{"pid": 4194304, "createdAt": "2026-01-05T10:00:00.000Z"}`
)

// sealed ends lines of a journal with their checksum.
func sealed(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%s,\"crc\":\"%08x\"}\n", line, crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)))
	}
	return b.String()
}

// journal continues a store file that another program has replaced since.
var journal = sealed(`{"v":1,"base":{"size":7,"hash":"0000000000000007"},"n":0`,
	`{"n":1,"b":1,"t":5,"set":[["agent:main:a",{"label":"a1"},null]]`,
	`{"n":2,"b":2,"t":5,"set":[["agent:main:b",{"label":"b1"},null]]`,
	`{"n":3,"b":3,"t":5,"set":[["agent:main:c",{"label":"c1"},null]]`)

// broken is a text with one bit of a line, counted from 0, flipped.
func broken(text string, line int) string {
	lines := strings.SplitAfter(text, "\n")
	b := []byte(lines[line])
	b[7] ^= 1
	lines[line] = string(b)
	return strings.Join(lines, "")
}

// lay puts files into a state directory. A name that ends in "@0644" or the
// like has that mode; temporary files are old.
func lay(t *testing.T, state string, files map[string]string) {
	t.Helper()
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		mode := fs.FileMode(0o600)
		if of, octal, ok := strings.Cut(name, "@"); ok {
			name = of
			if _, err := fmt.Sscanf(octal, "%o", &mode); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(state, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if old := time.Now().Add(-time.Hour); strings.HasSuffix(name, ".tmp") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// examine is what parley doctor does when no daemon runs.
func examine(t *testing.T, state, conf string, o Options) Report {
	t.Helper()
	c, _, err := config.Parse(conf, config.Options{Path: filepath.Join(state, "parley.json"), StateDir: state, HomeDir: state, WorkDir: state})
	if err != nil {
		t.Fatal(err)
	}
	p := Parts{Config: c, Transcripts: transcript.New(transcript.Options{StateDir: state, Home: state})}
	if p.Stores, err = sessions.OpenStores(sessions.Options{Config: c, ReadOnly: !o.Fix, KeepLeftovers: true}); err != nil {
		t.Fatal(err)
	}
	r, err := Examine(t.Context(), p, o)
	if err := errors.Join(err, p.Stores.Close()); err != nil {
		t.Fatal(err)
	}
	return r
}

// everything is the names, modes, times and contents below a directory.
func everything(t *testing.T, state string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprint(info.Mode(), info.ModTime())
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		}
		out[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var stamps = regexp.MustCompile(`\.bak-\d+-\d+|\.\d{13}`)

// told are the findings of a report, one a line: severity (fixed for what was
// repaired), check, path, and how many copies.
func told(r Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		state := string(f.Severity)
		if f.Fixed {
			state = "fixed"
		}
		path, _ := filepath.Rel(r.StateDir, f.Path)
		line := state + " " + f.Check + " " + strings.TrimPrefix(path, strings.TrimSuffix(dir, "/"))
		if len(f.Copies) > 0 {
			line += fmt.Sprintf(" %d copies", len(f.Copies))
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func TestExamine(t *testing.T) {
	for _, tt := range damagedStates {
		t.Run(tt.name, func(t *testing.T) {
			state := t.TempDir()
			lay(t, state, tt.files)
			conf := strings.ReplaceAll(tt.conf, "STATE", state)
			if conf == "" {
				conf = `{}`
			}
			was := everything(t, state)
			before := examine(t, state, conf, Options{})
			if diff := cmp.Diff(tt.before, told(before)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(was, everything(t, state)); diff != "" {
				t.Errorf("looking changed something (-before +after):\n%s", diff)
			}
			fixed := examine(t, state, conf, Options{Fix: true})
			if diff := cmp.Diff(tt.fixed, told(fixed)); diff != "" {
				t.Errorf("findings of the repair (-want +got):\n%s", diff)
			}
			checkCopies(t, fixed)
			after := told(examine(t, state, conf, Options{}))
			after = slices.DeleteFunc(after, func(line string) bool { return strings.HasPrefix(line, "info set-aside") })
			if diff := cmp.Diff(tt.after, after); diff != "" {
				t.Errorf("findings afterwards (-want +got):\n%s", diff)
			}
			checkKept(t, state, tt.keeps)
			if got := labels(t, state, conf); tt.labels != "" && got != tt.labels {
				t.Errorf("sessions %q, want %q", got, tt.labels)
			}
		})
	}
}

// checkCopies looks for every copy that a report names.
func checkCopies(t *testing.T, r Report) {
	t.Helper()
	for _, f := range r.Findings {
		for _, path := range f.Copies {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("copy of %s: %v, %v", f.Path, info, err)
			}
		}
		if f.Failed != "" {
			t.Errorf("%s %s: %s", f.Check, f.Path, f.Failed)
		}
	}
}

// checkKept compares files, by name without the time in it, with what they
// must hold.
func checkKept(t *testing.T, state string, keeps map[string]string) {
	t.Helper()
	got := map[string]string{}
	for path := range everything(t, state) {
		name, _ := filepath.Rel(state, path)
		name = strings.TrimSuffix(stamps.ReplaceAllStringFunc(name, func(s string) string {
			if strings.HasPrefix(s, ".bak") {
				return ".bak"
			}
			return ""
		}), ".")
		if _, wanted := keeps[name]; wanted {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = string(data)
		}
	}
	want := map[string]string{}
	for name, text := range keeps {
		want[name] = text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// labels are the sessions of all stores with their labels.
func labels(t *testing.T, state, conf string) string {
	t.Helper()
	c, _, err := config.Parse(conf, config.Options{Path: filepath.Join(state, "parley.json"), StateDir: state, HomeDir: state, WorkDir: state})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sessions.OpenStores(sessions.Options{Config: c, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // nothing was written
	var out []string
	for _, st := range s.All() {
		_ = st.View(func(v *sessions.Snapshot) error {
			for key, e := range v.All() {
				if rest, ok := strings.CutPrefix(key, "agent:main:"); ok {
					out = append(out, rest+"="+e.Text("label"))
				}
			}
			return nil
		})
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Of a damaged store the report names the newest copy that can be read, and
// takes nothing from it.
func TestDamagedStoreNamesTheNewestCopy(t *testing.T) {
	state := t.TempDir()
	lay(t, state, map[string]string{
		dir + "sessions.json":                       `{`,
		dir + "sessions.json.bak.1700000000000":     `{"agent:main:a":{}}`,
		dir + "sessions.json.corrupt.1700000000001": `{"agent:main:a":{},"agent:main:b":{}}`,
		dir + "sessions.json.doctor.1700000000002":  `{"agent`,
	})
	for _, f := range examine(t, state, `{}`, Options{}).Findings {
		if f.Check == "store-damaged" && !strings.Contains(f.Cure, "sessions.json.corrupt.1700000000001 can be read and holds 2 sessions") {
			t.Errorf("the cure is: %s", f.Cure)
		}
	}
	examine(t, state, `{}`, Options{Fix: true})
	if got := labels(t, state, `{}`); got != "" {
		t.Errorf("sessions %q came from somewhere", got)
	}
}

func TestManyFindingsOfAKindAreFolded(t *testing.T) {
	state := t.TempDir()
	files := map[string]string{}
	var store rawjson.Object
	for i := range maxAlike + 7 {
		id := fmt.Sprintf("s%03d", i)
		store.Set("agent:main:"+id, rawjson.Value(`{"sessionId":"`+id+`"}`))
		files[dir+id+".jsonl"] = strings.Replace(head, `"s"`, `"`+id+`"`, 1) + "rubbish\n" + first
	}
	files[dir+"sessions.json"] = string(store.JSON())
	lay(t, state, files)
	var seen []string
	r := examine(t, state, `{}`, Options{Progress: func(what string, done, total int) { seen = append(seen, fmt.Sprint(what, done, total)) }})
	if len(r.Findings) != maxAlike+1 || !strings.HasPrefix(r.Findings[maxAlike].What, "7 more findings of this kind, among them: ") {
		t.Errorf("%d findings, the last: %+v", len(r.Findings), r.Findings[len(r.Findings)-1])
	}
	if r.Checked.Transcripts != maxAlike+7 || r.Checked.Sessions != maxAlike+7 || !slices.Contains(seen, fmt.Sprint("transcripts", 5, maxAlike+7)) {
		t.Errorf("checked %+v, progress %v", r.Checked, seen)
	}
	if r := examine(t, state, `{}`, Options{Fix: true}); r.Counts.Fixed != maxAlike+1 || !r.OK {
		t.Errorf("counts %+v", r.Counts)
	}
	if r := examine(t, state, `{}`, Options{}); len(r.Findings) != 0 {
		t.Errorf("left: %+v", r.Findings)
	}
}

// Beside a daemon a session with a run is left alone.
func TestRunningSessionsAreLeftAlone(t *testing.T) {
	state := t.TempDir()
	lay(t, state, map[string]string{
		dir + "sessions.json": `{"agent:main:a":{"status":"running","sessionId":"s"},"agent:main:b":{"status":"running"}}`,
		dir + "s.jsonl":       head + "rubbish\n" + first,
	})
	c, _, err := config.Parse(`{}`, config.Options{Path: filepath.Join(state, "parley.json"), StateDir: state, HomeDir: state, WorkDir: state})
	if err != nil {
		t.Fatal(err)
	}
	p := Parts{
		Config: c, Transcripts: transcript.New(transcript.Options{StateDir: state, Home: state}),
		Running: func(key string) bool { return key == "agent:main:a" },
	}
	if p.Stores, err = sessions.OpenStores(sessions.Options{Config: c}); err != nil {
		t.Fatal(err)
	}
	r, err := Examine(t.Context(), p, Options{Fix: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"fixed entry-running /sessions.json 1 copies", "warning transcript-damaged /s.jsonl"}; !slices.Equal(told(r), want) {
		t.Errorf("findings %v", told(r))
	}
	if !slices.Equal(r.Ended, []string{"agent:main:b"}) {
		t.Errorf("ended %v", r.Ended)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Examine(ctx, p, Options{}); !errors.Is(err, stop) {
		t.Errorf("after cancelling: %v", err)
	}
	if err := p.Stores.Close(); err != nil {
		t.Error(err)
	}
}

// The names in the report are for programs: they do not change.
func TestReportAsJSON(t *testing.T) {
	r := NewReport("/state", true, []Finding{
		{Severity: Info, Check: "mode", Path: "/state/b", What: "w", Cure: "c", Fixable: true, Fixed: true, Copies: []string{"/copy"}},
		{Severity: Warning, Check: "entry-running", Path: "/state/a", What: "w", Cure: "c", Fixable: true, Failed: "why", Sessions: []string{"agent:main:a"}},
	})
	r.Ended = []string{"agent:main:a"}
	const want = `{"ok":false,"stateDir":"/state","fix":true,"checked":{"stores":0,"sessions":0,"transcripts":0,"bytes":0},"counts":{"errors":0,"warnings":1,"infos":0,"fixed":1},"findings":[` +
		`{"severity":"warning","check":"entry-running","path":"/state/a","what":"w","cure":"c","fixable":true,"fixed":false,"failed":"why","sessions":["agent:main:a"]},` +
		`{"severity":"info","check":"mode","path":"/state/b","what":"w","cure":"c","fixable":true,"fixed":true,"copies":["/copy"]}]}`
	if got := string(rawjson.MustMarshal(r)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

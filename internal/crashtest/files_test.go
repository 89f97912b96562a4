package crashtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// files reads what lies in a directory of sessions, each state of a file once.
type files struct {
	dir      string
	seen     map[string]*file            // by name
	families map[string]map[string]*file // by the id that the names begin with
}

// file is what one file of a transcript holds.
type file struct {
	size  int64
	mtime time.Time
	texts []said // in the order of the file
	torn  int    // lines that do not parse
	fault string // what no crash may leave
}

// said is a message of a test's own, as a file or an answer has it.
type said struct {
	text string
	user bool // sent, not injected
}

// mark begins every message of the tests, so that they can be told from what
// the model says.
const mark = "#"

// read takes in what changed since the last call.
func (f *files) read() error {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err = nil, nil
	}
	if err != nil {
		return err
	}
	now := map[string]*file{}
	for _, e := range entries {
		if !strings.Contains(e.Name(), ".jsonl") || strings.HasSuffix(e.Name(), ".lock") || strings.HasSuffix(e.Name(), ".tmp") {
			continue // what is half written counts only when it has its name
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if old := f.seen[e.Name()]; old != nil && old.size == info.Size() && old.mtime.Equal(info.ModTime()) {
			now[e.Name()] = old
			continue
		}
		data, err := os.ReadFile(filepath.Join(f.dir, e.Name()))
		if err != nil {
			return err
		}
		now[e.Name()] = readTranscript(data)
		now[e.Name()].size, now[e.Name()].mtime = info.Size(), info.ModTime()
	}
	f.seen, f.families = now, map[string]map[string]*file{}
	for name, content := range now {
		id, _, _ := strings.Cut(name, ".jsonl")
		if f.families[id] == nil {
			f.families[id] = map[string]*file{}
		}
		f.families[id][name] = content
	}
	return nil
}

// readTranscript reads the lines of a transcript: the first must be a header,
// each must be a JSON object, though a crash may have torn some.
func readTranscript(data []byte) *file {
	f := &file{}
	first := true
	for line := range bytes.Lines(data) {
		o, err := rawjson.Parse(bytes.TrimSpace(line))
		if err != nil {
			f.torn++
			continue
		}
		if first && (o.Text("type") != "session" || o.Text("id") == "") {
			f.fault = fmt.Sprintf("begins with %.200s, not with a header", line)
		}
		first = false
		if s, ok := ours(o.Get("message")); ok {
			f.texts = append(f.texts, s)
		}
	}
	if first && f.torn > 0 {
		f.fault = "has no header, only torn lines"
	}
	return f
}

// ours is a message if a test made it.
func ours(message rawjson.Value) (said, bool) {
	o, err := rawjson.Parse(message)
	if err != nil {
		return said{}, false
	}
	text, ok := rawjson.Text(o.Get("content"))
	if blocks, isArray := rawjson.Array(o.Get("content")); !ok && isArray && len(blocks) > 0 {
		if block, err := rawjson.Parse(blocks[0]); err == nil {
			text = block.Text("text")
		}
	}
	return said{text, o.Text("role") == "user"}, strings.HasPrefix(text, mark)
}

// isCopy reports whether a file of a transcript is a copy made before the
// transcript was rewritten.
func isCopy(name string) bool { return strings.Contains(name, ".jsonl.bak") }

// readStore reads a sessions.json strictly: one object, whose members are
// objects. A missing file has no members.
func readStore(path string) (map[string]rawjson.Object, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string]rawjson.Object{}
	for key, value := range o.All() {
		entry, err := rawjson.Parse(value)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %s: %w", path, key, err)
		}
		out[key] = entry
	}
	return out, nil
}

// untidy are faults of names and modes below a state directory: who could read
// what he must not, files that a crash may not leave.
func untidy(state string, newest time.Time) []string {
	var faults []string
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a lock or a temporary file
		}
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		name := d.Name()
		switch {
		case info.Mode().Perm() != want:
			faults = append(faults, fmt.Sprintf("%s has mode %o, want %o", path, info.Mode().Perm(), want))
		case isTemporary(name) && info.ModTime().Before(newest):
			faults = append(faults, fmt.Sprintf("%s is left over", path))
		case strings.Contains(name, ".corrupt.") || strings.HasSuffix(name, ".conflicts"):
			faults = append(faults, fmt.Sprintf("%s is there, though nobody else wrote the store", path))
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, err.Error())
	}
	return faults
}

// isTemporary reports whether a file is one that is written aside before it
// replaces another.
func isTemporary(name string) bool { return strings.HasSuffix(name, ".tmp") }

// age makes the temporary files below a directory look old: they are then
// nobody's, and the next start has to remove them. It returns how many there
// are.
func age(state string) (n int, err error) {
	old := time.Now().Add(-time.Hour)
	err = filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !isTemporary(d.Name()) {
			return err
		}
		n++
		return os.Chtimes(path, old, old)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return n, err
}

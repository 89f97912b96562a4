package transcript

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMend(t *testing.T) {
	const (
		head   = `{"type":"session","version":3,"id":"s","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/"}`
		first  = `{"type":"message","id":"00000001","parentId":null,"message":{"role":"user","content":"one"}}`
		second = `{"type":"message","id":"00000002","parentId":"00000001","message":{"role":"user","content":"two"}}`
	)
	for _, tt := range []struct {
		name   string
		lines  []string
		copies int
		want   string
	}{
		{"sound", []string{head, first, second}, 0, "one two"},
		{"torn", []string{head, first, second + `\`}, 0, "one two"},
		{"a bad line", []string{head, first, "{rubbish", second}, 1, "one two"},
		{"no header", []string{first, second}, 1, "one two"},
		{"no header and a bad line", []string{"rubbish", first, second}, 2, "one two"},
		{"version 2", []string{strings.Replace(head, "3", "2", 1), first, second}, 1, "one two"},
		{"empty", []string{}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			path := f.write(t, "s.jsonl", tt.lines...)
			before := f.read(t, path)
			copies, err := f.Mend(f.ref("s"), "/")
			if err != nil {
				t.Fatal(err)
			}
			if len(copies) != tt.copies || len(f.ls(t)) != 1+tt.copies {
				t.Fatalf("copies %v, files %v; want %d copies", copies, f.ls(t), tt.copies)
			}
			if tt.copies > 0 && f.read(t, copies[0]) != before {
				t.Errorf("the copy holds %q, want %q", f.read(t, copies[0]), before)
			}
			if tt.copies == 0 && f.read(t, path) != before {
				t.Errorf("the file was changed: %q", f.read(t, path))
			}
			if got := strings.Join(f.texts(t, f.ref("s")), " "); got != tt.want {
				t.Errorf("messages %q, want %q", got, tt.want)
			}
			if tt.copies > 0 {
				sound(t, path)
			}
		})
	}
	f := newFixture(t)
	if copies, err := f.Mend(f.ref("absent"), "/"); err != nil || copies != nil || len(f.ls(t)) > 0 {
		t.Errorf("mending nothing: %v, %v, files %v", copies, err, f.ls(t))
	}
}

func TestLeadsOut(t *testing.T) {
	f := newFixture(t)
	outside := filepath.Join(t.TempDir(), "x.jsonl")
	f.write(t, outside, "{}")
	if err := os.Symlink(outside, filepath.Join(f.dir, "link.jsonl")); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, file := range []string{"", "s.jsonl", "sub/s.jsonl", "../s.jsonl", "sessions.json", "link.jsonl", outside, f.path("s"), filepath.Join(f.state, "agents/ops/sessions/s.jsonl"), filepath.Join(f.state, "s.jsonl")} {
		r := f.ref("s")
		r.SessionFile = file
		got[strings.ReplaceAll(strings.ReplaceAll(file, outside, "OUT"), f.state, "STATE")] = f.LeadsOut(r)
	}
	want := map[string]bool{
		"": false, "s.jsonl": false, "sub/s.jsonl": false, "../s.jsonl": true, "sessions.json": true, "link.jsonl": true, "OUT": true,
		"STATE/agents/main/sessions/s.jsonl": false, "STATE/agents/ops/sessions/s.jsonl": false, "STATE/s.jsonl": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

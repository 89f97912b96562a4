package transcript

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func chain(n int) []string {
	out := []string{testHeader}
	parent := ""
	for i := 1; i <= n; i++ {
		id := fmt.Sprintf("%08x", i)
		out = append(out, testMessage(id, parent, "user", fmt.Sprint("m", i)))
		parent = id
	}
	return out
}

func TestCompact(t *testing.T) {
	lines := chain(5)
	headless := chain(5)[1:]
	tests := []struct {
		name  string
		lines []string
		max   int
		want  Compaction
		file  []string
	}{
		{"enough room", lines, 6, Compaction{Kept: 6}, lines},
		{"the header counts", lines, 5, Compaction{Compacted: true, Kept: 5}, lines},
		{"cut", lines, 2, Compaction{Compacted: true, Kept: 2}, []string{testHeader, lines[4], lines[5]}},
		{"blank lines do not count", append([]string{"", " "}, lines...), 6, Compaction{Kept: 6}, append([]string{"", " "}, lines...)},
		{"broken lines count", append(chain(2), "broken", "", "{"), 2, Compaction{Compacted: true, Kept: 2}, []string{testHeader, "broken", "{"}},
		{"no header", headless, 2, Compaction{Compacted: true, Kept: 2}, []string{"made", headless[3], headless[4]}},
		{"no header, enough room", headless, 5, Compaction{Kept: 5}, headless},
		{"empty", nil, 1, Compaction{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			path := f.write(t, "s.jsonl", tt.lines...)
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			before := f.read(t, path)
			got, err := f.Compact(f.ref("s"), tt.max)
			if err != nil {
				t.Fatal(err)
			}
			archived := got.Archived
			got.Archived = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			text := f.read(t, path)
			if len(tt.file) > 0 && tt.file[0] == "made" {
				first, rest, _ := strings.Cut(text, "\n")
				if p, _ := parse([]byte(first)); !p.header() || !strings.Contains(first, `"id":"s"`) {
					t.Errorf("first line is %s", first)
				}
				text = "made\n" + rest
			}
			if diff := cmp.Diff(joinLines(tt.file...), text); diff != "" {
				t.Errorf("file: %s", diff)
			}
			if !got.Compacted {
				if len(f.ls(t)) != 1 {
					t.Errorf("files are %v", f.ls(t))
				}
				return
			}
			if f.read(t, archived) != before || !strings.HasPrefix(archived, path+".bak.") {
				t.Errorf("archive %s is not the old file", archived)
			}
			for _, p := range []string{path, archived} {
				if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v, %v", p, info.Mode(), err)
				}
			}
			if _, err := f.Append(f.ref("s"), "/", messageLine("user", "next")); err != nil {
				t.Error(err)
			}
			if len(f.ls(t)) != 2 {
				t.Errorf("files are %v", f.ls(t))
			}
		})
	}
	f := newFixture(t)
	if got, err := f.Compact(f.ref("absent"), 1); got.Reason != "no transcript" || err != nil {
		t.Errorf("absent: %+v, %v", got, err)
	}
}

func TestArchive(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader)
	f.write(t, "named.jsonl", testHeader)
	r := f.ref("s")
	r.SessionFile = "named.jsonl"
	used := f.path("named")
	got, err := f.Archive(r, "reset", func(path string) bool { return path == used })
	if err != nil || len(got) != 1 || !strings.HasPrefix(got[0], f.path("s")+".reset.") {
		t.Errorf("archived %v, %v", got, err)
	}
	got, err = f.Archive(r, "deleted", nil)
	if err != nil || len(got) != 1 || !strings.HasPrefix(got[0], used+".deleted.") {
		t.Errorf("archived %v, %v", got, err)
	}
	if _, reason, _, ok := ArchiveName(filepath.Base(got[0])); !ok || reason != "deleted" {
		t.Errorf("%s is no name of an archive", got[0])
	}
	if got, err := f.Archive(r, "deleted", nil); len(got) != 0 || err != nil {
		t.Errorf("archived %v, %v of nothing", got, err)
	}
	// A second archive in one millisecond does not replace the first.
	root, err := f.disk.OpenRoot(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	at := time.UnixMilli(1767607200000)
	p := place{base: f.dir, name: "x.jsonl"}
	first := free(root, p, "reset", at)
	if want := "x.jsonl.reset.2026-01-05T10-00-00.000Z"; first.name != want {
		t.Errorf("name = %s, want %s", first.name, want)
	}
	f.write(t, first.name, "")
	if second := free(root, p, "reset", at); second.name == first.name {
		t.Error("the same name is free twice")
	}
}

func TestArchiveName(t *testing.T) {
	for name, want := range map[string]string{
		"a.jsonl.reset.2026-01-09T00-00-00.000Z":                          "a.jsonl reset",
		"a.jsonl.reset.2026-01-09T00-00-00Z":                              "a.jsonl reset",
		"a.jsonl.bak.2020-12-09T00-00-00.000Z":                            "a.jsonl bak",
		"a.jsonl.deleted.2020-01-01T00-00-00Z.reset.2026-01-10T23-00-00Z": "a.jsonl.deleted.2020-01-01T00-00-00Z reset",
		"a.jsonl.reset.2026-01-09T00:00:00.000Z":                          "",
		"a.jsonl.reset.2026-99-09T00-00-00.000Z":                          "",
		"a.jsonl.reset.2026-01-09T00-00-00.000Z.x":                        "",
		"a.jsonl": "",
	} {
		file, reason, _, ok := ArchiveName(name)
		if got := strings.TrimSpace(file + " " + reason); got != want || ok != (want != "") {
			t.Errorf("ArchiveName(%s) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

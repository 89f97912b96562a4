package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWriteReplacesAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	for _, text := range []string{"one", "", "three"} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("read %q, %v; want %q", got, err, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("files %v, want f.json alone", names)
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d")
	// A directory that is not empty cannot be replaced by a rename.
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new")); err == nil {
		t.Fatal("a directory was replaced")
	}
	if names := list(t, dir); len(names) != 1 || names[0] != "d" {
		t.Errorf("files %v, want d alone", names)
	}
	if err := Write(filepath.Join(dir, "no", "f"), nil); err == nil {
		t.Error("no error without the directory")
	}
}

func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.json")
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"f.json", "f.json.a1.tmp", "f.json.young.tmp", "f.json.bak.7", "g.json.a.tmp"} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "f.json.young.tmp" {
			if err := os.Chtimes(p, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := RemoveLeftovers(path, 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	want := []string{"f.json", "f.json.bak.7", "f.json.young.tmp", "g.json.a.tmp"}
	got := list(t, dir)
	if len(got) != len(want) {
		t.Fatalf("files %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("files %v, want %v", got, want)
		}
	}
	if err := RemoveLeftovers(filepath.Join(dir, "none", "f"), 0); err != nil {
		t.Errorf("missing directory: %v", err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

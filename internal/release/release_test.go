package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Two archives of the same content are the same bytes, wherever and whenever
// the files were made.
func TestArchivesAreReproducible(t *testing.T) {
	var made [][]byte
	for range 2 {
		dir := t.TempDir()
		a, b := write(t, filepath.Join(dir, "a"), "binary"), write(t, filepath.Join(dir, "b"), "text")
		if err := os.Chtimes(a, time.Now(), time.Now().Add(-time.Hour*time.Duration(len(made)))); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "x.tar.gz")
		if err := archive(to, "x", map[string]string{"parley": a, "doc/b.md": b}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		made = append(made, read(t, to))
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("the archives differ")
	}
}

// The list names this very test's modules.
func TestMaterials(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := materials(self, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Components[0].Name != "std" || !strings.HasPrefix(b.Components[0].PURL, "pkg:golang/std@1.") {
		t.Errorf("%s", text)
	}
	if m := b.Metadata.Component; m.Version != "v1.2.3" || !strings.HasSuffix(m.PURL, "@v1.2.3") {
		t.Errorf("the binary is listed as %+v", m)
	}
	c := module("library", "go.yaml.in/yaml/v4", "v4.0.0-rc.2", "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if c.PURL != "pkg:golang/go.yaml.in/yaml/v4@v4.0.0-rc.2" || c.Properties[0].Value != strings.Repeat("0", 64) {
		t.Errorf("%+v", c)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	good := func() {
		if err := archive(filepath.Join(dir, "p-darwin-arm64.tar.gz"), "p", map[string]string{"parley": write(t, filepath.Join(t.TempDir(), "b"), "x")}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "p.cdx.json"), `{"bomFormat":"CycloneDX","metadata":{"component":{"name":"x"}},"components":[{"name":"std"},{"name":"y"}]}`)
		if err := writeSums(dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil func()
		want  string
	}{
		"nothing":         {func() {}, ""},
		"a changed file":  {func() { write(t, filepath.Join(dir, "p.cdx.json"), "{}") }, "has the checksum"},
		"a file too much": {func() { write(t, filepath.Join(dir, "q"), "") }, "q has no checksum"},
		"no materials": {func() {
			write(t, filepath.Join(dir, "p.cdx.json"), "{}")
			_ = writeSums(dir)
		}, "it names nothing"},
		"not static, and no ELF": {func() {
			if err := os.Rename(filepath.Join(dir, "p-darwin-arm64.tar.gz"), filepath.Join(dir, "p-linux-arm64.tar.gz")); err != nil {
				t.Fatal(err)
			}
			_ = writeSums(dir)
		}, "EOF"},
	} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		good()
		c.spoil()
		err := check(dir)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

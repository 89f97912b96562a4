package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parse loads text with a made-up home and no environment, and fails the test
// when it does not hold.
func parse(t testing.TB, text string) *Config {
	t.Helper()
	c, _, err := Parse(text, testOptions(nil))
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return c
}

func testOptions(vars map[string]string) Options {
	return Options{Env: func(name string) string { return vars[name] }, HomeDir: "/home/ann", WorkDir: "/work", StateDir: "/state"}
}

// write makes files under a fresh directory and gives it. A name that ends in
// a slash is a directory.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func hasWarning(ws []Warning, part string) bool {
	return slices.ContainsFunc(ws, func(w Warning) bool { return strings.Contains(string(w), part) })
}

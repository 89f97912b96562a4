package webui

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The page's modules that need no browser are tried by Node's own test runner.
func TestModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Node is needed here")
		}
		t.Skip("there is no Node here")
	}
	files, err := filepath.Glob("jstest/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests were found (%v)", err)
	}
	out, err := exec.Command(node, append([]string{"--test"}, files...)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n# skipped 0\n") || !strings.Contains(string(out), "\n# fail 0\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

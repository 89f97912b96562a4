// Package parley_test checks what holds for the module as a whole.
package parley_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/parleyd/parley"

// everywhere may be imported by every package that has a line in allowed.
var everywhere = []string{"internal/rawjson", "internal/jstext"}

// allowed are all other edges between packages of this module: who may import
// whom. An edge that is not here is a decision about the architecture. Take it
// in doc/architecture.md first, then add it here.
//
// Never to be added: sessions → transcript, runs → gateway or hub, hub →
// sessions. transcript, model, acp and atomicfile do not know the protocol.
var allowed = map[string][]string{
	"cmd/parley": {"*"}, // wires all parts
	"client":     {"internal/protocol"},

	"internal/gateway": {
		"internal/hub", "internal/auth", "internal/runs", "internal/sessions", "internal/transcript",
		"internal/model", "internal/acp", "internal/config", "internal/protocol", "internal/disk", "internal/upkeep",
		"internal/doctor", "internal/metrics", "internal/atomicfile", "internal/tracing", "internal/webui",
	},
	"internal/upkeep":     {"internal/runs", "internal/sessions", "internal/transcript", "internal/config", "internal/protocol", "internal/atomicfile", "internal/disk"},
	"internal/metrics":    {},
	"internal/tracing":    {},
	"internal/doctor":     {"internal/runs", "internal/sessions", "internal/transcript", "internal/lockfile", "internal/disk", "internal/config"},
	"internal/hub":        {"internal/protocol", "internal/config"},
	"internal/runs":       {"internal/sessions", "internal/transcript", "internal/model", "internal/acp", "internal/config", "internal/protocol", "internal/atomicfile", "internal/disk", "internal/tracing"},
	"internal/certs":      {"internal/atomicfile", "internal/disk", "internal/config"},
	"internal/auth":       {"internal/atomicfile", "internal/disk", "internal/config", "internal/protocol"},
	"internal/sessions":   {"internal/atomicfile", "internal/disk", "internal/lockfile", "internal/watch", "internal/config", "internal/protocol", "internal/tracing"},
	"internal/transcript": {"internal/atomicfile", "internal/disk", "internal/lockfile", "internal/watch"},
	"internal/model":      {},
	"internal/acp":        {"internal/model", "internal/atomicfile", "internal/disk"},
	"internal/webui":      {},
	"internal/atomicfile": {"internal/disk"},
	"internal/disk":       {},
	"internal/lockfile":   {},
	"internal/watch":      {},

	"internal/protocol": {"schemas"},
	"internal/config":   {"internal/json5", "internal/atomicfile"},
	"internal/json5":    {},
	"internal/rawjson":  {},
	"internal/jstext":   {},
	"schemas":           {},

	// Tests and tools: no package that ships may import these.
	"internal/gatewaytest":   {"internal/protocol"},
	"internal/acp/acptest":   {},
	"internal/nodeplay":      {"internal/gatewaytest"},
	"internal/testcount":     {},
	"internal/release":       {},
	"internal/disk/disktest": {"internal/disk"},
	"internal/crashtest":     {},
	"internal/sessionstest":  {},
	"internal/loadtest":      {},
	"cmd/parley-bench":       {"internal/loadtest"},

	"internal/webui/browsertest": {"client", "internal/gatewaytest"},
	"internal/browser":           {},
	"internal/realclients":       {},
}

// testOnly are packages from elsewhere that only tests may use.
var testOnly = []string{
	"testing", "net/http/httptest", "github.com/google/go-cmp/cmp", "go.uber.org/goleak", "pgregory.net/rapid",
	"github.com/rogpeppe/go-internal/testscript", "github.com/anishathalye/porcupine", "github.com/chromedp/chromedp", "github.com/creack/pty",
}

// TestImports reads the sources rather than asking go list: so files for other
// systems count too, and a cached result ends when a source changes.
func TestImports(t *testing.T) {
	seen := 0
	for pkg, imports := range packageImports(t) {
		if _, ok := allowed[pkg]; !ok {
			t.Errorf("package %s is new: decide in doc/architecture.md who may import it and what it may import, and add it to imports_test.go", pkg)
			continue
		}
		for _, imported := range imports {
			to, ours := strings.CutPrefix(imported, module+"/")
			if ours {
				seen++
			}
			switch {
			case ours && !edgeAllowed(pkg, to):
				t.Errorf("%s → %s is a new edge: decide in doc/architecture.md, then allow it in imports_test.go", pkg, to)
			case !forTests(pkg) && (forTests(to) || slices.Contains(testOnly, imported)):
				t.Errorf("%s imports %s, which is for tests", pkg, imported)
			}
		}
	}
	if seen == 0 {
		t.Error("no import was found: the test looks in the wrong place")
	}
}

func edgeAllowed(pkg, to string) bool {
	if slices.Contains(everywhere, to) {
		return !slices.Contains(everywhere, pkg)
	}
	return slices.Contains(allowed[pkg], to) || slices.Contains(allowed[pkg], "*")
}

func forTests(pkg string) bool {
	return slices.Contains([]string{"internal/gatewaytest", "internal/nodeplay", "internal/crashtest", "internal/sessionstest", "internal/loadtest", "cmd/parley-bench", "internal/testcount", "internal/release", "internal/disk/disktest", "internal/acp/acptest", "internal/webui/browsertest", "internal/browser", "internal/realclients"}, pkg)
}

// TestForbiddenEdgesAreSeen makes sure that the check can fail.
func TestForbiddenEdgesAreSeen(t *testing.T) {
	for _, e := range [][2]string{
		{"internal/sessions", "internal/transcript"}, {"internal/runs", "internal/gateway"}, {"internal/runs", "internal/hub"},
		{"internal/hub", "internal/sessions"}, {"internal/model", "internal/protocol"}, {"internal/transcript", "internal/config"},
		{"internal/rawjson", "internal/jstext"}, {"internal/gateway", "cmd/parley"},
	} {
		if edgeAllowed(e[0], e[1]) {
			t.Errorf("%s → %s is allowed", e[0], e[1])
		}
	}
}

// packageImports maps each package of the module to what its files import,
// tests left out.
func packageImports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(file))
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(out[pkg], imported) {
				out[pkg] = append(out[pkg], imported)
			}
		}
		if out[pkg] == nil {
			out[pkg] = []string{}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

package gatewaytest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/gatewaytest"
)

const scenarios = "../../testdata/scenarios"

// TestScenarios plays every recorded scenario. A wanted difference is listed in
// differences.txt.
func TestScenarios(t *testing.T) {
	e, err := gatewaytest.ReadExpectations(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	starters := newStarters(t)
	for _, name := range e.Files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join(scenarios, name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			faults, err := gatewaytest.PlayText(t, raw, starters.of(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Judge(name, faults); err != nil {
				t.Error(err)
			}
		})
	}
}

// starters chooses how to run the gateway for a scenario.
type starters struct {
	binary string // "" : in this process where that is possible
	built  func() (string, error)
}

func newStarters(t *testing.T) *starters {
	return &starters{binary: os.Getenv("PARLEY_BINARY"), built: built(t)}
}

// of is the starter for a scenario: the program that PARLEY_BINARY names, or
// the gateway in this process. Only a process can be killed as by kill -9, so
// scenarios that do that get one.
func (s *starters) of(t *testing.T, scenario []byte) gatewaytest.Starter {
	t.Helper()
	if s.binary != "" {
		return gatewaytest.Process(s.binary)
	}
	if !bytes.Contains(scenario, []byte(`"kill"`)) {
		return inProcess
	}
	path, err := s.built()
	if err != nil {
		t.Fatal(err)
	}
	return gatewaytest.Process(path)
}

// TestScenariosAreComplete guards against a folder that is not found: the
// recorded files are many.
func TestScenariosAreComplete(t *testing.T) {
	e, err := gatewaytest.ReadExpectations(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, name := range e.Files {
		folder, _, _ := strings.Cut(name, "/")
		count[folder]++
	}
	for folder, want := range map[string]int{"chat": 27, "protocol": 26, "sessions": 36, "storage": 19} {
		if count[folder] < want {
			t.Errorf("%s has %d scenarios, want at least %d", folder, count[folder], want)
		}
	}
}

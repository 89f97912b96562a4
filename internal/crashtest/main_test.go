package crashtest_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	_ "github.com/parleyd/parley/internal/gateway" // see watchProgram
	"github.com/parleyd/parley/internal/gatewaytest"
)

var (
	roundsFlag = flag.Int("rounds", 8, "how often the daemon is killed; the other tests scale with it")
	seedFlag   = flag.Uint64("seed", 0, "seed of the choices that the tests make; 0 takes one from the clock")
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "crashtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := watchProgram(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	program = sync.OnceValues(func() (string, error) { return gatewaytest.Build(context.Background(), dir) })
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// program builds the daemon when it is first asked for.
var program func() (path string, err error)

// watchProgram makes a cached result of these tests end when the daemon
// changes. The go command knows nothing of the program that they build: only
// what they import, so they import its parts, and which files they read.
func watchProgram() error {
	files, err := filepath.Glob("../../cmd/parley/*.go")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("the sources of the daemon are not there: %v", err)
	}
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			return err
		}
	}
	return nil
}

// newRand is the source of a test's choices; its seed is printed, since the
// same seed makes the same choices (though not the same timing).
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

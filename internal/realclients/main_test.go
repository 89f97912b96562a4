package realclients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/browser"
	_ "github.com/parleyd/parley/internal/gateway" // a cached result ends when the daemon changes
	"github.com/parleyd/parley/internal/gatewaytest"
)

var (
	// modules is the folder with the clients.
	modules = os.Getenv("OPENCLAW_MODULES")
	// program builds the daemon when it is first asked for.
	program func() (string, error)
	// chromium is the browser that the tests share, started by the first that
	// asks for it.
	chromium func() (*browser.Browser, error)
	// compileCache is where Node keeps what it compiled, for the next client.
	compileCache string
)

func TestMain(m *testing.M) {
	if modules == "" {
		fmt.Fprintln(os.Stderr, "OPENCLAW_MODULES is not set: run these tests with make clients")
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "realclients")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	compileCache = filepath.Join(dir, "compiled")
	program = sync.OnceValues(func() (string, error) { return gatewaytest.Build(context.Background(), dir) })
	var started *browser.Browser
	chromium = sync.OnceValues(func() (b *browser.Browser, err error) {
		started, err = browser.Start(filepath.Join(dir, "profile"))
		return started, err
	})
	code := m.Run()
	if started != nil {
		if err := started.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "end the browser:", err)
			code = 1
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

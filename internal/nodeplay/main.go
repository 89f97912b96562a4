// Command nodeplay plays the recorded scenarios with the Node player that
// stands in ../shared/tools, against a built gateway, and checks that its
// verdict on every file is the one that the Go player is held to: a pass, or
// exactly the differences of differences.txt. It also checks that the scenarios
// of this checkout are the recorded ones.
//
// Where the folder ../shared does not stand beside the checkout, the Go player
// alone is used; with CI=true that is an error.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/parleyd/parley/internal/gatewaytest"
)

const (
	scenarios = "testdata/scenarios"
	cache     = ".cache/node"
	ws        = "8.23.0" // the npm package that the player's client needs
)

func main() {
	gateway := flag.String("gateway", "bin/parley", "the gateway under `test`")
	shared := flag.String("shared", "../shared", "the `folder` with tools and scenarios")
	jobs := flag.Int("jobs", 6, "files to play at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *gateway, *shared, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "nodeplay:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, gateway, shared string, jobs int) error {
	gateway, err := filepath.Abs(gateway)
	if err != nil {
		return err
	}
	player, err := filepath.Abs(filepath.Join(shared, "tools", "scenario.mjs"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(player); err != nil {
		if os.Getenv("CI") != "" {
			return fmt.Errorf("the folder %s is needed in CI: %w", shared, err)
		}
		fmt.Printf("%s is not there: playing with the Go player alone\n", shared)
		return goPlayer(ctx, gateway)
	}
	expected, err := gatewaytest.ReadExpectations(scenarios)
	if err != nil {
		return err
	}
	if err := sameFiles(filepath.Join(shared, "scenarios"), expected.Files); err != nil {
		return err
	}
	modules, err := installWS(ctx)
	if err != nil {
		return err
	}
	env := append(os.Environ(), "GATEWAY="+gateway, "WIRE_MODULES="+modules, "MAX=1000000")
	return playAll(ctx, expected, jobs, func(name string) ([]gatewaytest.Fault, error) {
		return play(player, name, env)
	})
}

// goPlayer runs the Go player on the built gateway.
func goPlayer(ctx context.Context, gateway string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^TestScenarios", "./internal/gatewaytest")
	cmd.Env = append(os.Environ(), "PARLEY_BINARY="+gateway)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// sameFiles checks that the scenarios here are byte for byte the recorded
// ones, and all of them.
func sameFiles(recorded string, names []string) error {
	theirs, err := filepath.Glob(filepath.Join(recorded, "*", "*.json"))
	if err != nil {
		return err
	}
	var errs []error
	if len(theirs) != len(names) {
		errs = append(errs, fmt.Errorf("%d scenarios in %s, %d in %s", len(theirs), recorded, len(names), scenarios))
	}
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join(recorded, name+".json"))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(scenarios, name+".json"))
		if err != nil || !bytes.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%s/%s.json is not as recorded", scenarios, name))
		}
	}
	return errors.Join(errs...)
}

// installWS makes sure that the player's only dependency is in the cache and
// returns the folder of modules.
func installWS(ctx context.Context) (string, error) {
	modules, err := filepath.Abs(filepath.Join(cache, "node_modules"))
	if err != nil {
		return "", err
	}
	have, err := os.ReadFile(filepath.Join(modules, "ws", "package.json"))
	if err == nil && bytes.Contains(have, []byte(`"version": "`+ws+`"`)) {
		return modules, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", cache, "--no-audit", "--no-fund", "--loglevel=error", "ws@"+ws)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install the npm package ws (Node 20 or newer and npm are needed): %w\n%s", err, out)
	}
	return modules, nil
}

// play plays one file with the Node player. An interrupt does not reach the
// player, which would leave its gateway running: the file is played to its end.
func play(player, name string, env []string) ([]gatewaytest.Fault, error) {
	file := filepath.Join(scenarios, name+".json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node", player, "play", file)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	return gatewaytest.NodeFaults(text, string(out))
}

// tally counts verdicts and prints those that are not as expected.
type tally struct {
	expected *gatewaytest.Expectations

	mu             sync.Mutex // guards the counts and the output
	passed, failed int
}

// playAll plays all files, a few at a time, and prints the counts.
func playAll(ctx context.Context, e *gatewaytest.Expectations, jobs int, play func(name string) ([]gatewaytest.Fault, error)) error {
	t := &tally{expected: e}
	names := make(chan string)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for name := range names {
				faults, err := play(name)
				t.add(name, faults, err)
			}
		})
	}
	for _, name := range e.Files {
		if ctx.Err() == nil {
			names <- name
		}
	}
	close(names)
	wg.Wait()
	fmt.Printf("scenarios: %d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 {
		return errors.New("the gateway, the Node player and the lists in " + scenarios + " do not agree")
	}
	return ctx.Err()
}

// add counts a file. One that could not be played at all has failed.
func (t *tally) add(name string, faults []gatewaytest.Fault, err error) {
	if err == nil {
		err = t.expected.Judge(name, faults)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed++
		fmt.Printf("FAIL %s\n   %s\n", name, strings.ReplaceAll(err.Error(), "\n", "\n   "))
		return
	}
	t.passed++
}

// Command parley-bench measures a gateway beside its floor: see package loadtest.
//
//	make bench                      all of it, some ten minutes
//	parley-bench -parley bin/parley -only 'read|write' -rounds 5
//	parley-bench -short             shows that all of it runs; its figures mean nothing
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/loadtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "parley-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("parley-bench", flag.ContinueOnError)
	parley := flags.String("parley", "bin/parley", "the `program` under test")
	other := flags.String("other", "", "another `program` to compare with")
	dir := flags.String("dir", "", "where state directories are made (default a temporary `folder`)")
	duration := flags.Duration("duration", time.Second, "how long a load lasts")
	rounds := flags.Int("rounds", 3, "how often it is repeated")
	short := flags.Bool("short", false, "only see that all of it runs")
	only := flags.String("only", "", "what to measure, a `pattern`: "+strings.Join(loadtest.Names(), ", "))
	asJSON := flags.String("json", "", "also write the figures to this `file`")
	profiles := flags.String("profiles", "", "also keep CPU profiles of Parley in this `folder`")
	floor := flags.Int("floor", 0, "be the floor, on this `port`")
	model := flags.String("model", "", "the model server that the floor asks")
	soak := flags.Duration("soak", 0, "instead: mixed traffic for so long")
	entries := flags.Int("sessions", 100_000, "with -soak: how many sessions there are")
	plot := flags.String("plot", "", "instead: cost against store size, an SVG `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *floor != 0 {
		return loadtest.ServeFloor(ctx, *floor, *dir, *model)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := loadtest.Options{Self: self, Duration: *duration, Rounds: *rounds, Short: *short, Profiles: *profiles, Log: slog.New(slog.NewTextHandler(log, nil))}
	if o.Only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if o.Parley, err = program(*parley); err != nil {
		return err
	}
	if *other != "" {
		if o.Other, err = program(*other); err != nil {
			return err
		}
	}
	if o.Dir = *dir; o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "parley-bench"); err != nil {
			return err
		}
		defer os.RemoveAll(o.Dir)
	}
	if *short {
		o.Duration, o.Rounds = 100*time.Millisecond, 1
	}
	switch {
	case *plot != "":
		return loadtest.Plot(ctx, o, *plot)
	case *soak != 0:
		return loadtest.Soak(ctx, o, *soak, *entries, out)
	}
	rows, err := loadtest.Run(ctx, o)
	if *short {
		fmt.Fprint(out, "The short form: all of it runs. The figures mean nothing.\n\n")
	}
	err = errors.Join(err, loadtest.WriteMarkdown(out, rows))
	if *asJSON != "" {
		err = errors.Join(err, writeJSON(*asJSON, rows, o.Rounds))
	}
	return err
}

// program is the absolute path of a program that is there.
func program(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the program under test: %w; make build makes bin/parley", err)
	}
	return path, nil
}

func writeJSON(path string, rows []loadtest.Row, rounds int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(loadtest.WriteJSON(f, rows, rounds), f.Close())
}

package loadtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Options say what to measure, how long and how often.
type Options struct {
	// Parley is the program under test; Other another one to compare with, "" for
	// none. Self is the program that serves as the floor: see ServeFloor.
	Parley, Other, Self string
	// Dir is where state directories are made.
	Dir string
	// Duration is how long one load lasts, Rounds how often it is repeated.
	Duration time.Duration
	Rounds   int
	// Short makes everything small: it shows that all of it runs, and no figure of
	// it means anything.
	Short bool
	// Profiles is a folder for a CPU profile of Parley under each load that has a
	// floor beside it, "" for none.
	Profiles string
	// Only leaves out measurements whose name does not match.
	Only *regexp.Regexp
	Log  *slog.Logger
}

// A Row is one figure with its target.
type Row struct {
	Name    string   `json:"name"`
	Clients int      `json:"clients,omitempty"`
	Parley  *Figures `json:"parley,omitempty"`
	Other   *Figures `json:"other,omitempty"`
	Floor   *Figures `json:"floor,omitempty"`
	// Value is what the target is about, in Unit: a ratio to the floor, or a time,
	// a size, a count.
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Target is the least that Value may be, or the most when Most is set; 0 for
	// none.
	Target float64 `json:"target,omitempty"`
	Most   bool    `json:"most,omitempty"`
	Note   string  `json:"note,omitempty"`
}

// Met reports whether the row meets its target.
func (r Row) Met() bool {
	switch {
	case r.Target == 0:
		return true
	case r.Most:
		return r.Value <= r.Target
	}
	return r.Value >= r.Target
}

// A measurement adds rows.
type measurement struct {
	name string
	run  func(*bench, context.Context) error
}

// measurements are all of them, in the order in which they run.
var measurements = []measurement{
	{"start", (*bench).starts},
	{"memory", (*bench).memory},
	{"open", (*bench).opens},
	{"read", (*bench).reads},
	{"growth", (*bench).growth},
	{"write", (*bench).writes},
	{"disk", (*bench).disk},
	{"fanout", (*bench).fanOut},
	{"steady", (*bench).steady},
	{"watched", (*bench).watched},
	{"runs", (*bench).runs},
	{"beside", (*bench).beside},
	{"large", (*bench).large},
	{"slow", (*bench).slow},
}

// Names are the names of all measurements.
func Names() (names []string) {
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

// Run measures and returns what it found. What fails does not keep the others
// from being measured.
func Run(ctx context.Context, o Options) ([]Row, error) {
	b := &bench{o: o}
	var errs []error
	for _, m := range measurements {
		if o.Only != nil && !o.Only.MatchString(m.name) {
			continue
		}
		began := time.Now()
		if err := m.run(b, ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
		o.Log.Info("measured", "what", m.name, "took", time.Since(began).Round(time.Millisecond))
		if ctx.Err() != nil {
			return b.rows, context.Cause(ctx)
		}
	}
	return b.rows, errors.Join(errs...)
}

// bench is a run under way.
type bench struct {
	o    Options
	rows []Row
	dirs int
}

func (b *bench) add(r Row) {
	b.rows = append(b.rows, r)
	b.o.Log.Info("row", "name", r.Name, "clients", r.Clients, "value", fmt.Sprintf("%.3g %s", r.Value, r.Unit), "met", r.Met())
}

// pick is a number that is smaller in the short form.
func (b *bench) pick(long, short int) int {
	if b.o.Short {
		return short
	}
	return long
}

// folder makes a directory of its own.
func (b *bench) folder(name string) (string, error) {
	b.dirs++
	dir := filepath.Join(b.o.Dir, fmt.Sprintf("%02d-%s", b.dirs, name))
	return dir, os.MkdirAll(dir, 0o700)
}

// gateway starts a program on a fresh directory with so many sessions.
func (b *bench) gateway(ctx context.Context, binary string, entries int, config string) (*process, error) {
	dir, err := b.folder("state")
	if err != nil {
		return nil, err
	}
	if err := seed(dir, entries, b.pick(1000, 200)); err != nil {
		return nil, fmt.Errorf("seed %d sessions: %w", entries, err)
	}
	return b.serve(ctx, binary, dir, config)
}

// serve starts a program on a directory and waits until it lets clients in.
func (b *bench) serve(ctx context.Context, binary, dir, config string) (*process, error) {
	p, err := startGateway(binary, dir, config)
	if err != nil {
		return nil, err
	}
	if _, err := p.ready(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// floor starts the floor.
func (b *bench) floor(ctx context.Context, model string) (*process, error) {
	dir, err := b.folder("floor")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := start("floor", dir, port, b.o.Self, "-floor", fmt.Sprint(port), "-dir", dir, "-model", model)
	if err != nil {
		return nil, err
	}
	if _, err := p.ready(ctx); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// sides are the processes of one measurement: Parley, the other one if there is
// one, and the floor.
type sides struct{ parley, other, floor *process }

func (s sides) stop() {
	s.parley.stop()
	s.other.stop()
	s.floor.stop()
}

// sides starts them, gateways with so many sessions.
func (b *bench) sides(ctx context.Context, entries int, config, model string) (s sides, err error) {
	if s.parley, err = b.gateway(ctx, b.o.Parley, entries, config); err == nil && b.o.Other != "" {
		s.other, err = b.gateway(ctx, b.o.Other, entries, config)
	}
	if err == nil {
		s.floor, err = b.floor(ctx, model)
	}
	if err != nil {
		s.stop()
	}
	return s, err
}

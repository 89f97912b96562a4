package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/doctor"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// doctorCommand is `parley doctor`.
type doctorCommand struct {
	reachFlags
	Fix  bool `help:"Repair what can be repaired; what is changed is copied first."`
	JSON bool `name:"json" help:"Print the report as JSON."`
}

// Run examines through the daemon of the state directory, or by itself when
// none runs. It fails when something is left that is not all right.
func (c *doctorCommand) Run(s streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := c.report(ctx, s)
	if err != nil {
		return err
	}
	var r doctor.Report
	if err := rawjson.Unmarshal(report, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	if c.JSON {
		err = printPayload(s.out, report, true)
	} else {
		err = printDoctor(s.out, r)
	}
	if err == nil && !r.OK {
		err = silent(exitFailed)
	}
	return err
}

// report does the work and gives the answer of the method doctor.
func (c *doctorCommand) report(ctx context.Context, s streams) (rawjson.Value, error) {
	p := protocol.DoctorParams{Fix: c.Fix}
	if c.URL != "" { // a certain gateway, wherever it is
		return c.ask(ctx, "doctor", p)
	}
	cfg, _, err := load(c.options())
	if f, ok := errors.AsType[fault](err); ok && f.code == exitConfig {
		return c.withoutConfig(ctx, f, s)
	}
	if err != nil {
		return nil, err
	}
	release, err := take(cfg.StateDir)
	if _, running := errors.AsType[inUse](err); running {
		return c.ask(ctx, "doctor", p)
	}
	var troubles []doctor.Finding
	if f, ok := errors.AsType[fault](err); ok && f.code == exitState && !c.Fix {
		// Looking needs no more than reading.
		troubles = append(troubles, doctor.Finding{Severity: doctor.Error, Check: "state-dir", Path: cfg.StateDir, What: f.Error(), Cure: f.remedy})
		release, err = func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	defer release()
	return c.offline(ctx, cfg, c.Fix, troubles, s)
}

// withoutConfig examines what can be found without a configuration that holds:
// what is repaired depends on it, so nothing is.
func (c *doctorCommand) withoutConfig(ctx context.Context, wrong fault, s streams) (rawjson.Value, error) {
	cfg, _, err := config.Parse("{}", c.options())
	if err != nil {
		return nil, wrong
	}
	found := []doctor.Finding{{
		Severity: doctor.Error, Check: "config", Path: cfg.Path, What: wrong.Error(),
		Cure: "Mend the file: the next start refuses it. The rest was examined as without a configuration, and nothing is repaired until it holds.",
	}}
	release, err := take(cfg.StateDir)
	if _, running := errors.AsType[inUse](err); running {
		found[0].Cure = "Mend the file: the next start refuses it. The daemon runs with what it read before; nothing else was examined."
		r := doctor.NewReport(cfg.StateDir, c.Fix, found)
		return rawjson.Marshal(r)
	}
	if err != nil {
		return nil, wrong
	}
	defer release()
	return c.offline(ctx, cfg, false, found, s)
}

// offline does it in this process.
func (c *doctorCommand) offline(ctx context.Context, cfg *config.Config, fix bool, troubles []doctor.Finding, s streams) (report rawjson.Value, err error) {
	log := slog.New(slog.DiscardHandler) // the report says it all
	p := doctor.Parts{
		Config: cfg, Log: log, Troubles: troubles,
		Transcripts: transcript.New(transcript.Options{StateDir: cfg.StateDir, Home: cfg.Home, Log: log}),
	}
	p.Stores, err = sessions.OpenStores(sessions.Options{Config: cfg, Log: log, ReadOnly: !fix, KeepLeftovers: true})
	if err != nil {
		return nil, err
	}
	line := newStatusLine(s.err)
	r, err := doctor.Examine(ctx, p, doctor.Options{Fix: fix, Progress: line.show})
	line.clear()
	r.Fix = c.Fix
	if err = errors.Join(err, p.Stores.Close()); err != nil {
		return nil, fmt.Errorf("examine %s: %w", cfg.StateDir, err)
	}
	return rawjson.Marshal(r)
}

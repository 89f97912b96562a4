package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
)

// cleanupCommand is `parley sessions cleanup`.
type cleanupCommand struct {
	reachFlags
	Store      string `placeholder:"PATH" help:"Session store file (default: that of the default agent)."`
	Agent      string `placeholder:"ID" help:"Agent whose store is meant."`
	AllAgents  bool   `help:"The stores of all agents."`
	DryRun     bool   `help:"Change nothing; show what mode enforce would do."`
	Enforce    bool   `help:"Apply the limits even in mode warn."`
	FixMissing bool   `help:"Remove sessions whose transcript is not there."`
	ActiveKey  string `placeholder:"KEY" help:"A session that stays."`
	JSON       bool   `name:"json" help:"Print the report as JSON."`
}

// Run cleans up through the daemon of the state directory, or by itself when
// none runs.
func (c *cleanupCommand) Run(s streams) error {
	switch {
	case c.Agent != "" && c.AllAgents:
		return bare{"--agent and --all-agents cannot be used together"}
	case c.Store != "" && (c.Agent != "" || c.AllAgents):
		return bare{"--store cannot be combined with --agent or --all-agents"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := c.report(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		return printPayload(s.out, report, true)
	}
	var r upkeep.Result
	if err := rawjson.Unmarshal(report, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return printCleanup(s.out, r, time.Now())
}

// params are what the method is asked for.
func (c *cleanupCommand) params() protocol.SessionsCleanupParams {
	return protocol.SessionsCleanupParams{
		Agent: c.Agent, AllAgents: c.AllAgents, Store: c.Store, DryRun: c.DryRun, Enforce: c.Enforce,
		FixMissing: c.FixMissing, ActiveKey: c.ActiveKey, Actions: c.DryRun && !c.JSON,
	}
}

// report does the work and gives the answer of sessions.cleanup.
func (c *cleanupCommand) report(ctx context.Context, s streams) (rawjson.Value, error) {
	if c.URL != "" { // a certain gateway, wherever it is
		return c.ask(ctx, "sessions.cleanup", c.params())
	}
	cfg, _, err := load(c.options())
	if err != nil {
		return nil, err
	}
	p := c.params()
	if c.Store != "" {
		p.Store = cfg.Expand(c.Store)
		if !ours(cfg, p.Store) {
			// Whoever uses that file holds its own lock.
			alone := *cfg
			alone.Session.Store = p.Store
			return c.offline(ctx, &alone, p, s)
		}
	}
	release, err := take(cfg.StateDir)
	if _, running := errors.AsType[inUse](err); running {
		return c.ask(ctx, "sessions.cleanup", p)
	}
	if err != nil {
		return nil, err
	}
	defer release()
	return c.offline(ctx, cfg, p, s)
}

// ours reports whether the file at path is a store of the configuration.
func ours(cfg *config.Config, path string) bool {
	stores, err := sessions.OpenStores(sessions.Options{Config: cfg})
	if err != nil {
		return false
	}
	defer stores.Close() // nothing was written
	_, known := upkeep.Keeper{Stores: stores}.Named(path)
	return known
}

// offline does it in this process.
func (c *cleanupCommand) offline(ctx context.Context, cfg *config.Config, p protocol.SessionsCleanupParams, s streams) (report rawjson.Value, err error) {
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k := upkeep.Keeper{
		Config: cfg, Log: log, Records: upkeep.NewRecords(nil),
		Transcripts: transcript.New(transcript.Options{StateDir: cfg.StateDir, Home: cfg.Home, Log: log}),
	}
	k.Stores, err = sessions.OpenStores(sessions.Options{Config: cfg, Log: log, Removed: k.ArchiveRemoved, Swept: k.Swept})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Stores.Close()) }()
	r, _, err := k.Cleanup(ctx, p)
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return nil, bare{e.Message}
	}
	if err != nil {
		return nil, err
	}
	return rawjson.Marshal(r)
}

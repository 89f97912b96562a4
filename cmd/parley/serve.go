package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/certs"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

// serveCommand is `parley serve`.
type serveCommand struct {
	placeFlags
	Port      int    `placeholder:"N" help:"Port to listen on (default 18789)."`
	Bind      string `placeholder:"WHERE" help:"Where to listen: loopback, lan or an address (default loopback)."`
	Token     string `placeholder:"TOKEN" env:"PARLEY_TOKEN" help:"Shared token that clients must present."`
	Admin     string `placeholder:"ADDRESS" help:"Loopback address with a port where metrics and profiles are served without a token, such as 127.0.0.1:9090 (default: parley.admin, else none)."`
	LogFormat string `enum:"text,json" default:"text" help:"Form of the log: ${enum}."`
	Verbose   bool   `short:"v" help:"Log more."`
}

// Validate refuses a --bind that means nothing, before anything is read.
func (c *serveCommand) Validate() error {
	if c.Admin != "" {
		if err := config.CheckAdmin(c.Admin); err != nil {
			return fmt.Errorf("--admin: %w", err)
		}
	}
	switch c.Bind {
	case "", "loopback", "lan", "auto", "tailnet":
		return nil
	}
	if _, err := netip.ParseAddr(c.Bind); err != nil {
		return fmt.Errorf("--bind: %q is neither loopback, lan, auto, tailnet nor an address", c.Bind)
	}
	return nil
}

// graceful is how long an orderly end may take, and endTime what it may take once
// runs have been waited for (parley.drain).
const graceful, endTime = 10 * time.Second, 5 * time.Second

// Run serves until a signal comes.
func (c *serveCommand) Run(io streams) error {
	o := c.options()
	o.Port, o.Bind, o.Token, o.Admin = c.Port, c.Bind, c.Token, c.Admin
	cfg, warnings, err := load(o)
	if err != nil {
		return err
	}
	var level slog.LevelVar
	setLevel := func(cfg *config.Config) { level.Set(c.level(cfg)) }
	setLevel(cfg)
	log, closeLog, err := newLog(io.err, c.LogFormat, &level, cfg)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn(string(w))
	}
	var limit atomic.Int64
	reloaded := func(cfg *config.Config) {
		setLevel(cfg)
		limit.Store(int64(max(graceful, cfg.Parley.Drain+endTime)))
	}
	reloaded(cfg)
	ctx, stop := stopOnSignal(log, func() time.Duration { return time.Duration(limit.Load()) })
	defer stop()
	defer pace()()
	err = serve(ctx, cfg, log, io, reloaded)
	return errors.Join(err, closeLog())
}

// level is what the log leaves out under a configuration.
func (c *serveCommand) level(cfg *config.Config) slog.Level {
	if c.Verbose {
		return slog.LevelDebug
	}
	return levelOf(cfg.Logging.Level)
}

// serve builds the parts in order, runs them until ctx ends, and undoes it.
// reloaded is told of each configuration that it goes on with.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger, io streams, reloaded func(*config.Config)) (err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // from the start on: a hangup too early must not end us
	defer signal.Stop(hangup)
	self := owner{PID: os.Getpid(), Port: cfg.Gateway.Port, URL: localURL(cfg.Gateway)}
	release, err := own(cfg.StateDir, self)
	if err != nil {
		return err
	}
	defer release()
	cfg, first, err := config.EnsureToken(cfg)
	if err != nil {
		return fault{exitState, err, "Put a token into gateway.auth.token, or choose another directory with --state-dir."}
	}
	if err := cfg.CheckStart(); err != nil {
		return fault{exitConfig, err, "Nothing was started. Mend the configuration, or give --bind and --token."}
	}
	settleTailnet(&cfg.Gateway, tailnetHost(), log)
	pair, err := loadPair(cfg, log)
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, cfg.Gateway, log)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	if pair != nil {
		for i, l := range listeners {
			listeners[i] = tls.NewListener(l, pair.Config())
		}
		self.Fingerprint = pair.Fingerprint
		if err := announce(cfg.StateDir, self); err != nil {
			return stateFault(cfg.StateDir, err)
		}
	}
	tracer, closeTracer, err := newTracer(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer closeTracer()
	g, err := gateway.New(gateway.Options{Config: cfg, Log: log, Version: versionText(), Reloaded: reloaded, Tracer: tracer})
	if err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if first || isTerminal(io.out) {
		greet(io.out, cfg, pair)
	}
	log.Info("serving", "address", localAddress(cfg.Gateway), "state", cfg.StateDir, "config", cfg.Path, "version", versionText())
	closeAdmin, err := serveAdmin(cfg.Parley.Admin, g, log)
	if err != nil {
		return err
	}
	defer closeAdmin()
	stop := attend(ctx, g, cfg, log, hangup)
	defer stop()
	if err := g.Serve(ctx, listeners...); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// loadPair is the certificate of gateway.tls, nil when that is off.
func loadPair(cfg *config.Config, log *slog.Logger) (*certs.Pair, error) {
	if !cfg.Gateway.TLS.Enabled {
		return nil, nil
	}
	pair, err := certs.Load(cfg.Gateway.TLS, cfg.StateDir, nil)
	if err != nil {
		return nil, fault{exitConfig, err, "Give both files (gateway.tls.certPath and keyPath), or neither and let the gateway make them (gateway.tls.autoGenerate)."}
	}
	if pair.Made {
		log.Info("made a certificate that it signed itself", "cert", pair.CertPath, "key", pair.KeyPath, "fingerprint", pair.Fingerprint)
	}
	return pair, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close() // most are closed by now
	}
}

// stopOnSignal ends the context at the first SIGINT or SIGTERM. A second one
// ends the process at once, and so does an end that takes longer than limit says.
func stopOnSignal(log *slog.Logger, limit func() time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s, ok := <-signals
		if !ok {
			return
		}
		log.Info("stopping", "signal", s.String())
		cancel(fmt.Errorf("signal %s", s))
		select {
		case _, ok := <-signals:
			if ok {
				log.Warn("stopped at once by a second signal")
				os.Exit(exitFailed)
			}
		case <-time.After(limit()):
			log.Error("the gateway did not end in time", "limit", limit())
			os.Exit(exitFailed)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

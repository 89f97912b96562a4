package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

// attend looks after a gateway that begins to serve: it has the configuration
// read again when its files change or SIGHUP comes, and keeps systemd informed.
// stop ends that. hangup gets SIGHUP.
func attend(ctx context.Context, g *gateway.Gateway, cfg *config.Config, log *slog.Logger, hangup <-chan os.Signal) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	n := notifierOf(os.Getenv)
	tell := func(state ...string) {
		if err := n.tell(state...); err != nil {
			log.Warn("the service manager cannot be told", "err", err)
		}
	}
	wg.Go(func() {
		for {
			select {
			case <-hangup:
				tell("RELOADING=1", monotonic())
				_ = g.Reload() // told in the log
				tell("READY=1")
			case <-ctx.Done():
				return
			}
		}
	})
	wg.Go(func() { watchFiles(ctx, g.ConfigFiles, g.FilesChanged, log) })
	if every := n.watchdog; every > 0 {
		wg.Go(func() { watchdog(ctx, every/2, g.Pulse, func() { tell("WATCHDOG=1") }) })
	}
	tell("READY=1", "STATUS=serving on "+localAddress(cfg.Gateway))
	context.AfterFunc(ctx, func() { tell("STOPPING=1") })
	return func() {
		cancel()
		wg.Wait()
	}
}

// watchdog tells the service manager that the gateway lives, as long as it does:
// pulse returns when its locks can be had.
func watchdog(ctx context.Context, every time.Duration, pulse, alive func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		pulse()
		alive()
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

package sessionstest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// start runs a gateway on the state directory, until stop is called. files is
// the way to the disk, nil for the plain system.
func start(t testing.TB, dir, configPath string, files *disk.FS) (l *gatewaytest.Listener, stop func()) {
	t.Helper()
	cfg, _, err := config.Load(config.Options{Path: configPath, StateDir: dir, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test", Disk: files})
	if err != nil {
		t.Fatal(err)
	}
	l = gatewaytest.NewListener(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	return l, sync.OnceFunc(func() {
		cancel()
		err := <-ended
		if err == nil {
			err = g.Close()
		}
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

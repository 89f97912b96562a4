package gatewaytest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// inProcess is a Starter that runs the gateway in this process, as
// `parley serve` wires it.
func inProcess(_ context.Context, l gatewaytest.Launch) (func(kill bool), error) {
	cfg, _, err := config.Load(config.Options{Path: l.ConfigPath, StateDir: l.StateDir, Env: lookup(l.Env())})
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(gateway.Options{
		Config: cfg, Log: slog.New(slog.NewTextHandler(l.Log, nil)), Version: "test",
	})
	if err != nil {
		return nil, err
	}
	ls, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.Port))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := g.Serve(ctx, ls); err != nil {
			fmt.Fprintf(l.Log, "serve: %v\n", err)
		}
		if err := g.Close(); err != nil {
			fmt.Fprintf(l.Log, "close: %v\n", err)
		}
	}()
	return func(bool) {
		cancel()
		<-ended
	}, nil
}

func lookup(environ []string) func(string) string {
	return func(name string) string {
		for _, e := range environ {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

// built builds cmd/parley when it is first asked for, once.
func built(t *testing.T) func() (string, error) {
	dir := t.TempDir()
	return sync.OnceValues(func() (string, error) { return gatewaytest.Build(context.Background(), dir) })
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// work is what commands have in common that look after sessions and devices: they
// go through the daemon when one runs, and have the state directory for
// themselves when none does.
type work struct {
	reachFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// do gives use a connection, and ends with Ctrl-C.
func (w work) do(s streams, use func(ctx context.Context, c *client.Conn) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return mistaken(w.session(ctx, s, func(c *client.Conn) error { return use(ctx, c) }))
}

// fetch calls a method and gives its result, as it came and decoded.
func fetch[P, R any](ctx context.Context, c *client.Conn, m client.Method[P, R], params P) (result R, raw rawjson.Value, err error) {
	raw, err = c.Call(ctx, string(m), params)
	if err != nil || raw == nil {
		return result, raw, err
	}
	if err := rawjson.Unmarshal(raw, &result); err != nil {
		return result, raw, fmt.Errorf("read the answer of %s: %w", m, err)
	}
	return result, raw, nil
}

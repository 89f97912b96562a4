package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/parleyd/parley/client"
)

// healthCommand is `parley health`.
type healthCommand struct {
	reachFlags
	JSON    bool          `name:"json" help:"Print the answer of the method health."`
	Timeout time.Duration `default:"10s" placeholder:"TIME" help:"Give up after this time (default ${default})."`
}

// Run asks a running gateway how it is; it fails when that is not well.
func (c *healthCommand) Run(s streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("nothing came within %s", c.Timeout))
	defer cancel()
	return mistaken(c.remote(ctx, func(conn *client.Conn) error {
		start := time.Now()
		h, raw, err := fetch(ctx, conn, client.Health, client.HealthParams{Probe: true})
		if err != nil {
			return err
		}
		if c.JSON {
			err = printPayload(s.out, raw, true)
		} else {
			_, err = fmt.Fprint(s.out, healthText(lookOf(s.out), conn.Hello(), h, time.Since(start)))
		}
		if err == nil && !h.OK {
			err = silent(exitFailed)
		}
		return err
	}))
}

// healthText is a line: whether all is well, and what is there.
func healthText(l look, hello *client.Hello, h client.HealthResult, took time.Duration) string {
	verdict := l.in(green, "ok")
	if !h.OK {
		verdict = l.in(red, "not well")
	}
	up := (time.Duration(hello.Snapshot.UptimeMs) * time.Millisecond).Round(time.Second)
	return fmt.Sprintf("%s  version %s, protocol %d, up %s, %s, %s, answered in %s\n", verdict, hello.Server.Version, hello.Protocol, up,
		count(len(h.Agents), "agent"), count(h.Sessions.Count, "session"), took.Round(100*time.Microsecond))
}

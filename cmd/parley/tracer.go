package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/tracing"
)

// lastSpans is how long sending the last spans may take at the end.
const lastSpans = 2 * time.Second

// newTracer is the tracer of a configuration, nil when it wants none.
func newTracer(ctx context.Context, cfg *config.Config, log *slog.Logger) (*tracing.Tracer, func(), error) {
	t, err := tracing.New(ctx, tracing.Options{
		Endpoint: cfg.Parley.Tracing.Endpoint, Ratio: cfg.Parley.Tracing.Ratio,
		Version: versionText(), Getenv: cfg.Getenv, Log: log,
	})
	if err != nil {
		return nil, nil, fault{exitConfig, err, "Change parley.tracing.endpoint in the configuration, or the variables OTEL_EXPORTER_OTLP_*."}
	}
	return t, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		if err := t.Close(ctx); err != nil {
			log.Warn("the last traces could not be sent", "err", err)
		}
	}, nil
}

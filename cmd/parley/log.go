package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/parleyd/parley/internal/config"
)

// newLog makes the daemon's logger: for people on stderr, coloured on a
// terminal, or JSON; and JSON into the configured file, else into one for each
// day, which clients read (logs.tail). close ends that file. What is less than
// level is left out; it may change at any time.
func newLog(w *os.File, format string, level *slog.LevelVar, c *config.Config) (log *slog.Logger, close func() error, err error) {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: plainAttr}
	var handler slog.Handler
	switch {
	case format == "json":
		handler = slog.NewJSONHandler(w, options)
	case isTerminal(w):
		handler = tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, ReplaceAttr: plainAttr, NoColor: !coloured(os.Getenv)})
	default:
		handler = slog.NewTextHandler(w, options)
	}
	var file io.WriteCloser = &dailyLog{config: c}
	if c.Logging.File != "" {
		// A file that somebody asked for is one that somebody will look for.
		if file, err = openLog(c.Logging.File); err != nil {
			return nil, nil, fault{exitConfig, fmt.Errorf("open the log file: %w", err), "Change logging.file in the configuration."}
		}
	}
	return slog.New(slog.NewMultiHandler(handler, slog.NewJSONHandler(file, options))), file.Close, nil
}

// levelOf translates logging.level, which knows more levels than slog.
func levelOf(name string) slog.Level {
	switch name {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error", "fatal":
		return slog.LevelError
	case "silent":
		return slog.LevelError + 100
	}
	return slog.LevelInfo
}

package runs

import (
	"context"
	"log/slog"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

// Models opens the models of a configuration for who asks them without a
// session. It is safe for concurrent use.
type Models struct{ c configured }

// NewModels makes a Models; Close it. The log is for what programs that answer
// write, the version is told to them; what they ask for is denied.
func NewModels(c *config.Config, log *slog.Logger, version string) Models {
	return Models{newConfigured(Options{Config: c, Log: log, Version: version}, config.NewLive(c))}
}

// Open is the model that ref names, as runs have it. It never settles for
// another one.
func (m Models) Open(ref config.ModelRef) (model.Model, error) { return m.c.open(ref) }

// Close gives up the connections that were kept for the next turn, and ends the
// programs that were started: at once when ctx has ended.
func (m Models) Close(ctx context.Context) { m.c.close(ctx) }

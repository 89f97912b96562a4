package runs

import (
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

// Models opens the models of a configuration for who asks them without a
// session. It is safe for concurrent use.
type Models struct{ c configured }

// NewModels makes a Models; Close it.
func NewModels(c *config.Config) Models { return Models{newConfigured(c)} }

// Open is the model that ref names, as runs have it. It never settles for
// another one.
func (m Models) Open(ref config.ModelRef) (model.Model, error) { return m.c.open(ref) }

// Close gives up the connections that were kept for the next turn.
func (m Models) Close() { m.c.client.CloseIdleConnections() }

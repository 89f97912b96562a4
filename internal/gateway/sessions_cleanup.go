package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/upkeep"
)

// sessionsCleanup applies the maintenance rules to stores now, or says what
// that would do. The sessions that it removed are announced even when it could
// not be done with all.
func (g *Gateway) sessionsCleanup(ctx context.Context, c *call, p protocol.SessionsCleanupParams) (upkeep.Result, error) {
	r, gone, err := g.keeper().Cleanup(ctx, p)
	c.After(func() {
		for _, key := range gone {
			g.publishChanged(key, "delete")
		}
	})
	return r, err
}

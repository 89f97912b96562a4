package gateway

import (
	"context"
	"fmt"

	"github.com/parleyd/parley/internal/doctor"
	"github.com/parleyd/parley/internal/protocol"
)

// doctor examines the state directory while it is in use and, if asked,
// repairs it. Two examinations at the same time would repair the same.
func (g *Gateway) doctor(ctx context.Context, c *call, p protocol.DoctorParams) (doctor.Report, error) {
	if !g.examining.TryLock() {
		return doctor.Report{}, protocol.Unavailablef("the state directory is being examined already; try again when that is done")
	}
	defer g.examining.Unlock()
	r, err := doctor.Examine(ctx, doctor.Parts{
		Config: g.cfg(), Stores: g.stores, Transcripts: g.transcripts, Log: g.log, Running: g.engine.Active,
	}, doctor.Options{Fix: p.Fix})
	c.After(func() {
		for _, key := range r.Ended {
			g.publishChanged(key, "patch")
		}
	})
	if err != nil {
		return r, fmt.Errorf("examine the state directory: %w", err)
	}
	for _, f := range r.Findings {
		if f.Fixed {
			g.log.Warn("repaired by doctor", "check", f.Check, "path", f.Path, "what", f.What, "copies", f.Copies)
		}
	}
	return r, nil
}

package gateway

import (
	"context"
	"errors"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

type configEditResult struct {
	OK     bool          `json:"ok"`
	Path   string        `json:"path"`
	Config rawjson.Value `json:"config"`
	Hash   string        `json:"hash"` // for the next edit
	// RestartRequired says that the gateway runs with another configuration
	// than the file now has.
	RestartRequired bool `json:"restartRequired"`
}

// configSet replaces the configuration file.
func (g *Gateway) configSet(_ context.Context, c *call, p protocol.ConfigSetParams) (configEditResult, error) {
	return g.editConfig(c, p.Raw, p.BaseHash, "", g.cfg().Replace)
}

// configApply replaces the configuration file. It does not restart anything:
// who runs the daemon does.
func (g *Gateway) configApply(_ context.Context, c *call, p protocol.ConfigApplyParams) (configEditResult, error) {
	return g.editConfig(c, p.Raw, p.BaseHash, p.Note, g.cfg().Replace)
}

// configPatch changes members of the configuration file.
func (g *Gateway) configPatch(_ context.Context, c *call, p protocol.ConfigApplyParams) (configEditResult, error) {
	return g.editConfig(c, p.Raw, p.BaseHash, p.Note, g.cfg().Patch)
}

func (g *Gateway) editConfig(c *call, raw, base, note string, edit func(raw, base string) (config.Source, error)) (configEditResult, error) {
	g.editing.Lock()
	defer g.editing.Unlock()
	now, err := edit(raw, base)
	if refusal, ok := errors.AsType[*config.Refusal](err); ok {
		return configEditResult{}, refusedEdit(refusal)
	}
	if err != nil {
		return configEditResult{}, err
	}
	r := configEditResult{
		OK: true, Path: g.cfg().Path, Config: now.Redacted().Resolved, Hash: now.Hash(),
		RestartRequired: g.takeIn(now),
	}
	g.log.Info("configuration written", "conn", c.conn.id, "method", c.method, "path", r.Path, "note", note, "restartRequired", r.RestartRequired)
	return r, nil
}

func refusedEdit(r *config.Refusal) error {
	err := protocol.Invalidf("%s", r.Reason)
	if r.Issues != nil {
		err = err.WithDetails(struct {
			Issues []config.Issue `json:"issues"`
		}{r.Issues})
	}
	return err
}

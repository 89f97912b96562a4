package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

type configGetResult struct {
	Path   string         `json:"path"`
	Exists bool           `json:"exists"`
	Raw    *string        `json:"raw"` // null without a file
	Parsed rawjson.Value  `json:"parsed"`
	Valid  bool           `json:"valid"`
	Config rawjson.Value  `json:"config"`
	Hash   string         `json:"hash"`
	Issues []config.Issue `json:"issues"`
}

// configGet shows the configuration file as it is now, without secrets.
func (g *Gateway) configGet(context.Context, *call, protocol.NoParams) (configGetResult, error) {
	current := g.cfg().Current()
	shown := current.Redacted()
	r := configGetResult{
		Path: g.cfg().Path, Exists: shown.Exists, Parsed: shown.Parsed, Valid: len(shown.Issues) == 0,
		Config: shown.Resolved, Hash: current.Hash(), Issues: shown.Issues,
	}
	if r.Exists {
		r.Raw = &shown.Raw
	}
	if r.Config == nil {
		r.Config = rawjson.Value("{}")
	}
	return r, nil
}

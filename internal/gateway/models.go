package gateway

import (
	"context"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

type modelsListResult struct {
	Models []modelEntry `json:"models"`
}

// modelEntry is one model of models.list. Of a model that only the allow-list
// names nothing but its id is known.
type modelEntry struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Provider      string   `json:"provider"`
	ContextWindow int64    `json:"contextWindow,omitzero"`
	Reasoning     *bool    `json:"reasoning,omitzero"`
	Input         []string `json:"input,omitzero"`
}

func (g *Gateway) modelsList(context.Context, *call, protocol.NoParams) (modelsListResult, error) {
	r := modelsListResult{Models: []modelEntry{}}
	for _, m := range g.cfg().Catalogue() {
		entry := modelEntry{ID: m.Model.ID, Name: m.Model.Name, Provider: m.Provider}
		if m.Known {
			entry.ContextWindow, entry.Reasoning, entry.Input = m.Model.ContextWindow, &m.Model.Reasoning, m.Model.Input
		}
		r.Models = append(r.Models, entry)
	}
	return r, nil
}

// lastHeartbeat answers null: there are no heartbeats, and clients ask.
func (g *Gateway) lastHeartbeat(context.Context, *call, protocol.NoParams) (rawjson.Value, error) {
	return rawjson.Value("null"), nil
}

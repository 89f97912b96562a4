package gateway

import (
	"context"
	"slices"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

type configSchemaResult struct {
	Schema      rawjson.Value `json:"schema"`
	UIHints     struct{}      `json:"uiHints"` // there are none
	Version     string        `json:"version"`
	GeneratedAt string        `json:"generatedAt"`
}

// configSchema describes the whole configuration, for forms.
func (g *Gateway) configSchema(context.Context, *call, protocol.NoParams) (configSchemaResult, error) {
	return configSchemaResult{Schema: config.Schema(), Version: g.version, GeneratedAt: jstext.ISO(g.started)}, nil
}

type configSchemaLookupResult struct {
	Path     string            `json:"path"`
	Schema   rawjson.Value     `json:"schema"`
	Children []configSchemaKey `json:"children"`
}

// configSchemaKey is one key that may stand below a path.
type configSchemaKey struct {
	Key         string `json:"key"`
	Path        string `json:"path"`
	Type        string `json:"type,omitzero"`
	Required    bool   `json:"required"`
	HasChildren bool   `json:"hasChildren"`
}

// configSchemaLookup describes one part of the configuration.
func (g *Gateway) configSchemaLookup(_ context.Context, _ *call, p protocol.ConfigSchemaLookupParams) (configSchemaLookupResult, error) {
	part, path, ok := config.SchemaAt(p.Path)
	if !ok {
		return configSchemaLookupResult{}, protocol.Invalidf("config schema path not found: %s", p.Path)
	}
	return configSchemaLookupResult{Path: path, Schema: part, Children: schemaKeys(path, part)}, nil
}

// schemaKeys are the keys that a schema names, and "*" for all others that it
// allows.
func schemaKeys(path string, schema rawjson.Value) (keys []configSchemaKey) {
	o, err := rawjson.Parse(schema)
	if err != nil {
		return nil
	}
	var required []string
	_ = rawjson.Unmarshal(o.Get("required"), &required) // absent: none
	add := func(name string, v rawjson.Value) {
		k := configSchemaKey{Key: name, Path: name, Required: slices.Contains(required, name)}
		if path != "" {
			k.Path = path + "." + name
		}
		if below, err := rawjson.Parse(v); err == nil {
			k.Type = below.Text("type")
			k.HasChildren = below.Has("properties") || below.Has("items") || rawjson.Kind(below.Get("additionalProperties")) == '{'
		}
		keys = append(keys, k)
	}
	if properties, err := rawjson.Parse(o.Get("properties")); err == nil {
		for name, v := range properties.All() {
			add(name, v)
		}
	}
	for _, rest := range []rawjson.Value{o.Get("additionalProperties"), o.Get("items")} {
		if rawjson.Kind(rest) == '{' {
			add("*", rest)
		}
	}
	return keys
}

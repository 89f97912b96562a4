package sessions

import (
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// SelectedModel is the model that a session's next run uses: the one chosen
// for the session, else the agent's default. With a stored provider the model
// id is taken whole, slashes and all.
func SelectedModel(c *config.Config, agent string, e Entry) config.ModelRef {
	model := jstext.Trim(e.Text("modelOverride"))
	if model == "" {
		return c.DefaultModel(agent)
	}
	if provider := config.NormalizeProvider(e.Text("providerOverride")); provider != "" {
		return config.ModelRef{Provider: provider, Model: model}
	}
	if ref, ok := splitModel(model); ok {
		return ref
	}
	return config.ModelRef{Provider: c.DefaultModel(agent).Provider, Model: model}
}

// ResolvedModel is the model of a session's last run when one is known, else
// the selected one. It always names a provider.
func ResolvedModel(c *config.Config, agent string, e Entry) config.ModelRef {
	model, provider := jstext.Trim(e.Text("model")), jstext.Trim(e.Text("modelProvider"))
	if model == "" {
		return SelectedModel(c, agent, e)
	}
	if provider != "" {
		return config.ModelRef{Provider: provider, Model: model}
	}
	if ref, ok := splitModel(model); ok {
		return ref
	}
	return config.ModelRef{Provider: c.DefaultModel(agent).Provider, Model: model}
}

// ShownModel is the model that a row shows. Unlike ResolvedModel it leaves the
// provider empty rather than guess.
func ShownModel(c *config.Config, agent string, e Entry) config.ModelRef {
	model, provider := jstext.Trim(e.Text("model")), jstext.Trim(e.Text("modelProvider"))
	if model == "" {
		return SelectedModel(c, agent, e)
	}
	if provider == "" {
		if only, ok := c.ProviderForModel(model); ok {
			provider = only
		} else if ref, ok := splitModel(model); ok {
			return ref
		}
	}
	return config.ModelRef{Provider: provider, Model: model}
}

// splitModel splits "provider/model" at the first slash. The provider gets the
// name by which it is configured; one that is stored as a field keeps its own.
func splitModel(text string) (config.ModelRef, bool) {
	provider, model, ok := strings.Cut(text, "/")
	provider, model = config.NormalizeProvider(provider), jstext.Trim(model)
	if !ok || provider == "" || model == "" {
		return config.ModelRef{}, false
	}
	return config.ModelRef{Provider: provider, Model: model}, true
}

// chooseModel makes m the session's model. What is known of another model's
// runs (its name, its context window, notes on fall-backs) goes with the old
// choice, and so does a choice of credentials.
func chooseModel(o *rawjson.Object, m config.ModelRef, isDefault bool) {
	chosen := false
	set := func(name, value string) {
		if o.Text(name) != value {
			o.Put(name, value)
			chosen = true
		}
	}
	if isDefault {
		chosen = o.Text("providerOverride") != "" || o.Text("modelOverride") != "" // empty ones chose nothing
		o.Delete("providerOverride", "modelOverride")
	} else {
		set("providerOverride", m.Provider)
		set("modelOverride", m.Model)
	}
	model, provider := jstext.Trim(o.Text("model")), jstext.Trim(o.Text("modelProvider"))
	present := model != "" || provider != ""
	aligned := model == m.Model && (provider == "" || provider == m.Provider)
	changed := chosen
	if present && (chosen || !aligned) {
		changed = remove(o, "model", "modelProvider") || changed
	}
	if chosen || present && !aligned {
		changed = remove(o, "contextTokens") || changed
	}
	changed = remove(o, "authProfileOverride", "authProfileOverrideSource", "authProfileOverrideCompactionCount") || changed
	if changed {
		o.Delete("fallbackNoticeSelectedModel", "fallbackNoticeActiveModel", "fallbackNoticeReason")
	}
}

// remove deletes fields and reports whether one of them was there.
func remove(o *rawjson.Object, names ...string) bool {
	n := o.Len()
	o.Delete(names...)
	return o.Len() < n
}

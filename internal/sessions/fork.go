package sessions

import (
	"slices"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Fork is the entry of a session that begins with the conversation of another:
// it has the settings and the choice of model of that, but neither its name,
// nor its place in a chat, nor its lineage. parent is the other's canonical
// key; label may be empty.
func Fork(source Entry, parent, label string, r Rules) (Entry, error) {
	settings := slices.Concat(resetSettings, []string{
		"sendPolicy", "skillsSnapshot", "providerOverride", "modelOverride",
		"groupActivation", "elevatedLevel", "execHost", "execSecurity", "execAsk", "execNode",
	})
	e := r.NewSession().With(func(o *rawjson.Object) {
		for _, name := range settings {
			if v := source.Value(name); v != nil {
				o.Set(name, v)
			}
		}
		o.Put("parentSessionKey", parent)
		o.Put("forkedFromParent", true)
	})
	if label == "" {
		return e, nil
	}
	return Patch(e, protocol.SessionChanges{Label: protocol.Some(label)}, r)
}

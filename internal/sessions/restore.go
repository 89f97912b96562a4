package sessions

import (
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// choiceFields are what depends on the model that a session has chosen.
var choiceFields = []string{
	"model", "modelProvider", "contextTokens", "authProfileOverride", "authProfileOverrideSource", "authProfileOverrideCompactionCount",
	"fallbackNoticeSelectedModel", "fallbackNoticeActiveModel", "fallbackNoticeReason",
}

// Restore is the entry with which an archived conversation goes on: what was
// recorded of it, which may be nothing, under its session id and with its
// transcript at file, if that needs to be said. A session that exists keeps,
// as with a reset, the person's settings and the facts about the chat that it
// has now. One that does not loses its label if another session has that by
// now: labelTaken is it then.
func Restore(recorded, present Entry, exists bool, id, file string, r Rules) (e Entry, labelTaken string) {
	o := recorded.Fields().Clone()
	o.Put("sessionId", id)
	o.Put("updatedAt", r.Now.UnixMilli())
	o.Delete("sessionFile")
	if file != "" {
		o.Put("sessionFile", file)
	}
	if exists {
		keepPresent(&o, present)
		return NewEntry(o), ""
	}
	if label := o.Text("label"); label != "" && r.LabelTaken != nil && r.LabelTaken(label) {
		o.Delete("label")
		return NewEntry(o), label
	}
	return NewEntry(o), ""
}

// keepPresent gives an entry what a reset would have kept of the present one.
func keepPresent(o *rawjson.Object, present Entry) {
	chosen := func() string { return string(o.Get("providerOverride")) + " " + string(o.Get("modelOverride")) }
	before := chosen()
	for _, name := range slices.Concat(resetSettings, resetRoute, resetRest) {
		if v := present.Value(name); v != nil {
			o.Set(name, v)
		} else {
			o.Delete(name)
		}
	}
	o.Delete("deliveryContext") // made anew of the last* fields when it is written
	if chosen() != before {
		o.Delete(choiceFields...)
	}
}

package sessions

import (
	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/rawjson"
)

// What a reset keeps of the old entry, by place in the new one: facts about
// the chat and settings of the person stay, what belongs to the conversation
// that ends goes.
var (
	resetSettings = []string{"thinkingLevel", "fastMode", "verboseLevel", "reasoningLevel", "responseUsage"}
	resetRoute    = []string{"sendPolicy", "label", "origin", "lastChannel", "lastTo", "lastAccountId", "lastThreadId", "skillsSnapshot"}
	resetRest     = []string{
		"providerOverride", "modelOverride",
		"parentSessionKey", "spawnedBy", "spawnedWorkspaceDir", "spawnDepth", "subagentRole", "subagentControlScope", "forkedFromParent",
		"groupActivation", "elevatedLevel", "execHost", "execSecurity", "execAsk", "execNode",
		"displayName", "subject", "channel", "chatType", "groupId", "groupChannel", "space",
	}
)

// Reset is the entry with which a session starts over: a new session id, no
// usage, and what resetSettings, resetRoute and resetRest name.
func Reset(old Entry, r Rules) Entry {
	var o rawjson.Object
	keep := func(names []string) {
		for _, name := range names {
			if v := old.Value(name); v != nil {
				o.Set(name, v)
			}
		}
	}
	m := SelectedModel(r.Config, r.agent(), old)
	o.Put("sessionId", uuid.NewString())
	o.Put("updatedAt", r.Now.UnixMilli())
	o.Put("systemSent", false)
	o.Put("abortedLastRun", false)
	keep(resetSettings)
	o.Put("model", m.Model)
	o.Put("modelProvider", m.Provider)
	keep(resetRoute)
	for _, name := range []string{"inputTokens", "outputTokens", "totalTokens"} {
		o.Put(name, 0)
	}
	o.Put("totalTokensFresh", true)
	keep(resetRest)
	return NewEntry(o)
}

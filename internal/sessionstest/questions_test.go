package sessionstest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// rowFields are what a row takes from its entry as it is.
var rowFields = strings.Fields(`label subject groupChannel space chatType origin sessionId systemSent abortedLastRun thinkingLevel fastMode
	verboseLevel reasoningLevel elevatedLevel sendPolicy inputTokens outputTokens responseUsage status startedAt endedAt runtimeMs
	parentSessionKey spawnedBy deliveryContext lastChannel lastTo lastAccountId channel`)

// row is the view of a session. No session here has a transcript with messages.
func (m *model) row(s stored) map[string]any {
	s.entry = maps.Clone(s.entry)
	s.normalize() // what several spellings brought together
	r := map[string]any{"key": s.key, "kind": kind(s), "updatedAt": s.entry["updatedAt"], "totalTokensFresh": false}
	for _, name := range rowFields {
		if v, ok := s.entry[name]; ok {
			r[name] = v
		}
	}
	channel, id, ok := group(s.key)
	if ok {
		r["channel"] = channel
	}
	if name, named := s.entry["displayName"]; named {
		r["displayName"] = name
	} else if ok {
		r["displayName"] = channel + ":g-" + cmp.Or(s.text("subject"), id)
	} else if label := s.text("label"); label != "" {
		r["displayName"] = label
	}
	if n := s.number("totalTokens"); n > 0 && s.entry["totalTokensFresh"] != false {
		r["totalTokens"], r["totalTokensFresh"] = n, true
	}
	if n := s.number("contextTokens"); n > 0 {
		r["contextTokens"] = n
	}
	shown := m.shownModel(s)
	r["model"] = shown.model
	if shown.provider != "" {
		r["modelProvider"] = shown.provider
	}
	var children []any
	for _, o := range m.combined() {
		named := o.text("spawnedBy") == s.key || trim(o.text("parentSessionKey")) == s.key
		if named && o.key != s.key {
			children = append(children, o.key)
		}
	}
	if children != nil {
		r["childSessions"] = children
	}
	return r
}

// title is the derivedTitle of a session without messages.
func title(s stored) string {
	id := s.text("sessionId")
	if id == "" {
		return ""
	}
	if name := cmp.Or(trim(s.text("displayName")), s.text("subject")); name != "" {
		return name
	}
	id = id[:min(len(id), 8)]
	if at := s.number("updatedAt"); at != 0 {
		id += time.UnixMilli(int64(at)).UTC().Format(" (2006-01-02)")
	}
	return id
}

func kind(s stored) string {
	switch {
	case s.key == "global" || s.key == "unknown":
		return s.key
	case strings.Contains(s.key, ":group:") || strings.Contains(s.key, ":channel:"):
		return "group"
	}
	return "direct"
}

// group is the channel and id that a group key names.
func group(key string) (channel, id string, ok bool) {
	parts := strings.SplitN(rest(key), ":", 3)
	if len(parts) < 3 || parts[1] != "group" && parts[1] != "channel" {
		return "", "", false
	}
	return parts[0], parts[2], true
}

// shownModel is the model of a row.
func (m *model) shownModel(s stored) ref {
	model, provider := trim(s.text("model")), trim(s.text("modelProvider"))
	if model == "" {
		return m.conf.chosen(m.agentOf(s.key), s.entry)
	}
	if provider == "" {
		provider = m.conf.only(model)
	}
	if provider == "" {
		if r, ok := split(model); ok {
			return r
		}
	}
	return ref{provider, model}
}

// resolvedModel is the model that patch answers.
func (m *model) resolvedModel(key string, e entry) ref {
	model, provider := trim(e.text("model")), trim(e.text("modelProvider"))
	agent := m.agentOf(key)
	switch r, ok := split(model); {
	case model == "":
		return m.conf.chosen(agent, e)
	case provider != "":
		return ref{provider, model}
	case ok:
		return r
	}
	return ref{m.conf.defaultModel(agent).provider, model}
}

// eventFields are those of a row that sessions.changed carries.
var eventFields = strings.Fields(`updatedAt sessionId kind channel label displayName deliveryContext parentSessionKey childSessions thinkingLevel
	systemSent abortedLastRun lastChannel lastTo lastAccountId totalTokens totalTokensFresh contextTokens estimatedCostUsd
	modelProvider model status startedAt endedAt runtimeMs`)

// changed is the payload of sessions.changed, without its time.
func (m *model) changed(key, reason string) map[string]any {
	out := map[string]any{"sessionKey": key, "reason": reason}
	s, ok := m.home(key).find(key)
	if !ok {
		return out
	}
	s.key = key
	row := m.row(s)
	for _, name := range eventFields {
		if v, ok := row[name]; ok {
			out[name] = v
		}
	}
	return out
}

// list are the sessions that pass all filters, newest first.
func (m *model) list(p params) []stored {
	var out []stored
	for _, s := range m.combined() {
		if m.shown(s, p) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b stored) int { return cmp.Compare(b.number("updatedAt"), a.number("updatedAt")) })
	if text := lower(trim(p.text("search"))); text != "" {
		out = slices.DeleteFunc(out, func(s stored) bool { return !m.contains(s, text) })
	}
	if minutes, ok := p["activeMinutes"].(float64); ok {
		out = slices.DeleteFunc(out, func(s stored) bool { return s.number("updatedAt") < m.now-minutes*60000 })
	}
	if limit, ok := p["limit"].(float64); ok {
		out = out[:min(len(out), int(limit))]
	}
	return out
}

// shown reports whether a session passes the filters that do not need its row.
func (m *model) shown(s stored, p params) bool {
	special := s.key == "global" || s.key == "unknown"
	agent, _, named := parse(s.key)
	switch {
	case cronRun(s.key),
		s.key == "global" && p["includeGlobal"] != true,
		s.key == "unknown" && p["includeUnknown"] != true,
		p["agentId"] != nil && (!named || normalAgent(agent) != normalAgent(p.text("agentId"))),
		p["spawnedBy"] != nil && (special || s.text("spawnedBy") != p.text("spawnedBy")),
		trim(p.text("label")) != "" && s.text("label") != trim(p.text("label")):
		return false
	}
	return true
}

func (m *model) contains(s stored, text string) bool {
	row := m.row(s)
	for _, name := range []string{"displayName", "label", "subject", "sessionId", "key"} {
		if v, ok := row[name].(string); ok && strings.Contains(lower(v), text) {
			return true
		}
	}
	return false
}

// resolve finds the key of a session.
func (m *model) resolve(p params) (key, fault string) {
	key, id, label := trim(p.text("key")), trim(p.text("sessionId")), trim(p.text("label"))
	given := len(slices.DeleteFunc([]string{key, id, label}, func(s string) bool { return s == "" }))
	filters := maps.Clone(p)
	delete(filters, "label")
	switch {
	case given == 0:
		return "", "Either key, sessionId, or label is required"
	case given > 1:
		return "", "Provide either key, sessionId, or label (not multiple)"
	case key != "":
		return m.resolveKey(key, filters)
	}
	var found []string
	for _, s := range m.list(filters) {
		if id != "" && (s.text("sessionId") == id || s.key == id) || label != "" && s.text("label") == label {
			found = append(found, s.key)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], ""
	case len(found) == 0 && id != "":
		return "", "No session found: " + id
	case len(found) == 0:
		return "", "No session found with label: " + label
	case id != "":
		return "", "Multiple sessions found for sessionId: " + id + " (" + strings.Join(found, ", ") + ")"
	}
	return "", "Multiple sessions found with label: " + label + " (" + strings.Join(found[:2], ", ") + ")"
}

func (m *model) resolveKey(given string, filters params) (key, fault string) {
	key = m.canonical(given)
	f := m.home(key)
	if _, ok := f.find(key, given); !ok {
		return "", "No session found: " + given
	}
	if !slices.ContainsFunc(f.entries, func(s stored) bool { return s.key == key }) {
		f.claim(key, given)
	}
	if trim(filters.text("spawnedBy")) == "" {
		return key, ""
	}
	if !slices.ContainsFunc(m.list(filters), func(s stored) bool { return s.key == key }) {
		return "", "No session found: " + given
	}
	return key, ""
}

// previewStatus is what sessions.preview says of a session without messages.
func (m *model) previewStatus(given string) string {
	if s, ok := m.lookup(given); !ok || s.text("sessionId") == "" {
		return "missing"
	}
	return "empty"
}

package sessions

import (
	"cmp"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
)

const (
	globalKey  = "global"
	unknownKey = "unknown"
	mainRest   = "main"
	// maxAgentID is the greatest length of an agent id.
	maxAgentID = 64
)

// Keys is the key grammar under one configuration. A canonical key is
// "global", "unknown" or "agent:<agent id>:<rest>", all in lower case.
type Keys struct {
	// DefaultAgent is the normalised id that bare keys belong to.
	DefaultAgent string
	// Global is session.scope "global": the main sessions of all agents are
	// the one session "global".
	Global bool
}

// Canonical is the canonical form of a key as a client gave it. It accepts
// anything and is idempotent; whether the key may be written is asked of
// Malformed.
func (k Keys) Canonical(key string) string {
	key = jstext.Lower(jstext.Trim(key))
	switch key {
	case globalKey, unknownKey:
		return key
	case mainRest:
		return k.Main()
	}
	if !k.Global && strings.HasPrefix(key, "agent:") {
		return key
	}
	agent, _, ok := ParseKey(key)
	switch {
	case ok && k.Global && key == "agent:"+agent+":"+mainRest:
		return globalKey
	case ok || strings.HasPrefix(key, "agent:"):
		return key
	}
	return "agent:" + k.DefaultAgent + ":" + key
}

// Main is the key of the main session.
func (k Keys) Main() string {
	if k.Global {
		return globalKey
	}
	return "agent:" + k.DefaultAgent + ":" + mainRest
}

// Agent is the normalised id of the agent that a canonical key belongs to;
// keys that name none belong to the default agent.
func (k Keys) Agent(canonical string) string {
	return cmp.Or(agentOf(canonical, k.DefaultAgent), k.DefaultAgent)
}

// agentOf is the normalised id of the agent that a canonical key names, "" when it
// names none. It is quick for the agent that is likely.
func agentOf(canonical, likely string) string {
	if rest, ok := strings.CutPrefix(canonical, "agent:"); ok && validAgentID(likely) {
		if rest, ok = strings.CutPrefix(rest, likely+":"); ok && rest != "" && rest[0] != ':' {
			return likely
		}
	}
	agent, _, ok := ParseKey(canonical)
	if !ok {
		return ""
	}
	return NormalizeAgentID(agent)
}

// stored is the canonical form of a key as it stands in the file of an agent.
// Unlike Canonical it never applies aliases: a file of "ops" means
// "agent:ops:main" by "main".
func stored(key, agent string) string {
	key = jstext.Lower(key)
	if key == globalKey || key == unknownKey || strings.HasPrefix(key, "agent:") {
		return key
	}
	return "agent:" + agent + ":" + key
}

// spawner is the canonical form of a stored spawnedBy in the file of an agent.
func (k Keys) spawner(text, agent string) string {
	key := stored(jstext.Trim(text), agent)
	if a, rest, ok := ParseKey(key); ok && k.Global && rest == mainRest && key == "agent:"+a+":"+mainRest {
		return globalKey
	}
	return key
}

// ParseKey splits "agent:<agent>:<rest>" into its parts, in lower case. Empty
// parts between colons are dropped; the agent id is not normalised.
func ParseKey(key string) (agent, rest string, ok bool) {
	parts := strings.FieldsFunc(jstext.Lower(jstext.Trim(key)), func(r rune) bool { return r == ':' })
	if len(parts) < 3 || parts[0] != "agent" {
		return "", "", false
	}
	return parts[1], strings.Join(parts[2:], ":"), true
}

// NormalizeAgentID makes any text an agent id, which is also a directory name.
func NormalizeAgentID(id string) string { return config.NormalizeAgentID(id) }

// slugID is the same for ids that may be absent: "" where nothing of the text
// could be kept.
func slugID(id string) string {
	if !strings.ContainsFunc(jstext.Lower(id), func(r rune) bool { return r != '-' && agentIDRune(r) }) {
		return ""
	}
	return config.NormalizeAgentID(id)
}

func agentIDRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// validAgentID reports whether id needs no normalising.
func validAgentID(id string) bool {
	if id == "" || len(id) > maxAgentID || id[0] == '-' || id[0] == '_' {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool { return !agentIDRune(r) }) < 0
}

// Malformed reports whether a key, given or canonical, begins like an agent
// key but is none, names an agent by something that is no agent id, or is read
// as an agent key only because of colons before it. Such a session would lie
// in the file of another agent than its key says, or be listed under another
// key than it was made with, so writes refuse it; reads just do not find it.
func Malformed(key string) bool {
	key = jstext.Lower(jstext.Trim(key))
	if !strings.HasPrefix(strings.TrimLeft(key, ":"), "agent:") {
		return false
	}
	agent, rest, ok := ParseKey(key)
	if !ok {
		// ":agent:x" names no agent and is a key like any other text.
		return strings.HasPrefix(key, "agent:")
	}
	return !validAgentID(agent) || key != "agent:"+agent+":"+rest
}

// Rest is what follows the agent id in a canonical key, or the whole key when
// it names no agent.
func Rest(key string) string {
	if _, rest, ok := ParseKey(key); ok {
		return rest
	}
	return key
}

// CronRun reports whether the key is that of one run of a scheduled job,
// "cron:<job>:run:<id>" behind the agent.
func CronRun(key string) bool {
	if !strings.Contains(key, "cron:") {
		return false
	}
	_, rest, ok := ParseKey(key)
	parts := strings.Split(rest, ":")
	return ok && len(parts) == 4 && parts[0] == "cron" && parts[2] == "run"
}

// Spawned reports whether the key is one of a session that another session
// made (subagent or acp), the only ones that may have a lineage.
func Spawned(key string) bool { return Subagent(key) || strings.HasPrefix(Rest(key), "acp:") }

// Subagent reports whether the key is one of a subagent's session.
func Subagent(key string) bool { return strings.HasPrefix(jstext.Lower(Rest(key)), "subagent:") }

// GroupChannel is the channel and id that a group key names:
// "<channel>:group:<id>" or "<channel>:channel:<id>" behind the agent.
func GroupChannel(key string) (channel, id string, ok bool) {
	parts := strings.Split(Rest(key), ":")
	if len(parts) < 3 || parts[0] == "" || parts[1] != "group" && parts[1] != "channel" {
		return "", "", false
	}
	return parts[0], strings.Join(parts[2:], ":"), true
}

// GroupKey reports whether the key is that of a group chat, by its text alone.
func GroupKey(key string) bool {
	return strings.Contains(key, ":group:") || strings.Contains(key, ":channel:")
}

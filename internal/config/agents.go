package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Agents is the part "agents".
type Agents struct {
	Defaults AgentDefaults
	List     []Agent
}

// AgentDefaults is agents.defaults.
type AgentDefaults struct {
	Model    ModelChoice
	Subagent ModelChoice // subagents.model
	// Models is the allow-list agents.defaults.models, in configured order.
	Models []AllowedModel
	// Workspace is the directory of the default agent, as written.
	Workspace       string
	ThinkingDefault string
	VerboseDefault  string
	// Timeout is the time limit of a run.
	Timeout time.Duration
	// MaxConcurrent is how many runs talk to models at once.
	MaxConcurrent int
	// ContextTokens is 0 when it is not configured.
	ContextTokens int64
}

// ModelChoice is a model setting: a text, or primary and fallbacks.
type ModelChoice struct {
	Primary   string
	Fallbacks []string
}

// AllowedModel is one entry of agents.defaults.models.
type AllowedModel struct {
	Key      string // as written
	Alias    string
	Thinking string // params.thinking
}

// Agent is one entry of agents.list.
type Agent struct {
	// ID is normalised.
	ID        string
	Default   bool
	Name      string
	Workspace string // as written
	Model     ModelChoice
	Subagent  ModelChoice
	// Identity is nil when it is not configured.
	Identity *Identity
}

// Identity is how an agent shows itself; every text is trimmed.
type Identity struct{ Name, Theme, Emoji, Avatar string }

// Defaults of agents.defaults.
const (
	defaultTimeout       = 48 * time.Hour
	defaultMaxConcurrent = 256
)

func (a *Agents) defaults() {
	a.Defaults.Timeout = defaultTimeout
	a.Defaults.MaxConcurrent = defaultMaxConcurrent
}

func (a *Agents) read() reader {
	return object([]field{
		{name: "defaults", read: a.Defaults.read},
		{name: "list", read: each(func(d *decoder, at string, v rawjson.Value) {
			var agent Agent
			agent.read(d, at, v)
			a.List = append(a.List, agent)
		})},
	}, "")
}

func (a *AgentDefaults) read(d *decoder, at string, v rawjson.Value) {
	seconds := int64(a.Timeout / time.Second)
	var elevated string
	object([]field{
		{name: "model", read: a.Model.read},
		{name: "models", read: members(a.readAllowed)},
		{name: "workspace", read: trimmed(&a.Workspace)},
		{name: "contextTokens", read: whole(&a.ContextTokens, 1, maxWhole)},
		{name: "thinkingDefault", read: oneOf(&a.ThinkingDefault, thinkingLevels()...)},
		{name: "verboseDefault", read: oneOf(&a.VerboseDefault, "off", "on", "full")},
		{name: "elevatedDefault", read: unused(oneOf(&elevated, "off", "on", "ask", "full"))},
		{name: "timeoutSeconds", read: whole(&seconds, 1, int64(maxTimeout/time.Second))},
		{name: "maxConcurrent", read: whole(&a.MaxConcurrent, 1, maxWhole)},
		{name: "subagents", read: object([]field{{name: "model", read: a.Subagent.read}},
			"maxConcurrent maxSpawnDepth maxChildrenPerAgent archiveAfterMinutes thinking runTimeoutSeconds announceTimeoutMs")},
	}, "imageModel imageGenerationModel pdfModel pdfMaxBytesMb pdfMaxPages repoRoot skipBootstrap bootstrapMaxChars bootstrapTotalMaxChars bootstrapPromptTruncationWarning "+
		"userTimezone timeFormat envelopeTimezone envelopeTimestamp envelopeElapsed cliBackends memorySearch contextPruning compaction embeddedPi "+
		"blockStreamingDefault blockStreamingBreak blockStreamingChunk blockStreamingCoalesce humanDelay mediaMaxMb imageMaxDimensionPx typingIntervalSeconds typingMode heartbeat sandbox")(d, at, v)
	a.Timeout = time.Duration(seconds) * time.Second
}

// maxTimeout is the longest time limit of a run; a longer one is a mistake.
const maxTimeout = 100 * 365 * 24 * time.Hour

// thinkingLevels are the values of a session's thinking level.
func thinkingLevels() []string {
	return []string{"off", "minimal", "low", "medium", "high", "xhigh", "adaptive"}
}

func (a *AgentDefaults) readAllowed(d *decoder, name, at string, v rawjson.Value) {
	m := AllowedModel{Key: name}
	object([]field{
		{name: "alias", read: trimmed(&m.Alias)},
		{name: "params", read: members(func(d *decoder, name, at string, v rawjson.Value) {
			if s, ok := rawjson.Text(v); ok && name == "thinking" {
				m.Thinking = s
			}
		})},
	}, "streaming")(d, at, v)
	a.Models = append(a.Models, m)
}

func (a *Agent) read(d *decoder, at string, v rawjson.Value) {
	var id string
	object([]field{
		{name: "id", read: text(&id), required: true},
		{name: "default", read: boolean(&a.Default)},
		{name: "name", read: trimmed(&a.Name)},
		{name: "workspace", read: trimmed(&a.Workspace)},
		{name: "model", read: a.Model.read},
		{name: "identity", read: func(d *decoder, at string, v rawjson.Value) {
			a.Identity = new(Identity)
			a.Identity.read()(d, at, v)
		}},
		{name: "subagents", read: object([]field{{name: "model", read: a.Subagent.read}}, "allowAgents thinking")},
	}, "agentDir thinkingDefault reasoningDefault fastModeDefault skills memorySearch humanDelay heartbeat groupChat sandbox params tools runtime")(d, at, v)
	a.ID = NormalizeAgentID(id)
}

func (i *Identity) read() reader {
	return object([]field{
		{name: "name", read: trimmed(&i.Name)},
		{name: "theme", read: trimmed(&i.Theme)},
		{name: "emoji", read: trimmed(&i.Emoji)},
		{name: "avatar", read: trimmed(&i.Avatar)},
	}, "")
}

// read takes a text, or an object with primary and fallbacks.
func (m *ModelChoice) read(d *decoder, at string, v rawjson.Value) {
	either('{', object([]field{
		{name: "primary", read: trimmed(&m.Primary)},
		{name: "fallbacks", read: texts(&m.Fallbacks)},
	}, ""), trimmed(&m.Primary))(d, at, v)
}

var (
	agentID    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	notAgentID = regexp.MustCompile(`[^a-z0-9_-]+`)
)

// mainAgent is the agent when nothing names one.
const mainAgent = "main"

// NormalizeAgentID makes an agent id of any text, as file names and keys use
// it.
func NormalizeAgentID(id string) string {
	id = jstext.Lower(jstext.Trim(id))
	if agentID.MatchString(id) {
		return id
	}
	id = strings.Trim(notAgentID.ReplaceAllString(id, "-"), "-")
	if id == "" {
		return mainAgent
	}
	// What is cut may end in a hyphen again, and a key must name one agent however
	// often it is read.
	return strings.TrimRight(id[:min(len(id), 64)], "-")
}

// AgentIDs are the ids of the configured agents, normalised, each once, in
// configured order.
func (c *Config) AgentIDs() []string {
	var ids []string
	seen := map[string]bool{}
	for _, a := range c.Agents.List {
		if !seen[a.ID] {
			seen[a.ID] = true
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// DefaultAgent is the id of the default agent: the first that says so, else
// the first, else main.
func (c *Config) DefaultAgent() string {
	for _, a := range c.Agents.List {
		if a.Default {
			return a.ID
		}
	}
	if len(c.Agents.List) > 0 {
		return c.Agents.List[0].ID
	}
	return mainAgent
}

// Agent is the configured agent with this normalised id.
func (c *Config) Agent(id string) (Agent, bool) {
	for _, a := range c.Agents.List {
		if a.ID == id {
			return a, true
		}
	}
	return Agent{}, false
}

// Workspace is the absolute workspace directory of an agent, configured or
// not.
func (c *Config) Workspace(agent string) string {
	if a, ok := c.Agent(agent); ok && a.Workspace != "" {
		return c.Expand(a.Workspace)
	}
	if agent != c.DefaultAgent() {
		return filepath.Join(c.StateDir, "workspace-"+agent)
	}
	if c.Agents.Defaults.Workspace != "" {
		return c.Expand(c.Agents.Defaults.Workspace)
	}
	return filepath.Join(c.StateDir, "workspace")
}

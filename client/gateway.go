package client

// AgentsListResult is the result of AgentsList.
type AgentsListResult struct {
	DefaultID string  `json:"defaultId"`
	MainKey   string  `json:"mainKey"`
	Scope     string  `json:"scope"`
	Agents    []Agent `json:"agents"`
}

// Agent is an agent of the gateway.
type Agent struct {
	ID       string         `json:"id"`
	Name     string         `json:"name,omitzero"`
	Identity *AgentIdentity `json:"identity,omitzero"`
}

// AgentIdentity is how an agent shows itself.
type AgentIdentity struct {
	Name      string `json:"name,omitzero"`
	Theme     string `json:"theme,omitzero"`
	Emoji     string `json:"emoji,omitzero"`
	Avatar    string `json:"avatar,omitzero"`
	AvatarURL string `json:"avatarUrl,omitzero"`
}

// ModelsListResult is the result of ModelsList.
type ModelsListResult struct {
	Models []Model `json:"models"`
}

// Model is a model that sessions may choose.
type Model struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Provider      string   `json:"provider"`
	ContextWindow int64    `json:"contextWindow,omitzero"`
	Reasoning     bool     `json:"reasoning,omitzero"`
	Input         []string `json:"input,omitzero"` // text, image
}

// HealthParams say how Health is to look.
type HealthParams struct {
	Probe bool `json:"probe,omitzero"` // anew, instead of telling what was seen in the last minute
}

// HealthResult is the result of Health. Without the scope operator.read there
// is OK and TS only.
type HealthResult struct {
	OK             bool           `json:"ok"`
	TS             int64          `json:"ts"`
	DurationMs     int64          `json:"durationMs"`
	DefaultAgentID string         `json:"defaultAgentId"`
	Agents         []AgentHealth  `json:"agents"`
	Sessions       SessionsHealth `json:"sessions"`
}

// AgentHealth is what Health tells of an agent.
type AgentHealth struct {
	AgentID   string         `json:"agentId"`
	Name      string         `json:"name,omitzero"`
	IsDefault bool           `json:"isDefault"`
	Sessions  SessionsHealth `json:"sessions"`
}

// SessionsHealth is what Health tells of stored sessions.
type SessionsHealth struct {
	Path   string `json:"path"`
	Count  int    `json:"count"`
	Recent []struct {
		Key       string `json:"key"`
		UpdatedAt *int64 `json:"updatedAt"`
		Age       *int64 `json:"age"`
	} `json:"recent"`
}

package protocol

// PresenceEntry is one client, or the gateway itself, as others see it.
type PresenceEntry struct {
	Host             string   `json:"host,omitzero"`
	IP               string   `json:"ip,omitzero"`
	Version          string   `json:"version,omitzero"`
	Platform         string   `json:"platform,omitzero"`
	DeviceFamily     string   `json:"deviceFamily,omitzero"`
	ModelIdentifier  string   `json:"modelIdentifier,omitzero"`
	Mode             string   `json:"mode,omitzero"`
	LastInputSeconds *float64 `json:"lastInputSeconds,omitzero"`
	Reason           string   `json:"reason,omitzero"`
	Tags             []string `json:"tags,omitempty"`
	Text             string   `json:"text,omitzero"`
	TS               int64    `json:"ts"`
	DeviceID         string   `json:"deviceId,omitzero"`
	Roles            []string `json:"roles,omitempty"`
	Scopes           []string `json:"scopes,omitempty"`
	InstanceID       string   `json:"instanceId,omitzero"`
}

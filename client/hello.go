package client

import "encoding/json"

// Hello is what the gateway said when the connection began: who it is, what it
// can do, and the state it was in.
type Hello struct {
	// Protocol is the version that is spoken, 3 or 4.
	Protocol int      `json:"protocol"`
	Server   Server   `json:"server"`
	Features Features `json:"features"`
	Snapshot Snapshot `json:"snapshot"`
	// Auth is there when the gateway issued a token for this device, which may
	// be used as Options.DeviceToken from then on.
	Auth   *DeviceGrant `json:"auth,omitzero"`
	Policy Policy       `json:"policy"`
}

// Server names the gateway and this connection.
type Server struct {
	Version string `json:"version"`
	ConnID  string `json:"connId"`
}

// Features list what the gateway serves.
type Features struct {
	Methods []string `json:"methods"`
	Events  []string `json:"events"`
}

// Snapshot is the gateway's state when the connection began. What the
// connection may not read is empty.
type Snapshot struct {
	Presence        []Presence       `json:"presence"`
	Health          json.RawMessage  `json:"health"`
	UptimeMs        int64            `json:"uptimeMs"`
	ConfigPath      string           `json:"configPath,omitzero"`
	StateDir        string           `json:"stateDir,omitzero"`
	SessionDefaults *SessionDefaults `json:"sessionDefaults,omitzero"`
	AuthMode        string           `json:"authMode,omitzero"`
}

// SessionDefaults tell which session a bare key means.
type SessionDefaults struct {
	DefaultAgentID string `json:"defaultAgentId"`
	MainKey        string `json:"mainKey"`
	MainSessionKey string `json:"mainSessionKey"`
	Scope          string `json:"scope,omitzero"`
}

// Presence is one client, or the gateway itself, as others see it.
type Presence struct {
	Host       string   `json:"host,omitzero"`
	IP         string   `json:"ip,omitzero"`
	Version    string   `json:"version,omitzero"`
	Platform   string   `json:"platform,omitzero"`
	Mode       string   `json:"mode,omitzero"`
	Reason     string   `json:"reason,omitzero"`
	Text       string   `json:"text,omitzero"`
	TS         int64    `json:"ts"`
	DeviceID   string   `json:"deviceId,omitzero"`
	Roles      []string `json:"roles,omitzero"`
	Scopes     []string `json:"scopes,omitzero"`
	InstanceID string   `json:"instanceId,omitzero"`
}

// DeviceGrant is a token that a gateway issued for a device in a role.
type DeviceGrant struct {
	DeviceToken string   `json:"deviceToken"`
	Role        string   `json:"role"`
	Scopes      []string `json:"scopes"`
	IssuedAtMs  int64    `json:"issuedAtMs,omitzero"`
}

// Policy announces the limits of the connection.
type Policy struct {
	// MaxPayload is the largest message that the gateway takes, in bytes.
	MaxPayload int64 `json:"maxPayload"`
	// MaxBufferedBytes is how much may wait unread before the gateway drops
	// events or ends the connection.
	MaxBufferedBytes int64 `json:"maxBufferedBytes"`
	// TickIntervalMs is the time between two ticks, its signs of life.
	TickIntervalMs int64 `json:"tickIntervalMs"`
}

// Info says what connects; see Options.
type Info struct {
	ID              string
	DisplayName     string
	Version         string
	Platform        string
	DeviceFamily    string
	ModelIdentifier string
	Mode            string
	InstanceID      string
}

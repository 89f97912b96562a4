package protocol

import "github.com/parleyd/parley/internal/rawjson"

// HelloOK is the payload that answers a successful connect.
type HelloOK struct {
	Type              string        `json:"type"` // HelloType
	Protocol          int           `json:"protocol"`
	Server            Server        `json:"server"`
	Features          Features      `json:"features"`
	Snapshot          Snapshot      `json:"snapshot"`
	CanvasHostURL     string        `json:"canvasHostUrl,omitzero"`
	PluginSurfaceURLs rawjson.Value `json:"pluginSurfaceUrls,omitzero"` // {} from protocol 4 on
	Auth              *HelloAuth    `json:"auth,omitzero"`              // only when a device token was issued
	Policy            Policy        `json:"policy"`
}

// HelloType is the type of every HelloOK.
const HelloType = "hello-ok"

// Server names the gateway and this connection.
type Server struct {
	Version string `json:"version"`
	ConnID  string `json:"connId"`
}

// Features list what the gateway implements.
type Features struct {
	Methods []string `json:"methods"`
	Events  []string `json:"events"`
}

// Snapshot is the gateway's state when the connection began.
type Snapshot struct {
	Presence        []PresenceEntry  `json:"presence"`
	Health          rawjson.Value    `json:"health"`
	StateVersion    StateVersion     `json:"stateVersion"`
	UptimeMs        int64            `json:"uptimeMs"`
	ConfigPath      string           `json:"configPath,omitzero"`
	StateDir        string           `json:"stateDir,omitzero"`
	SessionDefaults *SessionDefaults `json:"sessionDefaults,omitzero"`
	AuthMode        string           `json:"authMode,omitzero"`
	UpdateAvailable rawjson.Value    `json:"updateAvailable,omitzero"`
}

// SessionDefaults tell which session a bare key means.
type SessionDefaults struct {
	DefaultAgentID string `json:"defaultAgentId"`
	MainKey        string `json:"mainKey"`
	MainSessionKey string `json:"mainSessionKey"`
	Scope          string `json:"scope,omitzero"`
}

// HelloAuth is the device token that the client may use from now on.
type HelloAuth struct {
	DeviceToken string   `json:"deviceToken"`
	Role        string   `json:"role"`
	Scopes      []string `json:"scopes"`
	IssuedAtMs  int64    `json:"issuedAtMs,omitzero"`
}

// Policy announces the limits of the connection.
type Policy struct {
	MaxPayload       int64 `json:"maxPayload"`
	MaxBufferedBytes int64 `json:"maxBufferedBytes"`
	TickIntervalMs   int64 `json:"tickIntervalMs"`
}

// DefaultPolicy is what the constants of this package say.
func DefaultPolicy() Policy {
	return Policy{MaxPayload: MaxPayload, MaxBufferedBytes: MaxBuffered, TickIntervalMs: TickInterval.Milliseconds()}
}

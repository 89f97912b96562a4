package protocol

// ConnectParams are the params of connect, the first request of a connection.
type ConnectParams struct {
	MinProtocol Int             `json:"minProtocol"`
	MaxProtocol Int             `json:"maxProtocol"`
	Client      Client          `json:"client"`
	Caps        []string        `json:"caps,omitzero"`
	Commands    []string        `json:"commands,omitzero"`
	Permissions map[string]bool `json:"permissions,omitzero"`
	PathEnv     string          `json:"pathEnv,omitzero"`
	Role        string          `json:"role,omitzero"`   // "" when absent; see ResolvedRole
	Scopes      []string        `json:"scopes,omitzero"` // nil when absent
	Device      *Device         `json:"device,omitzero"` // nil when absent
	Auth        *Credentials    `json:"auth,omitzero"`   // nil when absent
	Locale      string          `json:"locale,omitzero"`
	UserAgent   string          `json:"userAgent,omitzero"`
}

// ResolvedRole is the role asked for, RoleOperator when none was.
func (p *ConnectParams) ResolvedRole() string {
	if p.Role == "" {
		return RoleOperator
	}
	return p.Role
}

// HasScopes reports whether the client named scopes, be it an empty list.
func (p *ConnectParams) HasScopes() bool { return p.Scopes != nil }

// Client says what connects.
type Client struct {
	ID              string `json:"id"`
	DisplayName     string `json:"displayName,omitzero"`
	Version         string `json:"version"`
	Platform        string `json:"platform"`
	DeviceFamily    string `json:"deviceFamily,omitzero"`
	ModelIdentifier string `json:"modelIdentifier,omitzero"`
	Mode            string `json:"mode"`
	InstanceID      string `json:"instanceId,omitzero"`
}

// Ids and modes of clients that rules single out.
const (
	ClientControlUI     = "openclaw-control-ui"
	ClientWebchatUI     = "webchat-ui"
	ClientGatewayClient = "gateway-client"
	ClientCLI           = "cli"

	ModeWebchat = "webchat"
	ModeCLI     = "cli"
	ModeUI      = "ui"
	ModeBackend = "backend"
)

// Webchat reports whether the client counts as a web chat.
func (c Client) Webchat() bool { return c.Mode == ModeWebchat || c.ID == ClientWebchatUI }

// ControlUI reports whether the client counts as the Control UI.
func (c Client) ControlUI() bool { return c.ID == ClientControlUI }

// CLI reports whether the client counts as a command line.
func (c Client) CLI() bool { return c.Mode == ModeCLI }

// Device is the proof that the client owns a device key.
type Device struct {
	ID        string `json:"id"`
	PublicKey string `json:"publicKey"`
	Signature string `json:"signature"`
	SignedAt  Int    `json:"signedAt"`
	Nonce     string `json:"nonce"`
}

// Credentials are the secrets of a connect, each nil when absent. They are
// never logged; whoever formats them gets no secret.
type Credentials struct {
	Token          *string `json:"token,omitzero"`
	BootstrapToken *string `json:"bootstrapToken,omitzero"`
	DeviceToken    *string `json:"deviceToken,omitzero"`
	Password       *string `json:"password,omitzero"`
}

// String hides the secrets.
func (Credentials) String() string { return "[redacted]" }

// GoString hides the secrets.
func (Credentials) GoString() string { return "[redacted]" }

// Challenge is the payload of connect.challenge, the first frame of all.
type Challenge struct {
	Nonce string `json:"nonce"`
	TS    int64  `json:"ts"`
}

// A repeated member replaces the earlier one whole, as in JavaScript; without
// the methods below the two would be merged.

// UnmarshalJSON reads a client.
func (c *Client) UnmarshalJSON(data []byte) error {
	type plain Client
	*c = Client{}
	return Read(data, (*plain)(c))
}

// UnmarshalJSON reads a device proof.
func (d *Device) UnmarshalJSON(data []byte) error {
	type plain Device
	*d = Device{}
	return Read(data, (*plain)(d))
}

// UnmarshalJSON reads credentials.
func (c *Credentials) UnmarshalJSON(data []byte) error {
	type plain Credentials
	*c = Credentials{}
	return Read(data, (*plain)(c))
}

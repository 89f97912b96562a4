package client

import (
	"net/http"
	"runtime"

	"github.com/parleyd/parley/internal/protocol"
)

// Options say who connects and with what rights. The zero Options connect as a
// program without credentials, which a gateway refuses unless it runs without
// authentication.
type Options struct {
	// Token is the gateway's shared token.
	Token string
	// Password is the gateway's shared password.
	Password string
	// DeviceToken is a token that an earlier Hello gave this device.
	DeviceToken string
	// Device proves which device connects. A gateway may empty the scopes of a
	// connection without one.
	Device *Identity
	// Role is "operator" when empty.
	Role string
	// Scopes are the rights to ask for; nil asks for operator.read and
	// operator.write.
	Scopes []string
	// Caps are abilities of this client, such as "tool-events".
	Caps []string
	// Client says what connects. Empty fields get a default: a program
	// ("gateway-client", "backend") on this operating system.
	Client Info
	// Fingerprint is the SHA-256 of the certificate that the gateway shows over
	// TLS, in hex. With it no authority need vouch for the certificate, and no
	// other certificate is accepted. It cannot be had together with HTTP.
	Fingerprint string
	// HTTP makes the connection, http.DefaultClient when nil. Its timeout must
	// be zero: it would end the connection.
	HTTP *http.Client
	// Header is sent with the upgrade request.
	Header http.Header
}

func (o Options) withDefaults() Options {
	o.Role = first(o.Role, protocol.RoleOperator)
	if o.Scopes == nil {
		o.Scopes = []string{string(protocol.ScopeRead), string(protocol.ScopeWrite)}
	}
	o.Client.ID = first(o.Client.ID, protocol.ClientGatewayClient)
	o.Client.Mode = first(o.Client.Mode, protocol.ModeBackend)
	o.Client.Version = first(o.Client.Version, "1")
	o.Client.Platform = first(o.Client.Platform, runtime.GOOS)
	return o
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// params are those of connect, signed when there is a device.
func (o Options) params(nonce string) protocol.ConnectParams {
	p := protocol.ConnectParams{
		MinProtocol: protocol.Version3,
		MaxProtocol: protocol.Version4,
		Client:      o.Client,
		Role:        o.Role,
		Scopes:      o.Scopes,
		Caps:        o.Caps,
	}
	if o.Token != "" || o.Password != "" || o.DeviceToken != "" {
		p.Auth = &protocol.Credentials{Token: optional(o.Token), Password: optional(o.Password), DeviceToken: optional(o.DeviceToken)}
	}
	if o.Device != nil {
		p.Device = o.Device.prove(p, first(o.Token, o.DeviceToken), nonce)
	}
	return p
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

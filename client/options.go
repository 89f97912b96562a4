package client

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"runtime"
	"time"

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
	// Backoff is how a Client tries to get a lost connection back.
	Backoff Backoff
}

// Backoff says how long to wait before the next try: Min at first, twice as
// long each time, at most Max; of that a random part, at least half of it, so
// that the clients of a gateway do not all come back at once. After a
// connection that lasted longer than Max it begins anew.
type Backoff struct {
	// Min is 500 ms when it is zero.
	Min time.Duration
	// Max is 30 s when it is zero.
	Max time.Duration
	// Attempts is how often at most, 0 for no limit.
	Attempts int
}

// pause is how long to wait before try n, which counts from 1.
func (b Backoff) pause(n int) time.Duration {
	d := b.Max
	if shift := n - 1; shift < 32 && b.Min<<shift < b.Max {
		d = b.Min << shift
	}
	return d/2 + rand.N(d/2+1)
}

func (o Options) withDefaults() Options {
	o.Role = cmp.Or(o.Role, protocol.RoleOperator)
	if o.Scopes == nil {
		o.Scopes = []string{string(protocol.ScopeRead), string(protocol.ScopeWrite)}
	}
	o.Client.ID = cmp.Or(o.Client.ID, protocol.ClientGatewayClient)
	o.Client.Mode = cmp.Or(o.Client.Mode, protocol.ModeBackend)
	o.Client.Version = cmp.Or(o.Client.Version, "1")
	o.Client.Platform = cmp.Or(o.Client.Platform, runtime.GOOS)
	o.Backoff.Min = cmp.Or(o.Backoff.Min, 500*time.Millisecond)
	o.Backoff.Max = max(o.Backoff.Min, cmp.Or(o.Backoff.Max, 30*time.Second))
	return o
}

// params are those of connect, signed when there is a device.
func (o Options) params(nonce string) protocol.ConnectParams {
	p := protocol.ConnectParams{
		MinProtocol: protocol.Version3,
		MaxProtocol: protocol.Version4,
		Client:      protocol.Client(o.Client),
		Role:        o.Role,
		Scopes:      o.Scopes,
		Caps:        o.Caps,
	}
	if o.Token != "" || o.Password != "" || o.DeviceToken != "" {
		p.Auth = &protocol.Credentials{Token: optional(o.Token), Password: optional(o.Password), DeviceToken: optional(o.DeviceToken)}
	}
	if o.Device != nil {
		p.Device = o.Device.prove(p, cmp.Or(o.Token, o.DeviceToken), nonce)
	}
	return p
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

package gateway

import (
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// newcomer is a connection in its handshake, with what is settled of it so far.
type newcomer struct {
	conn   *conn
	params protocol.ConnectParams
	client protocol.Client // platform and device family as approved, in the end
	role   string
	scopes []string
	place  auth.Place
	origin string

	device    *protocol.Device // nil when none counts
	publicKey string           // proven, as it is kept
	verdict   auth.Verdict
	token     *auth.IssuedToken
}

// handshake judges a connect request (spec: protocol 4.2; its schema is judged
// already). On success it has filled c and returns hello's payload; otherwise
// the answer and the close. The order of the checks is part of the protocol.
func (g *Gateway) handshake(c *conn, p protocol.ConnectParams) (*protocol.HelloOK, *refusal) {
	n := &newcomer{
		conn: c, params: p, client: p.Client, role: p.ResolvedRole(), scopes: p.Scopes, device: p.Device,
		place: g.gate.Place(c.peer.Addr(), c.host, c.header), origin: auth.Origin(c.header),
	}
	if p.Client.ControlUI() && g.cfg().Gateway.ControlUI.DisableDeviceAuth {
		n.device = nil
	}
	for _, check := range []func(*newcomer) *refusal{
		g.agreeOnProtocol, g.judgeRole, g.judgeOrigin, g.judgeSecret, g.needDevice,
		g.proveDevice, g.judgeDeviceTokens, g.judgeVerdict, g.pair,
	} {
		if no := check(n); no != nil {
			return nil, no
		}
	}
	return g.welcome(n), nil
}

// agreeOnProtocol takes the highest version that both sides speak.
func (g *Gateway) agreeOnProtocol(n *newcomer) *refusal {
	for _, v := range g.cfg().Parley.Protocols {
		if int64(v) >= int64(n.params.MinProtocol) && int64(v) <= int64(n.params.MaxProtocol) {
			n.conn.protocol = max(n.conn.protocol, v)
		}
	}
	if n.conn.protocol > 0 {
		return nil
	}
	no := refused(protocol.Invalidf("protocol mismatch").WithDetails(struct {
		Expected int `json:"expectedProtocol"`
	}{3}))
	no.status = websocket.StatusProtocolError
	return no
}

func (g *Gateway) judgeRole(n *newcomer) *refusal {
	if n.role == protocol.RoleOperator || n.role == protocol.RoleNode {
		return nil
	}
	return refused(protocol.Invalidf("invalid role"))
}

// judgeOrigin keeps foreign web pages out. Clients that are pages by their own
// words must show an Origin.
func (g *Gateway) judgeOrigin(n *newcomer) *refusal {
	if n.origin == "" && !n.client.ControlUI() && !n.client.Webchat() {
		return nil
	}
	reason := g.gate.JudgeOrigin(n.origin, n.conn.host, n.place.Local)
	if reason == "" {
		return nil
	}
	return refused(protocol.Invalidf("origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)").
		WithDetails(struct {
			Code   string `json:"code"`
			Reason string `json:"reason"`
		}{"CONTROL_UI_ORIGIN_NOT_ALLOWED", reason}))
}

// attempt is what the newcomer offers to come in.
func (n *newcomer) attempt() auth.Attempt {
	return auth.Attempt{
		Place: n.place, Header: n.conn.header, Origin: n.origin,
		Credentials: n.params.Auth, Device: n.device != nil,
	}
}

// judgeSecret judges the shared secret. A wrong one is not told yet: what is
// wrong with the device comes first, and its own tokens may still do.
func (g *Gateway) judgeSecret(n *newcomer) *refusal {
	n.conn.admitted.under = g.cfg().Gateway.Auth
	n.verdict = g.gate.Shared(n.attempt())
	return nil
}

// codeDetails are the details of a refusal that has only a code.
type codeDetails struct {
	Code string `json:"code"`
}

// needDevice decides what becomes of clients that prove no device: first match
// (spec: protocol 6.4). Those that may come in lose the scopes they ask for
// unless keepsScopes says otherwise: nobody approved them.
func (g *Gateway) needDevice(n *newcomer) *refusal {
	if n.device != nil {
		return nil
	}
	ui, operator := n.client.ControlUI(), n.role == protocol.RoleOperator
	config := g.cfg().Gateway.ControlUI
	switch {
	case ui && operator && n.by(auth.ByTrustedProxy):
		n.scopes = nil
		return nil
	case ui && operator && config.DisableDeviceAuth:
		return nil
	case ui && !config.DisableDeviceAuth && !(config.AllowInsecureAuth && n.place.Local):
		return refused(protocol.Invalidf("control ui requires device identity (use HTTPS or localhost secure context)").
			WithDetails(codeDetails{"CONTROL_UI_DEVICE_IDENTITY_REQUIRED"}))
	case operator && (n.verdict.SharedSecret() || n.by(auth.ByTrustedProxy)):
		if !g.keepsScopes(n) {
			n.scopes = nil
		}
		return nil
	case !n.verdict.OK && n.sentSecret():
		return g.judgeVerdict(n)
	}
	err := protocol.Invalidf("device identity required").WithDetails(codeDetails{"DEVICE_IDENTITY_REQUIRED"})
	err.Code = protocol.NotPaired
	return refused(err)
}

func (n *newcomer) by(m auth.Method) bool { return n.verdict.OK && n.verdict.Method == m }

// keepsScopes reports whether an operator without a device, let in by rule 4 of
// needDevice, keeps the scopes it asks for: a Control UI that is allowed to
// (rule 3), or whom parley.deviceless means. A trusted proxy vouches for the
// user, not for scopes that the user's program claims.
func (g *Gateway) keepsScopes(n *newcomer) bool {
	if !n.verdict.SharedSecret() {
		return false
	}
	if n.client.ControlUI() {
		return true
	}
	return g.deviceless(n.place, n.origin)
}

// deviceless reports whether parley.deviceless means a program that knows the
// secret and proves no device.
func (g *Gateway) deviceless(from auth.Place, origin string) bool {
	switch g.cfg().Parley.Deviceless {
	case "always":
		return origin == ""
	case "loopback":
		return origin == "" && from.Local
	}
	return false
}

// sentSecret reports whether a token or password was sent, be it blank.
func (n *newcomer) sentSecret() bool {
	a := n.params.Auth
	return a != nil && (sent(a.Token) || sent(a.Password))
}

func sent(s *string) bool { return s != nil && *s != "" }

// proveDevice checks the signature over this connection's nonce.
func (g *Gateway) proveDevice(n *newcomer) *refusal {
	if n.device == nil {
		return nil
	}
	proof := auth.Proof{
		Device: *n.device, Client: n.params.Client, Role: n.role, Scopes: n.params.Scopes,
		Token: auth.SignedToken(n.params.Auth),
	}
	var err *protocol.Error
	if n.publicKey, err = proof.Verify(n.conn.nonce, time.Now()); err != nil {
		return refused(err)
	}
	return nil
}

func (n *newcomer) claim() auth.Claim {
	return auth.Claim{DeviceID: n.device.ID, PublicKey: n.publicKey, Role: n.role, Scopes: n.params.Scopes}
}

// judgeDeviceTokens tries what only a proven device may offer.
func (g *Gateway) judgeDeviceTokens(n *newcomer) *refusal {
	if n.device == nil {
		return nil
	}
	var err error
	if n.verdict, err = g.gate.Device(n.attempt(), n.claim(), n.verdict); err != nil {
		return g.deviceFault(n, err)
	}
	return nil
}

// deviceFault is the answer when the device files cannot be read or written.
// The cause names paths, which a stranger need not know: it goes to the log.
func (g *Gateway) deviceFault(n *newcomer, err error) *refusal {
	g.log.Error("handshake failed", "conn", n.conn.id, "err", err)
	no := refused(protocol.Unavailablef("the device files cannot be used; see the gateway's log"))
	no.status = websocket.StatusInternalError
	return no
}

// judgeVerdict refuses whom no credential lets in.
func (g *Gateway) judgeVerdict(n *newcomer) *refusal {
	if n.verdict.OK {
		return nil
	}
	a := n.params.Auth
	retry := n.verdict.Reason == auth.TokenMismatch && n.device != nil && a != nil &&
		sent(a.Token) && !sent(a.Password) && !sent(a.DeviceToken)
	return refused(auth.Refuse(n.verdict.Reason, n.client, retry))
}

// pair applies the rules of pairing and gives the device its token.
func (g *Gateway) pair(n *newcomer) *refusal {
	if n.device == nil {
		return nil
	}
	n.conn.endings = g.gate.devices.Endings(n.device.ID)
	a, err := g.gate.devices.Admit(auth.Visitor{
		Claim: n.claim(), Client: n.params.Client, RemoteIP: n.place.Reported,
		Silent:   n.place.Local && (n.origin == "" || n.client.ControlUI() || n.client.Webchat()),
		Unpaired: n.unpaired(),
	})
	if err != nil {
		return g.deviceFault(n, err)
	}
	if a.Resolved != nil {
		g.log.Info("device paired silently", "conn", n.conn.id, "device", n.device.ID, "role", n.role, "scopes", n.params.Scopes)
		g.publishResolved(*a.Resolved)
	}
	if a.Refused != nil {
		return g.mustPair(a.Refused)
	}
	n.client, n.token = a.Client, a.Token
	return nil
}

// unpaired reports whether the newcomer needs no pairing: programs of this
// machine that know a secret, and the Control UI where something else than
// pairing decides who may use it.
func (n *newcomer) unpaired() bool {
	if n.client.ControlUI() && n.role == protocol.RoleOperator {
		return n.by(auth.ByTrustedProxy) || n.by(auth.ByNothing)
	}
	return n.client.ID == protocol.ClientGatewayClient && n.client.Mode == protocol.ModeBackend &&
		n.place.Local && n.origin == "" && (n.verdict.SharedSecret() || n.by(auth.ByDeviceToken))
}

// mustPair refuses a device that waits for approval, and tells those who can
// give it.
func (g *Gateway) mustPair(r *auth.PairingRefusal) *refusal {
	if r.Requested != nil {
		g.hub.Publish(hub.Event{Name: "device.pair.requested", To: hub.All(), Policy: hub.DropIfSlow, Payload: r.Requested})
	}
	err := protocol.Invalidf("pairing required").WithDetails(struct {
		Code      string `json:"code"`
		RequestID string `json:"requestId"`
		Reason    string `json:"reason"`
	}{"PAIRING_REQUIRED", r.RequestID, r.Reason})
	err.Code = protocol.NotPaired
	return refused(err)
}

// welcome fills the connection and makes hello's payload.
func (g *Gateway) welcome(n *newcomer) *protocol.HelloOK {
	c := n.conn
	c.client, c.role, c.scopes = n.client, n.role, protocol.NewScopeSet(n.scopes...)
	c.admitted.method = n.verdict.Method
	c.caps, c.remoteIP = slices.Clone(n.params.Caps), n.place.Reported
	if n.device != nil {
		c.deviceID = n.device.ID
	}
	g.presenceConnected(c)
	hello := &protocol.HelloOK{
		Type: protocol.HelloType, Protocol: c.protocol,
		Server:   protocol.Server{Version: g.version, ConnID: c.id},
		Features: g.features(), Snapshot: g.snapshot(c), Policy: g.policy(),
	}
	if c.protocol >= 4 {
		hello.PluginSurfaceURLs = rawjson.Value("{}")
	}
	if t := n.token; t != nil {
		hello.Auth = &protocol.HelloAuth{DeviceToken: t.DeviceToken, Role: t.Role, Scopes: t.Scopes, IssuedAtMs: t.IssuedAtMs}
	}
	return hello
}

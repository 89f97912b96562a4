package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

// Method is what let a client in.
type Method string

// The methods. ByDeviceToken and ByBootstrapToken need a proven device.
const (
	ByNothing        Method = "none"
	ByToken          Method = "token"
	ByPassword       Method = "password"
	ByTrustedProxy   Method = "trusted-proxy"
	ByDeviceToken    Method = "device-token"
	ByBootstrapToken Method = "bootstrap-token"
)

// Verdict is what credentials are worth.
type Verdict struct {
	OK     bool
	Method Method // when OK
	Reason Reason // when not
	// RetryAfter is how long credentials are still refused when the reason is
	// RateLimited.
	RetryAfter time.Duration
}

// SharedSecret reports whether the token or password of the gateway, and not
// only the absence of one or a device's own token, let the client in.
func (v Verdict) SharedSecret() bool { return v.OK && (v.Method == ByToken || v.Method == ByPassword) }

func refused(r Reason) Verdict { return Verdict{Reason: r} }

// Gate judges credentials and browser origins under one configuration, and
// keeps count of failures.
type Gate struct {
	devices *Devices

	configured atomic.Pointer[config.Gateway]
	counts     atomic.Pointer[throttle]
}

// NewGate makes a gate. throttleLoopback is parley.throttleLoopback.
func NewGate(c config.Gateway, throttleLoopback bool, d *Devices) *Gate {
	g := &Gate{devices: d}
	g.configured.Store(&c)
	g.counts.Store(newThrottle(c.Auth.RateLimit, throttleLoopback))
	return g
}

// Configure makes the gate judge by another configuration from now on. What was
// counted stays counted, unless the limits themselves are others.
func (g *Gate) Configure(c config.Gateway, throttleLoopback bool) {
	g.configured.Store(&c)
	if !g.throttle().like(c.Auth.RateLimit, throttleLoopback) {
		g.counts.Store(newThrottle(c.Auth.RateLimit, throttleLoopback))
	}
}

// throttle counts the failures.
func (g *Gate) throttle() *throttle { return g.counts.Load() }

// Place finds out where a request came from.
func (g *Gate) Place(peer netip.Addr, host string, h http.Header) Place {
	return locate(*g.configured.Load(), peer, host, h)
}

// JudgeOrigin is the reason why a page of this origin may not connect, or "".
func (g *Gate) JudgeOrigin(origin, host string, local bool) string {
	return judgeOrigin(g.configured.Load().ControlUI, origin, host, local)
}

// Attempt is one try to come in.
type Attempt struct {
	Place  Place
	Header http.Header
	Origin string // as Origin gives it
	// Credentials as sent; nil when there are none.
	Credentials *protocol.Credentials
	// Device is true when a device is given and counts.
	Device bool
}

// candidate is the device token that an attempt offers; explicit tells that it
// was not just the shared token tried as one.
func (a Attempt) candidate() (token string, explicit bool) {
	if a.Credentials == nil || !a.Device {
		return "", false
	}
	if t := trimmed(a.Credentials.DeviceToken); t != "" {
		return t, true
	}
	return trimmed(a.Credentials.Token), false
}

// Shared judges what an attempt offers for gateway.auth.mode. With a device the
// verdict may improve: see Device.
func (g *Gate) Shared(a Attempt) Verdict {
	switch g.configured.Load().Auth.Mode {
	case config.AuthNone:
		return Verdict{OK: true, Method: ByNothing}
	case config.AuthTrustedProxy:
		return g.proxy(a)
	}
	b := g.throttle().bucket(sharedSecret, a.Place, a.Origin)
	candidate, _ := a.candidate()
	// Next to a device token OpenClaw counts a wrong shared secret only as a
	// wrong device token; so the secret could be guessed without end.
	lenient := candidate != "" && !g.throttle().strict(a.Place)
	if left := b.locked(); left > 0 && !lenient {
		return Verdict{Reason: RateLimited, RetryAfter: left}
	}
	v := g.compare(a.Credentials)
	switch {
	case v.OK:
		if left := b.locked(); left > 0 {
			return Verdict{Reason: RateLimited, RetryAfter: left}
		}
		b.clear()
	case v.wrong() && candidate == "":
		b.fail()
	}
	return v
}

// wrong reports whether a secret was offered and did not fit.
func (v Verdict) wrong() bool { return v.Reason == TokenMismatch || v.Reason == PasswordMismatch }

// compare compares the secret of the mode.
func (g *Gate) compare(c *protocol.Credentials) Verdict {
	if c == nil {
		c = &protocol.Credentials{}
	}
	if g.configured.Load().Auth.Mode == config.AuthPassword {
		return compareOne(trimmed(c.Password), g.configured.Load().Auth.Password, ByPassword, PasswordNotConfigured, PasswordMissing, PasswordMismatch)
	}
	return compareOne(trimmed(c.Token), g.configured.Load().Auth.Token, ByToken, TokenNotConfigured, TokenMissing, TokenMismatch)
}

func compareOne(got string, want config.Secret, by Method, unset, missing, mismatch Reason) Verdict {
	secret := jstext.Trim(want.Reveal())
	switch {
	case secret == "":
		return refused(unset)
	case got == "":
		return refused(missing)
	case !equalSecrets(got, secret):
		return refused(mismatch)
	}
	return Verdict{OK: true, Method: by}
}

// equalSecrets compares in a time that tells neither content nor length.
func equalSecrets(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// trimmed is a credential as it is compared; absent and blank are the same.
func trimmed(s *string) string {
	if s == nil {
		return ""
	}
	return jstext.Trim(*s)
}

// proxy judges the headers of a trusted proxy. Several headers of one name are
// joined, as proxies mean it: a name that a client sent and its proxy appended
// to is no allowed user.
func (g *Gate) proxy(a Attempt) Verdict {
	rule := g.configured.Load().Auth.TrustedProxy
	if rule == nil {
		return refused(proxyNotConfigured)
	}
	if !a.Place.TrustedPeer {
		return refused(proxyUntrusted)
	}
	header := func(name string) string {
		return jstext.Trim(strings.Join(a.Header.Values(name), ", "))
	}
	for _, name := range rule.RequiredHeaders {
		if header(name) == "" {
			return refused(proxyMissingHeader + Reason(name))
		}
	}
	user := header(rule.UserHeader)
	switch {
	case user == "":
		return refused(proxyNoUser)
	case len(rule.AllowUsers) > 0 && !slices.Contains(rule.AllowUsers, user):
		return refused(proxyWrongUser)
	}
	return Verdict{OK: true, Method: ByTrustedProxy}
}

// Claim is a proven device and what it asks for.
type Claim struct {
	DeviceID, PublicKey string
	Role                string
	Scopes              []string
}

// Device tries what only a proven device may offer, where the shared secret
// failed with the verdict shared: a bootstrap token, then a device token. An
// error is a failure of the device files, not of the client.
func (g *Gate) Device(a Attempt, c Claim, shared Verdict) (Verdict, error) {
	if shared.OK || a.Credentials == nil {
		return shared, nil
	}
	v, wrong, err := g.tryTokens(a, c, shared)
	if wrong {
		g.throttle().bucket(deviceToken, a.Place, a.Origin).fail()
	}
	if token, _ := a.candidate(); !v.OK && token != "" && shared.wrong() && g.throttle().strict(a.Place) {
		// Shared left this to us: the token could have been the device's own.
		g.throttle().bucket(sharedSecret, a.Place, a.Origin).fail()
	}
	return v, err
}

// tryTokens tries the tokens of a device; wrong tells that one was tried in
// vain, which is to be counted.
func (g *Gate) tryTokens(a Attempt, c Claim, v Verdict) (_ Verdict, wrong bool, _ error) {
	strict := g.throttle().strict(a.Place)
	b := g.throttle().bucket(deviceToken, a.Place, a.Origin)
	if t := trimmed(a.Credentials.BootstrapToken); t != "" {
		if left := b.locked(); left > 0 && strict {
			return Verdict{Reason: RateLimited, RetryAfter: left}, false, nil
		}
		ok, err := g.devices.Redeem(t, c.Role, c.Scopes)
		if err != nil || ok {
			return Verdict{OK: ok, Method: ByBootstrapToken}, false, err
		}
		v, wrong = refused(BootstrapTokenInvalid), strict
	}
	token, explicit := a.candidate()
	if token == "" || v.Reason == RateLimited && !strict {
		return v, wrong, nil
	}
	if left := b.locked(); left > 0 {
		return Verdict{Reason: RateLimited, RetryAfter: left}, wrong, nil
	}
	ok, err := g.devices.Verify(c.DeviceID, c.Role, token, c.Scopes)
	switch {
	case err != nil:
		return v, wrong, err
	case ok:
		b.clear()
		return Verdict{OK: true, Method: ByDeviceToken}, false, nil
	case explicit && v.Reason != RateLimited:
		v = refused(DeviceTokenMismatch)
	}
	return v, true, nil
}

// Bearer judges an HTTP request by its Authorization header: the secret counts
// as token or password, whichever the mode asks for. Failures count with those
// of the same kind of client on the WebSocket.
func (g *Gate) Bearer(p Place, h http.Header) Verdict {
	secret := bearer(h)
	a := Attempt{Place: p, Header: h, Credentials: &protocol.Credentials{Token: &secret, Password: &secret}}
	if g.throttle().strict(p) {
		a.Origin = Origin(h)
	}
	return g.Shared(a)
}

func bearer(h http.Header) string {
	scheme, secret, _ := strings.Cut(jstext.Trim(h.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return jstext.Trim(secret)
}

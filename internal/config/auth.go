package config

import (
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// AuthMode is how clients prove that they may connect.
type AuthMode string

// The modes of gateway.auth.mode.
const (
	AuthNone         AuthMode = "none"
	AuthToken        AuthMode = "token"
	AuthPassword     AuthMode = "password"
	AuthTrustedProxy AuthMode = "trusted-proxy"
)

// Auth is the part "gateway.auth", its mode resolved.
type Auth struct {
	Mode     AuthMode
	Token    Secret
	Password Secret
	// RateLimit is nil when it is not configured.
	RateLimit *RateLimit
	// TrustedProxy is nil when it is not configured.
	TrustedProxy *TrustedProxy

	ambiguous bool // both secrets are configured, and no mode
	exempting bool // rateLimit.exemptLoopback is configured
}

// TrustedProxy is gateway.auth.trustedProxy.
type TrustedProxy struct {
	UserHeader      string
	RequiredHeaders []string
	AllowUsers      []string
}

func (a *Auth) read(d *decoder, at string, v rawjson.Value) {
	object([]field{
		{name: "mode", read: oneOf(&a.Mode, AuthNone, AuthToken, AuthPassword, AuthTrustedProxy)},
		{name: "token", read: secret(&a.Token)},
		{name: "password", read: secret(&a.Password)},
		{name: "rateLimit", read: func(d *decoder, at string, v rawjson.Value) {
			a.RateLimit = new(RateLimit)
			a.exempting = a.RateLimit.read(d, at, v)
		}},
		{name: "trustedProxy", read: func(d *decoder, at string, v rawjson.Value) {
			a.TrustedProxy = new(TrustedProxy)
			a.TrustedProxy.read()(d, at, v)
		}},
	}, "allowTailscale")(d, at, v)
}

func (p *TrustedProxy) read() reader {
	return object([]field{
		{name: "userHeader", read: trimmed(&p.UserHeader)},
		{name: "requiredHeaders", read: texts(&p.RequiredHeaders)},
		{name: "allowUsers", read: texts(&p.AllowUsers)},
	}, "")
}

// throttleLoopback is what parley.throttleLoopback says. A rate limit exempts
// loopback where that is off, unless it says itself what it does.
func (a *Auth) throttleLoopback(on bool) {
	if a.RateLimit != nil && !a.exempting {
		a.RateLimit.ExemptLoopback = !on
	}
}

// resolve fills in secrets from the environment and the command line, and the
// mode where the configuration names none.
func (a *Auth) resolve(env environment, token string) {
	a.Token, a.Password = trimmedSecret(a.Token), trimmedSecret(a.Password)
	a.ambiguous = a.Mode == "" && token == "" && !a.Token.Empty() && !a.Password.Empty()
	if a.Token.Empty() {
		a.Token = NewSecret(jstext.Trim(env.get("OPENCLAW_GATEWAY_TOKEN")))
	}
	if a.Password.Empty() {
		a.Password = NewSecret(jstext.Trim(env.get("OPENCLAW_GATEWAY_PASSWORD")))
	}
	switch {
	case token != "":
		a.Token = NewSecret(token)
		if a.Mode == "" {
			a.Mode = AuthToken
		}
	case a.Mode == "" && !a.Password.Empty():
		a.Mode = AuthPassword
	case a.Mode == "":
		a.Mode = AuthToken
	}
}

func trimmedSecret(s Secret) Secret { return NewSecret(jstext.Trim(s.Reveal())) }

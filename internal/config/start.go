package config

import (
	"fmt"
	"net/netip"
)

// Loopback reports whether only programs on this machine can connect.
func (g Gateway) Loopback() bool {
	switch g.Bind {
	case "loopback":
		return true
	case "custom":
		addr, err := netip.ParseAddr(g.CustomBindHost)
		return err == nil && addr.Unmap().IsLoopback()
	}
	return false
}

// CheckStart is the reason why a daemon must not start with this
// configuration, or nil. A token that is still to be made (EnsureToken) counts
// as missing.
func (c *Config) CheckStart() error {
	g := c.Gateway
	if g.Bind == "custom" {
		if _, err := netip.ParseAddr(g.CustomBindHost); err != nil {
			return problemf("gateway.bind=custom requires gateway.customBindHost")
		}
	}
	if g.Auth.ambiguous {
		return problemf("gateway.auth has a token and a password: say in gateway.auth.mode which of them counts.")
	}
	switch g.Auth.Mode {
	case AuthPassword:
		if g.Auth.Password.Empty() {
			return problemf("Gateway auth is set to password, but no password is configured.")
		}
	case AuthTrustedProxy:
		return g.checkProxy()
	case AuthNone:
		if !g.Loopback() {
			return problemf("Refusing to bind gateway to %s without auth.", g.Bind)
		}
	default:
		if g.Auth.Token.Empty() {
			return problemf("Gateway auth is set to token, but no token is configured.")
		}
	}
	return nil
}

// checkProxy is CheckStart for mode trusted-proxy.
func (g Gateway) checkProxy() error {
	const mode = "gateway auth mode=trusted-proxy"
	if len(g.TrustedProxies) == 0 {
		return problemf("%s requires gateway.trustedProxies to be configured with at least one proxy IP", mode)
	}
	if g.Auth.TrustedProxy == nil || g.Auth.TrustedProxy.UserHeader == "" {
		return problemf("%s requires gateway.auth.trustedProxy.userHeader, the header that names the user", mode)
	}
	if g.Loopback() && !g.trustsLoopback() {
		return problemf("%s with bind=loopback requires gateway.trustedProxies to include 127.0.0.1, ::1, or a loopback CIDR", mode)
	}
	return nil
}

func (g Gateway) trustsLoopback() bool {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	for _, p := range g.TrustedProxies {
		if p.Contains(four) || p.Contains(six) || p.Addr().IsLoopback() {
			return true
		}
	}
	return false
}

// seedOrigins allows the page of this machine where the gateway listens
// further and nobody said which pages may connect.
func (g *Gateway) seedOrigins() {
	u := &g.ControlUI
	if g.Loopback() || !u.Enabled || len(u.AllowedOrigins) > 0 || u.HostHeaderOriginAllows {
		return
	}
	u.AllowedOrigins = []string{fmt.Sprintf("http://localhost:%d", g.Port), fmt.Sprintf("http://127.0.0.1:%d", g.Port)}
	if addr, err := netip.ParseAddr(g.CustomBindHost); err == nil && g.Bind == "custom" {
		u.AllowedOrigins = append(u.AllowedOrigins, "http://"+netip.AddrPortFrom(addr, uint16(g.Port)).String())
	}
}

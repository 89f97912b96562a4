package auth

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// ForeignHost reports whether a Host header names neither this machine nor a
// page that is allowed, though the gateway listens on loopback only. A browser
// sends such a name when a foreign page had it rebound to our address; to that
// page our answers would be its own. A reverse proxy that passes the public
// name on makes it known in gateway.controlUi.allowedOrigins, which connect
// asks for anyway.
func (g *Gate) ForeignHost(host string) bool {
	if !g.loopbackBind() || localHost(host) || g.configured.Load().ControlUI.HostHeaderOriginAllows {
		return false
	}
	host = strings.ToLower(jstext.Trim(host))
	return !slices.ContainsFunc(g.configured.Load().ControlUI.AllowedOrigins, func(allowed string) bool {
		o, ok := parseOrigin(allowed)
		return allowed == "*" || ok && o.hostport() == host
	})
}

// loopbackBind reports whether only this machine can reach the gateway by
// itself.
func (g *Gate) loopbackBind() bool {
	switch g.configured.Load().Bind {
	case "loopback", "auto":
		return true
	case "custom":
		a, err := netip.ParseAddr(g.configured.Load().CustomBindHost)
		return err == nil && a.Unmap().IsLoopback()
	}
	return false
}

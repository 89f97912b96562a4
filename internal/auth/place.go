package auth

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
)

// Place is where a request came from.
type Place struct {
	// Peer is the other end of the socket, IPv4-mapped addresses as IPv4;
	// invalid when it has no address.
	Peer netip.Addr
	// Addr is the client's address; invalid when it is unknown.
	Addr netip.Addr
	// Local is true for a client on this machine that speaks to us directly
	// (or through a proxy that we trust to say so).
	Local bool
	// Reported is the address that pairing records and presence show, "" for
	// clients on this machine and where a stranger forwarded the request.
	Reported string
	// TrustedPeer is true when the peer is one of gateway.trustedProxies.
	TrustedPeer bool
}

// locate finds out where a request came from (spec: protocol 6.1).
func locate(c config.Gateway, peer netip.Addr, host string, h http.Header) Place {
	p := Place{Peer: peer.Unmap().WithZone("")}
	p.TrustedPeer = within(c.TrustedProxies, p.Peer)
	forwarded := h.Values("X-Forwarded-For") != nil || h.Values("X-Real-IP") != nil
	if p.TrustedPeer {
		p.Addr = forwardedAddr(c, h)
	} else {
		p.Addr = p.Peer
	}
	direct := p.TrustedPeer || !forwarded && h.Values("X-Forwarded-Host") == nil
	p.Local = p.Addr.IsLoopback() && localHost(host) && direct
	if !p.Local && (p.TrustedPeer || !forwarded) && p.Addr.IsValid() && !p.Addr.IsLoopback() {
		p.Reported = p.Addr.String()
	}
	return p
}

// onLoopback reports whether nobody but this machine is known to be involved:
// the client's address is a loopback one, or unknown behind a loopback peer.
func (p Place) onLoopback() bool {
	if !p.Addr.IsValid() {
		return p.Peer.IsLoopback()
	}
	return p.Addr.IsLoopback()
}

// forwardedAddr is the client behind a trusted proxy: the last hop that is
// neither a proxy of ours nor this machine.
func forwardedAddr(c config.Gateway, h http.Header) netip.Addr {
	hops := strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		if a, ok := parseHop(hops[i]); ok && !a.IsLoopback() && !within(c.TrustedProxies, a) {
			return a
		}
	}
	if c.AllowRealIPFallback {
		if a, ok := parseHop(strings.Join(h.Values("X-Real-IP"), ",")); ok {
			return a
		}
	}
	return netip.Addr{}
}

// parseHop reads an address as proxies write it: with or without a port, IPv6
// in brackets or bare.
func parseHop(text string) (netip.Addr, bool) {
	text = jstext.Trim(text)
	if rest, ok := strings.CutPrefix(text, "["); ok {
		inside, _, closed := strings.Cut(rest, "]")
		if !closed {
			return netip.Addr{}, false
		}
		text = inside
	} else if strings.Count(text, ":") == 1 {
		text, _, _ = strings.Cut(text, ":")
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

func within(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// localHost reports whether a Host header names this machine, or a name that
// only a tailnet gives. Any other name may be a foreign page's that resolves
// to our address.
func localHost(host string) bool {
	name := strings.ToLower(jstext.Trim(host))
	if rest, ok := strings.CutPrefix(name, "["); ok {
		inside, _, closed := strings.Cut(rest, "]")
		return closed && loopbackAddr(inside)
	}
	if strings.Count(name, ":") == 1 {
		name, _, _ = strings.Cut(name, ":")
	}
	return name == "localhost" || loopbackAddr(name) || strings.HasSuffix(name, ".ts.net")
}

func loopbackAddr(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Unmap().IsLoopback()
}

package auth

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
)

// Origin is the Origin header of a request, "" when there is none or it is
// blank. Several headers count as one that no rule accepts.
func Origin(h http.Header) string { return jstext.Trim(strings.Join(h.Values("Origin"), ", ")) }

// The reasons for which an Origin is refused.
const (
	originInvalid    = "origin missing or invalid"
	originNotAllowed = "origin not allowed"
)

// judgeOrigin is the reason why a page of this origin may not connect, or "".
// There is no rule "the same host as the request" unless it is configured: a
// name that was rebound to our address would pass it.
func judgeOrigin(ui config.ControlUI, origin, host string, local bool) string {
	o, ok := parseOrigin(origin)
	if !ok {
		return originInvalid
	}
	switch {
	case slices.Contains(ui.AllowedOrigins, "*"), slices.Contains(ui.AllowedOrigins, o.text()):
		return ""
	case ui.HostHeaderOriginAllows && host != "" && o.hostport() == strings.ToLower(jstext.Trim(host)):
		return ""
	case local && o.loopback():
		return ""
	}
	return originNotAllowed
}

// origin is a parsed Origin header, in lower case.
type origin struct {
	scheme, host string
	port         string // "" for the scheme's default
}

func parseOrigin(text string) (origin, bool) {
	text = jstext.Trim(text)
	if text == "" || text == "null" {
		return origin{}, false
	}
	u, err := url.Parse(text)
	// file: and the like have no host; nobody who allows origins means them,
	// but they parse.
	if err != nil || u.Scheme == "" || u.Hostname() == "" && defaultPort(strings.ToLower(u.Scheme)) != "" {
		return origin{}, false
	}
	o := origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname())}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return origin{}, false
		}
		o.port = strconv.FormatUint(n, 10)
	}
	if o.port == defaultPort(o.scheme) {
		o.port = ""
	}
	return o, true
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

func (o origin) text() string { return o.scheme + "://" + o.hostport() }

func (o origin) hostport() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port == "" {
		return host
	}
	return host + ":" + o.port
}

// loopback reports whether the page was served by this machine: localhost,
// 127.0.0.0/8, mapped to IPv6 or not, or ::1.
func (o origin) loopback() bool {
	if o.host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(o.host)
	return err == nil && a.Unmap().IsLoopback()
}

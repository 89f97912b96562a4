package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// DefaultPort is the port when neither configuration, environment nor command
// line name one.
const DefaultPort = 18789

// Gateway is the part "gateway": listening, secrets, browsers.
type Gateway struct {
	Port int
	// Bind is loopback, lan, auto, custom or tailnet. An address given on the
	// command line makes it custom.
	Bind           string
	CustomBindHost string
	Auth           Auth
	// TrustedProxies may forward a client's address.
	TrustedProxies      []netip.Prefix
	AllowRealIPFallback bool
	ControlUI           ControlUI
	TLS                 TLS
	// StrictTransportSecurity is the header's value, "" for none.
	StrictTransportSecurity string
	// ReloadMode is off, restart, hot or hybrid (default): whether a changed
	// file is taken in while running.
	ReloadMode string
}

// ControlUI is gateway.controlUi.
type ControlUI struct {
	Enabled bool
	// BasePath is normalised: "" or "/x" without a final slash.
	BasePath string
	// Root is the directory of the page's files, absolute, "" for none.
	Root string
	// AllowedOrigins are trimmed and lower-case.
	AllowedOrigins         []string
	AllowInsecureAuth      bool
	DisableDeviceAuth      bool // dangerouslyDisableDeviceAuth
	HostHeaderOriginAllows bool // dangerouslyAllowHostHeaderOriginFallback
}

// TLS is gateway.tls; its paths are absolute, or "" for the default files.
type TLS struct {
	Enabled      bool
	AutoGenerate bool
	CertPath     string
	KeyPath      string
	CAPath       string
}

func (g *Gateway) defaults() {
	*g = Gateway{Port: DefaultPort, Bind: "loopback", ReloadMode: "hybrid"}
	g.ControlUI.Enabled = true
	g.TLS.AutoGenerate = true
}

func (g *Gateway) read() reader {
	return object([]field{
		{name: "port", read: whole(&g.Port, 1, 65535)},
		{name: "bind", read: oneOf(&g.Bind, "auto", "lan", "loopback", "custom", "tailnet")},
		{name: "customBindHost", read: trimmed(&g.CustomBindHost)},
		{name: "controlUi", read: g.ControlUI.read()},
		{name: "auth", read: g.Auth.read},
		{name: "trustedProxies", read: g.readProxies},
		{name: "allowRealIpFallback", read: boolean(&g.AllowRealIPFallback)},
		{name: "reload", read: object([]field{
			{name: "mode", read: oneOf(&g.ReloadMode, "off", "restart", "hot", "hybrid")},
		}, "debounceMs deferralTimeoutMs")},
		{name: "tls", read: object([]field{
			{name: "enabled", read: boolean(&g.TLS.Enabled)},
			{name: "autoGenerate", read: boolean(&g.TLS.AutoGenerate)},
			{name: "certPath", read: trimmed(&g.TLS.CertPath)},
			{name: "keyPath", read: trimmed(&g.TLS.KeyPath)},
			{name: "caPath", read: trimmed(&g.TLS.CAPath)},
		}, "")},
		{name: "http", read: object([]field{
			{name: "securityHeaders", read: object([]field{
				{name: "strictTransportSecurity", read: either('f', off(func() {}), trimmed(&g.StrictTransportSecurity))},
			}, "")},
		}, "endpoints")},
	}, "mode tools channelHealthCheckMinutes channelStaleEventThresholdMinutes channelMaxRestartsPerHour tailscale remote push nodes")
}

// readProxies takes addresses and ranges. One that is neither trusts nobody,
// so it does not stop the start.
func (g *Gateway) readProxies(d *decoder, at string, v rawjson.Value) {
	each(func(d *decoder, at string, v rawjson.Value) {
		var s string
		trimmed(&s)(d, at, v)
		if prefix, ok := parsePrefix(s); ok {
			g.TrustedProxies = append(g.TrustedProxies, prefix)
		} else if s != "" {
			d.warnings = append(d.warnings, Warning(at+": "+strconv.Quote(s)+" is neither an address nor a range (10.0.0.0/8) and is ignored"))
		}
	})(d, at, v)
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.WithZone("").Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(s)
	return prefix.Masked(), err == nil
}

func (u *ControlUI) read() reader {
	return object([]field{
		{name: "enabled", read: boolean(&u.Enabled)},
		{name: "basePath", read: func(d *decoder, at string, v rawjson.Value) {
			text(&u.BasePath)(d, at, v)
			u.BasePath = basePath(u.BasePath)
		}},
		{name: "root", read: trimmed(&u.Root)},
		{name: "allowedOrigins", read: func(d *decoder, at string, v rawjson.Value) {
			texts(&u.AllowedOrigins)(d, at, v)
			u.AllowedOrigins = origins(u.AllowedOrigins)
		}},
		{name: "dangerouslyAllowHostHeaderOriginFallback", read: boolean(&u.HostHeaderOriginAllows)},
		{name: "allowInsecureAuth", read: boolean(&u.AllowInsecureAuth)},
		{name: "dangerouslyDisableDeviceAuth", read: boolean(&u.DisableDeviceAuth)},
	}, "")
}

// basePath gives a path one leading slash and no trailing one.
func basePath(s string) string {
	if s = jstext.Trim(s); s == "" {
		return ""
	}
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	return strings.TrimSuffix(s, "/")
}

func origins(list []string) []string {
	var out []string
	for _, o := range list {
		if o = jstext.Lower(jstext.Trim(o)); o != "" {
			out = append(out, o)
		}
	}
	return out
}

// RateLimit is gateway.auth.rateLimit with its defaults filled in.
type RateLimit struct {
	MaxAttempts    int
	Window         time.Duration
	Lockout        time.Duration
	ExemptLoopback bool
}

// DefaultRateLimit holds where gateway.auth.rateLimit says nothing else.
// Whether loopback is exempt is then up to parley.throttleLoopback.
func DefaultRateLimit() RateLimit {
	return RateLimit{MaxAttempts: 10, Window: time.Minute, Lockout: 5 * time.Minute, ExemptLoopback: true}
}

// read reports whether the configuration itself says what ExemptLoopback is.
func (r *RateLimit) read(d *decoder, at string, v rawjson.Value) (exempting bool) {
	*r = DefaultRateLimit()
	window, lockout := r.Window.Milliseconds(), r.Lockout.Milliseconds()
	const longest = int64(24 * time.Hour / time.Millisecond * 365)
	object([]field{
		{name: "maxAttempts", read: whole(&r.MaxAttempts, 1, maxWhole)},
		{name: "windowMs", read: whole(&window, 1, longest)},
		{name: "lockoutMs", read: whole(&lockout, 0, longest)},
		{name: "exemptLoopback", read: func(d *decoder, at string, v rawjson.Value) {
			exempting = true
			boolean(&r.ExemptLoopback)(d, at, v)
		}},
	}, "")(d, at, v)
	r.Window, r.Lockout = time.Duration(window)*time.Millisecond, time.Duration(lockout)*time.Millisecond
	return exempting
}

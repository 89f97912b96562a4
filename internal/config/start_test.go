package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuthMode(t *testing.T) {
	tests := []struct {
		name, auth      string
		vars            map[string]string
		flag            string
		mode            AuthMode
		token, password string
	}{
		{name: "nothing", auth: `{}`, mode: AuthToken},
		{name: "password alone", auth: `{password: "p"}`, mode: AuthPassword, password: "p"},
		{name: "token alone", auth: `{token: " t "}`, mode: AuthToken, token: "t"},
		{name: "password from the environment", auth: `{}`, vars: map[string]string{"OPENCLAW_GATEWAY_PASSWORD": "p"}, mode: AuthPassword, password: "p"},
		{name: "token from the environment", auth: `{}`, vars: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "t"}, mode: AuthToken, token: "t"},
		{name: "configuration wins", auth: `{token: "c"}`, vars: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "t"}, mode: AuthToken, token: "c"},
		{name: "mode wins", auth: `{mode: "token", password: "p", token: "t"}`, mode: AuthToken, token: "t", password: "p"},
		{name: "flag wins", auth: `{token: "c"}`, flag: "f", mode: AuthToken, token: "f"},
		{name: "flag decides the mode", auth: `{password: "p"}`, flag: "f", mode: AuthToken, token: "f", password: "p"},
		{name: "flag does not change a mode", auth: `{mode: "password", password: "p"}`, flag: "f", mode: AuthPassword, token: "f", password: "p"},
		{name: "none", auth: `{mode: "none"}`, mode: AuthNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(tt.vars)
			o.Token = tt.flag
			c, ws, err := Parse(`{gateway: {auth: `+tt.auth+`}}`, o)
			if err != nil {
				t.Fatal(err)
			}
			a := c.Gateway.Auth
			if a.Mode != tt.mode || a.Token.Reveal() != tt.token || a.Password.Reveal() != tt.password {
				t.Errorf("mode %s, token %q, password %q; want %s, %q, %q", a.Mode, a.Token.Reveal(), a.Password.Reveal(), tt.mode, tt.token, tt.password)
			}
			if got := hasWarning(ws, "every program on this machine"); got != (tt.mode == AuthNone) {
				t.Errorf("warned of mode none: %v", got)
			}
		})
	}
}

func TestCheckStart(t *testing.T) {
	const proxy = `auth: {mode: "trusted-proxy", trustedProxy: {userHeader: "X-User"}}`
	tests := []struct {
		name, gateway string
		want          string // "" when it may start
	}{
		{"loopback with token", `{auth: {token: "t"}}`, ""},
		{"loopback without auth", `{auth: {mode: "none"}}`, ""},
		{"lan with token", `{bind: "lan", auth: {token: "t"}}`, ""},
		{"lan without auth", `{bind: "lan", auth: {mode: "none"}}`, "Refusing to bind gateway to lan without auth."},
		{"auto without auth", `{bind: "auto", auth: {mode: "none"}}`, "Refusing to bind gateway to auto without auth."},
		{"custom loopback without auth", `{bind: "custom", customBindHost: "127.0.0.2", auth: {mode: "none"}}`, ""},
		{"custom without auth", `{bind: "custom", customBindHost: "10.0.0.1", auth: {mode: "none"}}`, "Refusing to bind gateway to custom without auth."},
		{"password missing", `{auth: {mode: "password"}}`, "Gateway auth is set to password, but no password is configured."},
		{"password blank", `{auth: {mode: "password", password: "  "}}`, "Gateway auth is set to password, but no password is configured."},
		{"password there", `{auth: {mode: "password", password: "p"}}`, ""},
		{"token missing", `{auth: {mode: "token"}}`, "Gateway auth is set to token, but no token is configured."},
		{"both and no mode", `{auth: {token: "t", password: "p"}}`, "gateway.auth has a token and a password: say in gateway.auth.mode which of them counts."},
		{"both and a mode", `{auth: {mode: "password", token: "t", password: "p"}}`, ""},
		{"proxy without proxies", `{` + proxy + `}`, "gateway auth mode=trusted-proxy requires gateway.trustedProxies to be configured with at least one proxy IP"},
		{"proxy with nonsense", `{trustedProxies: ["proxy.local"], ` + proxy + `}`, "gateway auth mode=trusted-proxy requires gateway.trustedProxies to be configured with at least one proxy IP"},
		{"proxy elsewhere, loopback bind", `{trustedProxies: ["10.0.0.1"], ` + proxy + `}`, "gateway auth mode=trusted-proxy with bind=loopback requires gateway.trustedProxies to include 127.0.0.1, ::1, or a loopback CIDR"},
		{"proxy elsewhere, lan", `{bind: "lan", trustedProxies: ["10.0.0.1"], ` + proxy + `}`, ""},
		{"proxy here", `{trustedProxies: ["10.0.0.1", "127.0.0.1"], ` + proxy + `}`, ""},
		{"proxy here, six", `{trustedProxies: ["::1"], ` + proxy + `}`, ""},
		{"proxy here, range", `{trustedProxies: ["127.0.0.0/8"], ` + proxy + `}`, ""},
		{"proxy everywhere", `{trustedProxies: ["0.0.0.0/0"], ` + proxy + `}`, ""},
		{"proxy without a header", `{trustedProxies: ["127.0.0.1"], auth: {mode: "trusted-proxy"}}`, "gateway auth mode=trusted-proxy requires gateway.auth.trustedProxy.userHeader, the header that names the user"},
		{"proxy with a blank header", `{trustedProxies: ["127.0.0.1"], auth: {mode: "trusted-proxy", trustedProxy: {userHeader: " "}}}`, "gateway auth mode=trusted-proxy requires gateway.auth.trustedProxy.userHeader, the header that names the user"},
		{"custom without host", `{bind: "custom", auth: {token: "t"}}`, "gateway.bind=custom requires gateway.customBindHost"},
		{"custom with a name", `{bind: "custom", customBindHost: "localhost", auth: {token: "t"}}`, "gateway.bind=custom requires gateway.customBindHost"},
		{"custom", `{bind: "custom", customBindHost: " 192.168.1.2 ", auth: {token: "t"}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := parse(t, `{gateway: `+tt.gateway+`}`).CheckStart(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("CheckStart\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestListening(t *testing.T) {
	tests := []struct {
		name, gateway string
		port          string // OPENCLAW_GATEWAY_PORT
		flags         Options
		wantPort      int
		wantBind      string
		wantHost      string
		loopback      bool
	}{
		{name: "defaults", gateway: `{}`, wantPort: 18789, wantBind: "loopback", loopback: true},
		{name: "configured", gateway: `{port: 1, bind: "lan"}`, wantPort: 1, wantBind: "lan"},
		{name: "environment", gateway: `{port: 1}`, port: " 2 ", wantPort: 2, wantBind: "loopback", loopback: true},
		{name: "odd environment", gateway: `{port: 1}`, port: "99999", wantPort: 1, wantBind: "loopback", loopback: true},
		{name: "flags", gateway: `{port: 1, bind: "lan"}`, port: "2", flags: Options{Port: 3, Bind: "loopback"}, wantPort: 3, wantBind: "loopback", loopback: true},
		{name: "address", gateway: `{}`, flags: Options{Bind: "::1"}, wantPort: 18789, wantBind: "custom", wantHost: "::1", loopback: true},
		{name: "another address", gateway: `{}`, flags: Options{Bind: "10.1.2.3"}, wantPort: 18789, wantBind: "custom", wantHost: "10.1.2.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOptions(map[string]string{"OPENCLAW_GATEWAY_PORT": tt.port})
			o.Port, o.Bind = tt.flags.Port, tt.flags.Bind
			c, ws, err := Parse(`{gateway: `+tt.gateway+`}`, o)
			if err != nil {
				t.Fatal(err)
			}
			g := c.Gateway
			if g.Port != tt.wantPort || g.Bind != tt.wantBind || g.CustomBindHost != tt.wantHost || g.Loopback() != tt.loopback {
				t.Errorf("port %d, bind %s, host %q, loopback %v", g.Port, g.Bind, g.CustomBindHost, g.Loopback())
			}
			if got := hasWarning(ws, "OPENCLAW_GATEWAY_PORT"); got != (tt.port == "99999") {
				t.Errorf("warnings = %q", ws)
			}
		})
	}
}

func TestControlUI(t *testing.T) {
	tests := []struct {
		gateway string
		want    []string
	}{
		{`{}`, nil},
		{`{controlUi: {allowedOrigins: [" HTTPS://Ui.Example ", "", "*"]}}`, []string{"https://ui.example", "*"}},
		{`{bind: "lan", port: 5}`, []string{"http://localhost:5", "http://127.0.0.1:5"}},
		{`{bind: "custom", customBindHost: "10.0.0.1", port: 5}`, []string{"http://localhost:5", "http://127.0.0.1:5", "http://10.0.0.1:5"}},
		{`{bind: "lan", controlUi: {enabled: false}}`, nil},
		{`{bind: "lan", controlUi: {dangerouslyAllowHostHeaderOriginFallback: true}}`, nil},
		{`{bind: "lan", controlUi: {allowedOrigins: ["http://x"]}}`, []string{"http://x"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, parse(t, `{gateway: `+tt.gateway+`}`).Gateway.ControlUI.AllowedOrigins); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.gateway, diff)
		}
	}
	for base, want := range map[string]string{"": "", "/": "", "x": "/x", " /x/ ": "/x", "/a/b/": "/a/b"} {
		if got := basePath(base); got != want {
			t.Errorf("basePath(%q) = %q, want %q", base, got, want)
		}
	}
	c := parse(t, `{gateway: {controlUi: {root: "~/ui"}, tls: {certPath: "c.pem"}, http: {securityHeaders: {strictTransportSecurity: " max-age=60 "}}}}`)
	if c.Gateway.ControlUI.Root != "/home/ann/ui" || c.Gateway.TLS.CertPath != "/work/c.pem" || c.Gateway.StrictTransportSecurity != "max-age=60" {
		t.Errorf("gateway = %+v", c.Gateway)
	}
	if got := parse(t, `{gateway: {http: {securityHeaders: {strictTransportSecurity: false}}}}`).Gateway.StrictTransportSecurity; got != "" {
		t.Errorf("switched off: %q", got)
	}
}

func TestTrustedProxies(t *testing.T) {
	c, ws, err := Parse(`{gateway: {trustedProxies: ["10.0.0.1", "10.1.2.3/8", "::ffff:1.2.3.4", " fe80::1%eth0 ", "proxy", ""]}}`, testOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("1.2.3.4/32"), netip.MustParsePrefix("fe80::1/128")}
	if diff := cmp.Diff(want, c.Gateway.TrustedProxies, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(ws) != 1 || !strings.Contains(string(ws[0]), `gateway.trustedProxies.4: "proxy"`) {
		t.Errorf("warnings = %q", ws)
	}
}

func TestRateLimit(t *testing.T) {
	if got := parse(t, `{}`).Gateway.Auth.RateLimit; got != nil {
		t.Errorf("unconfigured: %+v", got)
	}
	want := DefaultRateLimit()
	want.MaxAttempts, want.ExemptLoopback, want.Lockout = 3, false, 3e9
	if diff := cmp.Diff(&want, parse(t, `{gateway: {auth: {rateLimit: {maxAttempts: 3, lockoutMs: 3000, exemptLoopback: false}}}}`).Gateway.Auth.RateLimit); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A rate limit that only names other numbers must not open the door that
// parley.throttleLoopback keeps shut.
func TestRateLimitExemptsLoopback(t *testing.T) {
	for _, tt := range []struct {
		rateLimit, parley string
		want              bool
	}{
		{`{}`, `{}`, false},
		{`{maxAttempts: 3}`, `{}`, false},
		{`{}`, `{throttleLoopback: true}`, false},
		{`{}`, `{throttleLoopback: false}`, true},
		{`{exemptLoopback: true}`, `{}`, true},
		{`{exemptLoopback: true}`, `{throttleLoopback: true}`, true},
		{`{exemptLoopback: false}`, `{throttleLoopback: false}`, false},
	} {
		text := `{parley: ` + tt.parley + `, gateway: {auth: {rateLimit: ` + tt.rateLimit + `}}}`
		if got := parse(t, text).Gateway.Auth.RateLimit.ExemptLoopback; got != tt.want {
			t.Errorf("%s: ExemptLoopback = %v, want %v", text, got, tt.want)
		}
	}
}

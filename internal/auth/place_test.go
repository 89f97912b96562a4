package auth

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/parleyd/parley/internal/config"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

func TestPlace(t *testing.T) {
	const xff, xri, xfh = "X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Host"
	loopback := config.Gateway{TrustedProxies: prefixes("127.0.0.1/32")}
	fallback := config.Gateway{TrustedProxies: prefixes("127.0.0.1/32"), AllowRealIPFallback: true}
	lan := config.Gateway{TrustedProxies: prefixes("10.0.0.0/8", "fd00::/8")}
	for name, tc := range map[string]struct {
		config     config.Gateway
		peer, host string
		header     http.Header
		addr       string // "" for unknown
		local      bool
		reported   string
	}{
		"direct":                    {peer: "127.0.0.1", host: "127.0.0.1:18789", addr: "127.0.0.1", local: true},
		"direct, ::1":               {peer: "::1", host: "[::1]:18789", addr: "::1", local: true},
		"direct, mapped":            {peer: "::ffff:127.0.0.1", host: "[::ffff:127.0.0.1]:1", addr: "127.0.0.1", local: true},
		"other loopback address":    {peer: "127.8.9.10", host: "127.200.0.1", addr: "127.8.9.10", local: true},
		"Host localhost":            {peer: "127.0.0.1", host: " LocalHost:80", addr: "127.0.0.1", local: true},
		"Host of a tailnet":         {peer: "127.0.0.1", host: "box.tail1234.ts.net:443", addr: "127.0.0.1", local: true},
		"Host foreign":              {peer: "127.0.0.1", host: "gw.example.com", addr: "127.0.0.1"},
		"Host like localhost":       {peer: "127.0.0.1", host: "localhost.example.com", addr: "127.0.0.1"},
		"Host like a loopback name": {peer: "127.0.0.1", host: "127.0.0.1.nip.io:80", addr: "127.0.0.1"},
		"Host like a tailnet":       {peer: "127.0.0.1", host: "evil.ts.net.example", addr: "127.0.0.1"},
		"Host ts.net alone":         {peer: "127.0.0.1", host: "ts.net", addr: "127.0.0.1"},
		"Host any address":          {peer: "127.0.0.1", host: "0.0.0.0:18789", addr: "127.0.0.1"},
		"Host absent":               {peer: "127.0.0.1", addr: "127.0.0.1"},
		"Host with broken bracket":  {peer: "127.0.0.1", host: "[::1", addr: "127.0.0.1"},
		"Host in short spelling":    {peer: "127.0.0.1", host: "127.1", addr: "127.0.0.1"},
		"remote":                    {peer: "203.0.113.9", host: "localhost", addr: "203.0.113.9", reported: "203.0.113.9"},
		"remote IPv6":               {peer: "2001:db8::1", host: "x", addr: "2001:db8::1", reported: "2001:db8::1"},
		"link-local with zone":      {peer: "fe80::1%eth0", host: "x", addr: "fe80::1", reported: "fe80::1"},
		"no address":                {host: "localhost"},

		"untrusted X-Forwarded-For":            {peer: "127.0.0.1", host: "localhost", header: header(xff, "203.0.113.9"), addr: "127.0.0.1"},
		"untrusted X-Forwarded-For, loopback":  {peer: "127.0.0.1", host: "localhost", header: header(xff, "127.0.0.1"), addr: "127.0.0.1"},
		"untrusted X-Forwarded-For, empty":     {peer: "127.0.0.1", host: "localhost", header: header(xff, ""), addr: "127.0.0.1"},
		"untrusted X-Real-IP":                  {peer: "127.0.0.1", host: "localhost", header: header(xri, "127.0.0.1"), addr: "127.0.0.1"},
		"untrusted X-Forwarded-Host":           {peer: "127.0.0.1", host: "localhost", header: header(xfh, "localhost"), addr: "127.0.0.1"},
		"untrusted, remote":                    {peer: "203.0.113.9", host: "localhost", header: header(xff, "127.0.0.1"), addr: "203.0.113.9"},
		"trusted loopback, direct":             {config: loopback, peer: "127.0.0.1", host: "localhost"},
		"trusted loopback, forwarded":          {config: loopback, peer: "127.0.0.1", host: "localhost", header: header(xff, "203.0.113.9"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"trusted loopback, loopback forwarded": {config: loopback, peer: "127.0.0.1", host: "localhost", header: header(xff, "127.0.0.1")},
		"real IP without fallback":             {config: loopback, peer: "127.0.0.1", host: "localhost", header: header(xri, "127.0.0.1")},
		"real IP with fallback":                {config: fallback, peer: "127.0.0.1", host: "localhost", header: header(xri, "127.0.0.1"), addr: "127.0.0.1", local: true},
		"real IP with fallback, foreign Host":  {config: fallback, peer: "127.0.0.1", host: "x.example", header: header(xri, "127.0.0.1"), addr: "127.0.0.1"},
		"real IP broken":                       {config: fallback, peer: "127.0.0.1", host: "localhost", header: header(xri, "me")},
		"forwarded beats real IP":              {config: fallback, peer: "127.0.0.1", host: "localhost", header: header(xff, "203.0.113.9", xri, "127.0.0.1"), addr: "203.0.113.9", reported: "203.0.113.9"},

		"the client's own claim is not taken": {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "127.0.0.1, 198.51.100.7, 203.0.113.9"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"our proxies are skipped":             {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "203.0.113.9, 10.0.0.7", xff, "fd00::7"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"ports and brackets":                  {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "203.0.113.9:1234,[fd00::7]:80"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"IPv6 in brackets":                    {config: lan, peer: "fd00::1", host: "x", header: header(xff, "[2001:db8::5]:443"), addr: "2001:db8::5", reported: "2001:db8::5"},
		"IPv6 bare":                           {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "2001:db8::5"), addr: "2001:db8::5", reported: "2001:db8::5"},
		"mapped proxy":                        {config: lan, peer: "::ffff:10.0.0.1", host: "x", header: header(xff, "::ffff:203.0.113.9"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"unparsable hops are skipped":         {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "203.0.113.9, unknown, [::1, , _hidden"), addr: "203.0.113.9", reported: "203.0.113.9"},
		"nothing usable":                      {config: lan, peer: "10.0.0.1", host: "x", header: header(xff, "unknown")},
	} {
		t.Run(name, func(t *testing.T) {
			var peer netip.Addr
			if tc.peer != "" {
				peer = netip.MustParseAddr(tc.peer)
			}
			got := locate(tc.config, peer, tc.host, tc.header)
			addr := ""
			if got.Addr.IsValid() {
				addr = got.Addr.String()
			}
			if addr != tc.addr || got.Local != tc.local || got.Reported != tc.reported {
				t.Errorf("address %q local %v reported %q, want %q %v %q", addr, got.Local, got.Reported, tc.addr, tc.local, tc.reported)
			}
		})
	}
}

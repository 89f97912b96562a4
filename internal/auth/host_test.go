package auth

import (
	"testing"

	"github.com/parleyd/parley/internal/config"
)

func TestForeignHost(t *testing.T) {
	allowing := func(origins ...string) config.ControlUI { return config.ControlUI{AllowedOrigins: origins} }
	for _, c := range []struct {
		name string
		g    config.Gateway
		host string
		want bool
	}{
		{"localhost", config.Gateway{Bind: "loopback"}, "LocalHost:18789", false},
		{"IPv4", config.Gateway{Bind: "loopback"}, "127.0.0.9", false},
		{"IPv6", config.Gateway{Bind: "loopback"}, "[::1]:18789", false},
		{"tailnet name", config.Gateway{Bind: "loopback"}, "box.tail.ts.net", false},
		{"a rebound name", config.Gateway{Bind: "loopback"}, "evil.example:18789", true},
		{"a name that begins like ours", config.Gateway{Bind: "loopback"}, "localhost.evil.example", true},
		{"no name", config.Gateway{Bind: "loopback"}, "", true},
		{"auto is loopback", config.Gateway{Bind: "auto"}, "evil.example", true},
		{"custom loopback", config.Gateway{Bind: "custom", CustomBindHost: "127.0.0.2"}, "evil.example", true},
		{"custom", config.Gateway{Bind: "custom", CustomBindHost: "192.0.2.7"}, "evil.example", false},
		{"lan", config.Gateway{Bind: "lan"}, "evil.example", false},
		{"an allowed page", config.Gateway{Bind: "loopback", ControlUI: allowing("https://gw.example")}, "GW.example", false},
		{"another port", config.Gateway{Bind: "loopback", ControlUI: allowing("https://gw.example")}, "gw.example:8443", true},
		{"every page", config.Gateway{Bind: "loopback", ControlUI: allowing("*")}, "evil.example", false},
		{"host fallback", config.Gateway{Bind: "loopback", ControlUI: config.ControlUI{HostHeaderOriginAllows: true}}, "evil.example", false},
	} {
		if got := NewGate(c.g, true, nil).ForeignHost(c.host); got != c.want {
			t.Errorf("%s: ForeignHost(%q) = %v, want %v", c.name, c.host, got, c.want)
		}
	}
}

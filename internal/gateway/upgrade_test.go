package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestUpgradeFaults(t *testing.T) {
	const version, key, offer = "Missing or invalid Sec-WebSocket-Version header", "Missing or invalid Sec-WebSocket-Key header", "Invalid Sec-WebSocket-Protocol header"
	for _, c := range []struct {
		name   string
		change func(h http.Header)
		want   string
	}{
		{"usual", func(http.Header) {}, ""},
		{"version 8", func(h http.Header) { h.Set("Sec-WebSocket-Version", "8") }, ""},
		{"version 7", func(h http.Header) { h.Set("Sec-WebSocket-Version", "7") }, version},
		{"no version", func(h http.Header) { h.Del("Sec-WebSocket-Version") }, version},
		{"two Connection headers", func(h http.Header) { h["Connection"] = []string{"keep-alive", "Upgrade"} }, ""},
		{"no Connection", func(h http.Header) { h.Del("Connection") }, "Invalid Upgrade header"},
		{"other protocol", func(h http.Header) { h.Set("Upgrade", "h2c") }, "Invalid Upgrade header"},
		{"no key", func(h http.Header) { h.Del("Sec-WebSocket-Key") }, key},
		{"short key", func(h http.Header) { h.Set("Sec-WebSocket-Key", "abc") }, key},
		{"key that is no base64", func(h http.Header) { h.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=!") }, key},
		{"two keys", func(h http.Header) { h.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }, key},
		{"subprotocols", func(h http.Header) { h["Sec-Websocket-Protocol"] = []string{"a,b", " c"} }, ""},
		{"empty subprotocol", func(h http.Header) { h.Set("Sec-WebSocket-Protocol", ", b") }, offer},
		{"subprotocol with a blank", func(h http.Header) { h.Set("Sec-WebSocket-Protocol", "a b") }, offer},
		{"one subprotocol twice", func(h http.Header) { h.Set("Sec-WebSocket-Protocol", "a, a") }, offer},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header.Set(name, value)
		}
		c.change(r.Header)
		want := 0
		if c.want != "" {
			want = 400
		}
		if status, reason := upgradeFault(r); status != want || reason != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, reason, want, c.want)
		}
	}
}

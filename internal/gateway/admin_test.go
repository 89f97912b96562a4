package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The admin address asks for no credentials, so no page of a browser may read it,
// and nothing on it changes or shows a secret.
func TestAdminHandler(t *testing.T) {
	g := webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"}}}`, nil)
	withEngine(t, g)
	h := g.AdminHandler()
	for _, c := range []struct {
		method, target string
		header         string
		want           int
	}{
		{"GET", "http://127.0.0.1:9/metrics", "", 200},
		{"GET", "http://[::1]:9/metrics", "", 200},
		{"GET", "http://localhost/metrics", "", 200},
		{"GET", "http://evil.example:9/metrics", "", 403},
		{"GET", "http://127.0.0.1.evil.example/metrics", "", 403},
		{"GET", "http://127.0.0.1:9/metrics", "Origin: http://127.0.0.1:9", 403},
		{"GET", "http://127.0.0.1:9/debug/pprof/heap", "Sec-Fetch-Site: cross-site", 403},
		{"GET", "http://127.0.0.1:9/debug/pprof/", "", 200},
		{"GET", "http://127.0.0.1:9/debug/pprof/cmdline", "", 404},
		{"POST", "http://127.0.0.1:9/debug/pprof/", "", 405},
		{"GET", "http://127.0.0.1:9/ready", "", 200},
		{"GET", "http://127.0.0.1:9/health", "", 200},
		{"GET", "http://127.0.0.1:9/sessions/x/history", "", 404},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		r.RemoteAddr = "127.0.0.1:5"
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.target, c.header, w.Code, c.want)
		}
		if w.Code == http.StatusOK && strings.Contains(w.Body.String(), "secret-token") {
			t.Errorf("%s shows a secret", c.target)
		}
	}
}

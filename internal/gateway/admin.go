package gateway

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/parleyd/parley/internal/auth"
)

// AdminHandler answers on a listener that only programs of this machine reach:
// metrics, profiles (/debug/pprof) and the probes, without credentials. A page
// of a browser on this machine is none of them: it shows an Origin, or a name in
// Host that was made to lead here.
func (g *Gateway) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, g.metrics.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // heap, goroutine, mutex and the like
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /debug/pprof/cmdline", http.NotFoundHandler()) // a token may stand there
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if !g.serveProbe(w, r, r.URL.Path) {
			text(w, http.StatusNotFound, notFound)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth.Origin(r.Header) != "" || r.Header.Get("Sec-Fetch-Site") == "cross-site" || !loopbackHost(r.Host) {
			text(w, http.StatusForbidden, "Forbidden: for programs of this machine only")
			return
		}
		g.setHeaders(w.Header())
		mux.ServeHTTP(w, r)
	})
}

// loopbackHost reports whether a Host header names this machine itself.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

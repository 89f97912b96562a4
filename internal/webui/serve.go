package webui

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Serve answers a GET or HEAD request for a path below the one where the page
// is, such as "/" or "/assets/…/js/main.js". What the page does not have is
// answered 404; it sets all headers that are the page's own.
func (p *Page) Serve(w http.ResponseWriter, r *http.Request, below string) {
	h := w.Header()
	setPolicy(h, r.Host)
	a, ok := p.assets[below]
	if !ok {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("Not Found")) // the client may be gone; nobody to tell
		return
	}
	content, etag := a.content, a.etag
	h.Set("Vary", "Accept-Encoding")
	if zipped := a.zipped(); zipped != nil && acceptsGzip(r.Header) {
		content, etag = zipped, etag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Cache-Control", "no-cache")
	if a.kept {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if matches(r.Header, etag) {
		h.Del("Content-Encoding") // there is no content
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(content) // as above
}

// plainHost is what a Host header is that may stand in a policy.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]+$`)

// setPolicy says what the page may do: load and run its own files, show pictures
// that it was given, and connect to the gateway that it comes from. Some
// browsers do not count a WebSocket as 'self', so the gateway is named.
func setPolicy(h http.Header, host string) {
	connect := "'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "+
		"connect-src "+connect+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// acceptsGzip reports whether a client takes compressed answers.
func acceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
		f, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && f > 0
	}
	return false
}

// matches reports whether the client has this content already.
func matches(h http.Header, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("If-None-Match"), ","), ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == `"`+etag+`"` {
			return true
		}
	}
	return false
}

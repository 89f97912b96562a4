package gateway

import (
	"net/http"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// ownPage is where Parley's own page is when another one has the base path; it is
// there in any case, so that an address of it stays good.
const ownPage = "/parley"

// serveUI answers what belongs to pages: Parley's own, or the files of the
// Control UI where they are installed; what these ask for before they connect,
// and the agents' images (spec: protocol 2.4).
func (g *Gateway) serveUI(w http.ResponseWriter, r *http.Request, path string) bool {
	ui := g.cfg().Gateway.ControlUI
	if !ui.Enabled || r.Method != http.MethodGet && r.Method != http.MethodHead || !uiPath(ui.BasePath, path) {
		return false
	}
	w.Header().Set("X-Frame-Options", "DENY")
	setPolicy(w.Header(), nil)
	below := strings.TrimPrefix(path, ui.BasePath)
	agent, isAvatar := strings.CutPrefix(below, "/avatar/")
	own, isOwn := strings.CutPrefix(below, ownPage+"/")
	switch {
	case below == "" || below == ownPage:
		redirect(w, r, path+"/")
	case isOwn:
		g.page.Serve(w, r, "/"+own)
	case ui.BasePath == "" && (below == "/ui" || strings.HasPrefix(below, "/ui/")):
		text(w, http.StatusNotFound, notFound)
	case isAvatar:
		g.serveAvatar(w, r, agent)
	case below == "/__openclaw/control-ui-config.json":
		w.Header().Set("Cache-Control", "no-cache")
		reply(w, http.StatusOK, rawjson.MustMarshal(g.uiConfig()))
	case ui.Root != "":
		g.serveFile(w, r, below)
	default:
		g.page.Serve(w, r, below)
	}
	return true
}

// uiPath reports whether a path is the Control UI's. At the root it leaves
// alone what other parts of OpenClaw answer.
func uiPath(base, path string) bool {
	if base != "" {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	for _, taken := range []string{"/api", "/plugins"} {
		if path == taken || strings.HasPrefix(path, taken+"/") {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// redirect leads to a path of ours and keeps the query.
func redirect(w http.ResponseWriter, r *http.Request, path string) {
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusFound)
}

// setPolicy says what a page from here may load and run: nothing foreign but
// fonts and images, and of scripts in the page only those with these hashes.
func setPolicy(h http.Header, hashes []string) {
	scripts := "'self'"
	for _, hash := range hashes {
		scripts += " 'sha256-" + hash + "'"
	}
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "+
		"script-src "+scripts+"; style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; "+
		"img-src 'self' data: https:; font-src 'self' https://fonts.gstatic.com; connect-src 'self' ws: wss:")
}

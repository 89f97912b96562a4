package gateway

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// sessionEndpoint is an endpoint below /sessions/<key>/.
type sessionEndpoint struct {
	method string
	scope  protocol.Scope
	serve  func(g *Gateway, w http.ResponseWriter, r *http.Request, key string, scopes protocol.ScopeSet)
}

// sessionEndpoints are all of them, by the last segment of the path.
var sessionEndpoints = map[string]sessionEndpoint{
	"history": {http.MethodGet, protocol.ScopeRead, (*Gateway).sessionHistory},
	"kill":    {http.MethodPost, protocol.ScopeWrite, (*Gateway).sessionKill},
}

// serveSession answers the session endpoints (spec: protocol 2.5). The order
// of the checks is part of the protocol: the key's encoding, the HTTP method,
// the credentials; the endpoint then looks for the session.
func (g *Gateway) serveSession(w http.ResponseWriter, r *http.Request, path string) bool {
	segment, name, ok := sessionPath(path)
	if !ok {
		return false
	}
	e, ok := sessionEndpoints[name]
	if !ok {
		return false
	}
	key, err := url.PathUnescape(segment)
	if err != nil || !utf8.ValidString(key) {
		reply(w, http.StatusBadRequest, failed("invalid session key", "invalid_request_error"))
		return true
	}
	if key = jstext.Trim(key); key == "" {
		return false
	}
	if r.Method != e.method {
		w.Header().Set("Allow", e.method)
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return true
	}
	if scopes, ok := g.admitHTTP(w, r, e.scope); ok {
		e.serve(g, w, r, key, scopes)
	}
	return true
}

// sessionPath takes /sessions/<one segment>/<name> apart.
func sessionPath(path string) (segment, name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/sessions/")
	if !ok {
		return "", "", false
	}
	segment, name, ok = strings.Cut(rest, "/")
	return segment, name, ok && segment != ""
}

func noSession(w http.ResponseWriter, key string) {
	reply(w, http.StatusNotFound, notDone("not_found", "Session not found: "+key))
}

// broken answers a request that failed on our side.
func (g *Gateway) broken(w http.ResponseWriter, r *http.Request, err error) {
	g.log.Error("HTTP request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	text(w, http.StatusInternalServerError, "Internal Server Error")
}

// sessionKill stops the sub-agent runs of a session. There are no sub-agents
// here, so there never is one to stop.
func (g *Gateway) sessionKill(w http.ResponseWriter, r *http.Request, key string, _ protocol.ScopeSet) {
	found, ok, err := g.stores.Lookup(key)
	switch {
	case err != nil:
		g.broken(w, r, err)
	case !ok || found.Entry.SessionID() == "":
		noSession(w, key)
	default:
		reply(w, http.StatusOK, rawjson.Value(`{"ok":true,"killed":false}`))
	}
}

// sessionHistory gives a page of a session's messages, or, to a client that
// accepts an event stream, that page and then what happens.
func (g *Gateway) sessionHistory(w http.ResponseWriter, r *http.Request, key string, scopes protocol.ScopeSet) {
	found, ok, err := g.stores.Lookup(key)
	switch {
	case err != nil:
		g.broken(w, r, err)
		return
	case !ok || found.Entry.SessionID() == "":
		noSession(w, key)
		return
	}
	want := wantedPage(r.URL.Query())
	if strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/event-stream") {
		g.streamHistory(w, r, found.Key, want, scopes)
		return
	}
	page, err := g.historyPage(found.Key, want)
	if err != nil {
		g.broken(w, r, err)
		return
	}
	reply(w, http.StatusOK, rawjson.MustMarshal(page))
}

// maxHistory is the largest page; without a limit there are no pages.
const maxHistory = 1000

// pageRequest says which messages of a session are wanted.
type pageRequest struct {
	limit  int  // 0 for all
	before int  // only messages with a lower number
	partly bool // limit or cursor were given, be it without effect
}

// wantedPage reads limit and cursor, leniently as JavaScript would.
func wantedPage(query url.Values) pageRequest {
	p := pageRequest{before: math.MaxInt}
	if limit := jstext.Trim(query.Get("limit")); limit != "" {
		p.partly, p.limit = true, 1
		if f, err := strconv.ParseFloat(limit, 64); err == nil && f >= 1 {
			p.limit = int(min(f, maxHistory))
		}
	}
	if cursor := jstext.Trim(query.Get("cursor")); cursor != "" {
		p.partly = true
		digits := jstext.TrimStart(strings.TrimPrefix(cursor, "seq:"))
		if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		if n, err := strconv.Atoi(digits); err == nil && n > 0 {
			p.before = n
		}
	}
	return p
}

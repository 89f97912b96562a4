package gateway

import (
	"encoding/hex"
	"math"
	"net/http"
	"net/url"
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
	want := wantedPage(r.URL.RawQuery)
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

// wantedPage reads limit and cursor of a query, leniently as JavaScript would.
func wantedPage(query string) pageRequest {
	p := pageRequest{before: math.MaxInt}
	if limit := jstext.Trim(queryText(query, "limit")); limit != "" {
		n, _ := jstext.ParseInt(limit)
		p.partly, p.limit = true, min(max(n, 1), maxHistory)
	}
	if cursor := jstext.Trim(queryText(query, "cursor")); cursor != "" {
		p.partly = true
		if n, _ := jstext.ParseInt(strings.TrimPrefix(cursor, "seq:")); n > 0 {
			p.before = n
		}
	}
	return p
}

// queryText is the first value of a name in a query, "" when there is none. What
// is no percent-encoding stands for itself and a semicolon separates nothing, as
// in a browser's URLSearchParams; net/url drops such pairs.
func queryText(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(pair, "="); unescapeQuery(key) == name {
			return unescapeQuery(value)
		}
	}
	return ""
}

func unescapeQuery(s string) string {
	s = strings.ReplaceAll(s, "+", " ")
	var out []byte
	for s != "" {
		if s[0] == '%' && len(s) >= 3 {
			if b, err := hex.DecodeString(s[1:3]); err == nil {
				out, s = append(out, b...), s[3:]
				continue
			}
		}
		out, s = append(out, s[0]), s[1:]
	}
	return string(jstext.ValidUTF8(out))
}

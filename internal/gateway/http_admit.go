package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// admitHTTP judges the credentials of a request and what they allow. When they
// do not do, it answers and reports false.
func (g *Gateway) admitHTTP(w http.ResponseWriter, r *http.Request, need protocol.Scope) (protocol.ScopeSet, bool) {
	v := g.gate.Bearer(g.gate.placeOf(r), r.Header)
	scopes := httpScopes(v, r.Header)
	switch {
	case g.refuseHTTP(w, v):
	case !scopes.Allows(need):
		reply(w, http.StatusForbidden, notDone("forbidden", "missing scope: "+string(need)))
	default:
		g.strangers.leave(strangerOf(r))
		return scopes, true
	}
	return protocol.ScopeSet{}, false
}

// refuseHTTP answers whom the credentials do not let in, and reports whether it
// did.
func (g *Gateway) refuseHTTP(w http.ResponseWriter, v auth.Verdict) bool {
	switch {
	case v.Reason == auth.RateLimited:
		seconds := (v.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
		reply(w, http.StatusTooManyRequests,
			failed("Too many failed authentication attempts. Please try again later.", "rate_limited"))
	case !v.OK:
		reply(w, http.StatusUnauthorized, failed("Unauthorized", "unauthorized"))
	}
	if v.OK && v.Reason != auth.RateLimited {
		return false
	}
	g.edge.one(edgeRefused, string(v.Reason))
	g.log.Warn("request refused", "reason", v.Reason)
	return true
}

// httpScopes is what a request may do. The secret is the operator's own, and
// with mode none everybody is the operator. A trusted proxy vouches for a user,
// not for rights that nobody approved: such a user may read. The header
// Parley-Scopes narrows.
func httpScopes(v auth.Verdict, h http.Header) protocol.ScopeSet {
	var names []string
	switch {
	case v.SharedSecret(), v.OK && v.Method == auth.ByNothing:
		names = operatorScopes()
	case v.OK && v.Method == auth.ByTrustedProxy:
		names = []string{string(protocol.ScopeRead)}
	}
	return narrowed(names, h)
}

// operatorScopes is everything that an operator may do.
func operatorScopes() []string {
	return []string{
		string(protocol.ScopeAdmin), string(protocol.ScopeApprovals), string(protocol.ScopePairing),
		string(protocol.ScopeRead), string(protocol.ScopeWrite),
	}
}

// narrowed are those of the scopes that the header Parley-Scopes asks for, all
// without it.
func narrowed(names []string, h http.Header) protocol.ScopeSet {
	asked := h.Values("Parley-Scopes")
	if asked == nil {
		return protocol.NewScopeSet(names...)
	}
	var wanted []string
	for name := range strings.SplitSeq(strings.Join(asked, ","), ",") {
		wanted = append(wanted, jstext.Trim(name))
	}
	return protocol.NewScopeSet(slices.DeleteFunc(wanted, func(name string) bool { return !slices.Contains(names, name) })...)
}

// failed is the answer to a request that did not get as far as a session.
func failed(message, kind string) rawjson.Value {
	type fault struct {
		Message string `json:"message"`
		Type    string `json:"type"`
	}
	return rawjson.MustMarshal(struct {
		Error fault `json:"error"`
	}{fault{message, kind}})
}

// notDone is the answer to a request about a session that came to nothing.
func notDone(kind, message string) rawjson.Value {
	type fault struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	return rawjson.MustMarshal(struct {
		OK    bool  `json:"ok"`
		Error fault `json:"error"`
	}{false, fault{kind, message}})
}

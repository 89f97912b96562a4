package gateway

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

type sessionsResolveResult struct {
	OK  bool   `json:"ok"`
	Key string `json:"key"`
}

// AppendJSON appends {ok, key}.
func (r sessionsResolveResult) AppendJSON(dst []byte) []byte {
	dst = strconv.AppendBool(append(dst, `{"ok":`...), r.OK)
	return append(rawjson.AppendString(append(dst, `,"key":`...), r.Key), '}')
}

// sessionsResolve finds the canonical key of a session by a key in any
// spelling, a sessionId or a label; exactly one of them must be given.
func (g *Gateway) sessionsResolve(ctx context.Context, _ *call, p protocol.SessionsResolveParams) (sessionsResolveResult, error) {
	key, id, label := jstext.Trim(p.Key), jstext.Trim(p.SessionID), jstext.Trim(p.Label)
	given := 0
	for _, s := range []string{key, id, label} {
		if s != "" {
			given++
		}
	}
	var found string
	var err error
	switch {
	case given == 0:
		err = protocol.Invalidf("Either key, sessionId, or label is required")
	case given > 1:
		err = protocol.Invalidf("Provide either key, sessionId, or label (not multiple)")
	case key != "":
		found, err = g.resolveKey(ctx, key, p)
	case id != "":
		found, err = g.resolveID(id, p)
	default:
		found, err = g.resolveLabel(label, p)
	}
	if err != nil {
		return sessionsResolveResult{}, err
	}
	return sessionsResolveResult{true, found}, nil
}

// resolveKey finds a session by its key; one that stands in the file under
// older spellings only is moved to the canonical one.
func (g *Gateway) resolveKey(ctx context.Context, key string, p protocol.SessionsResolveParams) (string, error) {
	none := func() error { return protocol.Invalidf("No session found: %s", key) }
	f, ok, err := g.stores.Lookup(key)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", none()
	}
	if f.StoredKey != f.Key {
		if err := adopt(ctx, f.Store, f.Key, key); err != nil {
			return "", err
		}
	}
	if jstext.Blank(p.SpawnedBy) {
		return f.Key, nil
	}
	if s, ok := g.stores.Combined().Get(f.Key); !ok || !resolveFilter(p).Passes(s) {
		return "", none()
	}
	return f.Key, nil
}

// adopt brings a session under its canonical key unless there is an entry: a
// question does not decide which of two entries stays.
func adopt(ctx context.Context, st *sessions.Store, key, given string) error {
	there := false
	err := st.View(func(v *sessions.Snapshot) error {
		_, there = v.Get(key)
		return nil
	})
	if there || err != nil {
		return err
	}
	return st.Update(ctx, func(tx *sessions.Tx) error {
		if _, ok := tx.Get(key); !ok {
			tx.Claim(key, given)
		}
		return nil
	})
}

func (g *Gateway) resolveID(id string, p protocol.SessionsResolveParams) (string, error) {
	matches := passing(resolveFilter(p), g.stores.Combined().Identified(id))
	switch {
	case len(matches) == 0:
		return "", protocol.Invalidf("No session found: %s", id)
	case len(matches) > 1:
		return "", protocol.Invalidf("Multiple sessions found for sessionId: %s (%s)", id, strings.Join(matches, ", "))
	}
	return matches[0], nil
}

func (g *Gateway) resolveLabel(label string, p protocol.SessionsResolveParams) (string, error) {
	matches := passing(resolveFilter(p), g.stores.Combined().WithLabel(label))
	switch {
	case len(matches) == 0:
		return "", protocol.Invalidf("No session found with label: %s", label)
	case len(matches) > 1:
		return "", protocol.Invalidf("Multiple sessions found with label: %s (%s)", label, strings.Join(matches[:2], ", "))
	}
	return matches[0], nil
}

// resolveFilter passes what a list with the same filters shows.
func resolveFilter(p protocol.SessionsResolveParams) sessions.Filter {
	return listFilter(protocol.SessionsListParams{
		IncludeGlobal: p.IncludeGlobal, IncludeUnknown: p.IncludeUnknown, SpawnedBy: p.SpawnedBy, AgentID: p.AgentID,
	}, time.Now())
}

// passing are the keys of the sessions that pass, in their order.
func passing(f sessions.Filter, found []*sessions.Session) []string {
	var keys []string
	for _, s := range found {
		if f.Passes(s) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

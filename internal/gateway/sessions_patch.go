package gateway

import (
	"context"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

type sessionsPatchResult struct {
	OK       bool           `json:"ok"`
	Path     string         `json:"path"`
	Key      string         `json:"key"`
	Entry    sessions.Entry `json:"entry"`
	Resolved resolvedModel  `json:"resolved"`
}

type resolvedModel struct {
	ModelProvider string `json:"modelProvider"`
	Model         string `json:"model"`
}

// sessionsPatch changes fields of a session; one that is not there yet is made.
func (g *Gateway) sessionsPatch(ctx context.Context, c *call, p protocol.SessionsPatchParams) (sessionsPatchResult, error) {
	var none sessionsPatchResult
	given, err := requireKey(p.Key)
	if err != nil {
		return none, err
	}
	if err := refuseWebchat(c.conn, "patch"); err != nil {
		return none, err
	}
	if err := sessions.CheckKey(given); err != nil {
		return none, err
	}
	key := g.keys().Canonical(given)
	st, err := g.stores.Store(key)
	if err != nil {
		return none, err
	}
	e, err := g.patchEntry(ctx, st, key, p)
	if err != nil {
		return none, err
	}
	c.After(func() { g.publishChanged(key, "patch") })
	m := sessions.ResolvedModel(g.cfg, g.keys().Agent(key), e)
	return sessionsPatchResult{OK: true, Path: st.Path(), Key: key, Entry: e, Resolved: resolvedModel{m.Provider, m.Model}}, nil
}

// patchEntry stores a patched entry, or none of the patch: that a session moves
// to its canonical key is kept even when the patch is refused.
func (g *Gateway) patchEntry(ctx context.Context, st *sessions.Store, key string, p protocol.SessionsPatchParams) (e sessions.Entry, err error) {
	var refusal error
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		r := g.rules(key, tx)
		old, ok := tx.Claim(key)
		if !ok {
			old = r.NewSession()
		}
		if e, refusal = sessions.Patch(old, p, r); refusal == nil {
			tx.Put(key, e)
		}
		return nil
	})
	if err == nil {
		err = refusal
	}
	return e, err
}

// rules are what a change of the session depends on.
func (g *Gateway) rules(key string, tx *sessions.Tx) sessions.Rules {
	return sessions.Rules{
		Config: g.cfg, Keys: g.keys(), Key: key, Now: tx.Time(time.Now()),
		LabelTaken: func(label string) bool { return tx.LabelTaken(label, key) },
	}
}

// controlUI is the client id of the one web chat that may manage sessions.
const controlUI = "openclaw-control-ui"

// refuseWebchat keeps web chats from changing sessions other than by talking.
func refuseWebchat(c *conn, verb string) error {
	if !c.webchat() || c.client.ID == controlUI {
		return nil
	}
	return protocol.Invalidf("webchat clients cannot %s sessions; use chat.send for session-scoped updates", verb)
}

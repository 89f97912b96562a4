package gateway

import (
	"cmp"
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
	one := patching{key: key, given: given, expected: p.ExpectedSessionID}
	err = st.Update(ctx, func(tx *sessions.Tx) error {
		g.patchIn(tx, p.SessionChanges, &one)
		return nil
	})
	if err = cmp.Or(err, one.refusal); err != nil {
		return none, err
	}
	c.After(func() { g.publishChanged(key, "patch") })
	m := sessions.ResolvedModel(g.cfg(), g.keys().Agent(key), one.entry)
	return sessionsPatchResult{OK: true, Path: st.Path(), Key: key, Entry: one.entry, Resolved: resolvedModel{m.Provider, m.Model}}, nil
}

// patching is one session that is being patched.
type patching struct {
	key      string // canonical
	given    string // as the client spelled it
	expected string // the session id that it must have, "" for any

	// One of them comes of it.
	entry   sessions.Entry
	refusal error
}

// patchIn changes a session, or nothing but that it moves to its canonical key:
// that is kept even when the patch is refused. One that is another than expected
// is not touched at all.
func (g *Gateway) patchIn(tx *sessions.Tx, changes protocol.SessionChanges, p *patching) {
	_, old, ok := tx.Find(p.key, p.given)
	if p.refusal = sessions.Expect(p.key, p.expected, old, "patch"); p.refusal != nil {
		return
	}
	r := g.rules(p.key, tx)
	tx.Claim(p.key, p.given)
	if !ok {
		old = r.NewSession()
	}
	if p.entry, p.refusal = sessions.Patch(old, changes, r); p.refusal == nil {
		tx.Put(p.key, p.entry)
	}
}

// rules are what a change of the session depends on.
func (g *Gateway) rules(key string, tx *sessions.Tx) sessions.Rules {
	return sessions.Rules{
		Config: g.cfg(), Keys: g.keys(), Key: key, Now: tx.Time(time.Now()),
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

package acp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/model"
)

// talk is the conversation that an agent keeps for a session: what the protocol
// calls a session. It belongs to one turn at a time.
type talk struct {
	kept
	proc *process // in which it is open; nil when in none

	models  []string // that it can be switched between
	current string   // of these, "" when not known
	fresh   bool     // nothing has been asked in it
}

// kept is what is remembered of a talk when its process ends.
type kept struct {
	Provider string `json:"provider"`
	// Key and SessionID are the session's, ID is the agent's name for the talk.
	Key       string        `json:"key"`
	SessionID string        `json:"sessionId"`
	ID        sdk.SessionId `json:"acpSessionId"`
	Dir       string        `json:"cwd"`
	Heard     heard         `json:"heard"`
	UsedAt    int64         `json:"usedAt"` // ms
}

// heard is how far into the session's conversation a talk has come: the last
// message that was asked in it and what was answered.
type heard struct {
	At    int64  `json:"at,omitzero"`
	Asked string `json:"asked,omitzero"`
	Said  string `json:"said,omitzero"`
}

// maxID is how long the agent's name for a talk may be.
const maxID = 1 << 10

// talk is the talk of a turn's session in a process, opened when it is not open
// there: loaded where the agent can, else begun anew.
func (p *process) talk(ctx context.Context, t model.Turn) (*talk, error) {
	tk := p.a.known(p, t.Session)
	if tk.proc == p && tk.ID != "" {
		return tk, nil
	}
	dir := p.a.dir(t)
	if tk.ID != "" && tk.Dir == dir && p.can.LoadSession {
		err := p.load(ctx, tk)
		if err == nil {
			return tk, nil
		}
		if !refused(err) {
			return nil, p.unanswered(ctx, "session/load", err)
		}
		p.a.o.Log.Info("agent could not load a session; it begins a new one", "provider", p.a.o.Name, "session", t.Session.Key, "err", p.a.hide(words(err)))
	}
	return tk, p.begin(ctx, tk, dir)
}

// known is the talk of a session, as far as there is one. One of an earlier
// transcript is not: the session has begun anew.
func (a *Agent) known(p *process, s model.Session) *talk {
	none := &talk{kept: kept{Provider: a.o.Name, Key: s.Key, SessionID: s.ID}}
	if s.Key == "" {
		return none
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	tk := a.talks[s.Key]
	if tk == nil && p.can.LoadSession {
		if k, ok := a.o.Book.find(a.o.Name, s.Key); ok {
			tk = &talk{kept: k}
		}
	}
	if tk == nil || tk.SessionID != s.ID {
		if tk != nil && tk.proc == p {
			p.close(tk.ID)
		}
		tk = none
	}
	a.talks[s.Key] = tk
	return tk
}

// opened are the answers by which a talk begins.
type opened struct {
	SessionID sdk.SessionId          `json:"sessionId"`
	Models    *sdk.SessionModelState `json:"models"`
}

// begin begins a talk that knows nothing yet.
func (p *process) begin(ctx context.Context, tk *talk, dir string) error {
	var r opened
	err := p.ask(ctx, sdk.AgentMethodSessionNew, sdk.NewSessionRequest{Cwd: dir, McpServers: []sdk.McpServer{}}, &r)
	switch {
	case err != nil:
		return p.unanswered(ctx, "session/new", err)
	case r.SessionID == "" || len(r.SessionID) > maxID:
		return p.a.fault("gave a session a name of %d bytes.", len(r.SessionID))
	}
	p.settle(tk, func() { tk.ID, tk.Dir, tk.Heard, tk.fresh = r.SessionID, dir, heard{}, true })
	tk.offers(r.Models)
	return nil
}

// load opens a talk again that another process began. What the agent tells of it
// meanwhile is history, and goes to nobody.
func (p *process) load(ctx context.Context, tk *talk) error {
	var r opened
	err := p.ask(ctx, sdk.AgentMethodSessionLoad, sdk.LoadSessionRequest{Cwd: tk.Dir, McpServers: []sdk.McpServer{}, SessionId: tk.ID}, &r)
	if err != nil {
		return err
	}
	p.settle(tk, func() { tk.fresh = false })
	tk.offers(r.Models)
	return nil
}

// settle notes that a talk is open in the process.
func (p *process) settle(tk *talk, change func()) {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	change()
	tk.proc = p
}

// offers notes which models a talk can be switched between.
func (tk *talk) offers(m *sdk.SessionModelState) {
	tk.models, tk.current = nil, ""
	if m == nil {
		return
	}
	tk.current = string(m.CurrentModelId)
	for _, one := range m.AvailableModels {
		tk.models = append(tk.models, string(one.ModelId))
	}
}

// choose switches a talk to the model of this id, if it is one of those that the
// agent offers. Otherwise the id is a name that the configuration gave, and the
// agent uses what it likes.
func (p *process) choose(ctx context.Context, tk *talk, id string) error {
	for _, offered := range tk.models {
		if offered != id || id == tk.current {
			continue
		}
		var r json.RawMessage
		err := p.ask(ctx, sdk.AgentMethodSessionSetModel, sdk.UnstableSetSessionModelRequest{SessionId: tk.ID, ModelId: sdk.UnstableModelId(id)}, &r)
		if err != nil {
			return p.unanswered(ctx, "session/set_model", err)
		}
		tk.current = id
	}
	return nil
}

// close tells the agent that a talk is over, if it wants to know. Nobody waits
// for what it says to that.
func (p *process) close(id sdk.SessionId) {
	if p.can.SessionCapabilities.Close == nil {
		return
	}
	p.a.goUnlessClosed(func() {
		var r json.RawMessage
		if err := p.ask(context.Background(), sdk.AgentMethodSessionClose, sdk.CloseSessionRequest{SessionId: id}, &r); err != nil {
			p.a.o.Log.Debug("agent did not close a session", "provider", p.a.o.Name, "err", p.a.hide(words(err)))
		}
	})
}

// ask calls a method that is to be answered soon.
func (p *process) ask(ctx context.Context, method string, params, result any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.a.limits.session, errSlow)
	defer cancel()
	err := p.wire.call(ctx, method, params, result)
	if errors.Is(context.Cause(ctx), errSlow) && errors.Is(err, context.DeadlineExceeded) {
		return errSlow
	}
	return err
}

var errSlow = errors.New("no answer in time")

// refused reports whether the agent itself said no.
func refused(err error) bool {
	_, ok := errors.AsType[*sdk.RequestError](err)
	return ok
}

// authRequired is the code by which an agent says that it wants a login first.
const authRequired = -32000

// unanswered is the fault of a call that failed.
func (p *process) unanswered(ctx context.Context, method string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errGone):
		return p.lost(ctx)
	case errors.Is(err, errSlow):
		why := fmt.Sprintf("did not answer %s within %v", method, p.a.limits.session)
		p.abandon(why)
		return p.a.fault("%s.", why)
	}
	if e, ok := errors.AsType[*sdk.RequestError](err); ok && e.Code == authRequired {
		text := "wants a login first. Log in with its own program, or give it a key in models.providers." + p.a.o.Name + ".env."
		if len(p.login) > 0 {
			text += " It offers: " + strings.Join(p.login, ", ") + "."
		}
		return p.a.fault("%s", text)
	}
	return p.a.fault("answered %s with an error: %s", method, words(err))
}

// words are what an agent says that went wrong.
func words(err error) string {
	e, ok := errors.AsType[*sdk.RequestError](err)
	if !ok {
		return err.Error()
	}
	text := e.Message
	if e.Data != nil {
		if data, err := json.Marshal(e.Data); err == nil {
			text += " " + string(data)
		}
	}
	return plain(text, maxWords)
}

// remember notes what a talk has heard, also for after the end of its process.
func (a *Agent) remember(tk *talk, h heard, now int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	tk.Heard, tk.fresh, tk.UsedAt = h, false, now
	if tk.Key != "" && tk.proc.can.LoadSession {
		a.o.Book.put(tk.kept)
	}
}

// forget drops a talk that nothing can be asked in any more.
func (a *Agent) forget(tk *talk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.talks[tk.Key] == tk {
		delete(a.talks, tk.Key)
	}
	a.o.Book.drop(a.o.Name, tk.Key)
}

// digest stands for a text of any length.
func digest(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// makeDir makes the directory of a session if it is missing.
func (a *Agent) makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a.fault("cannot work: its directory could not be made: %v", err)
	}
	return nil
}

package acp

import (
	"cmp"
	"context"
	"encoding/json"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Policy is how requests for permission are answered.
type Policy string

// The policies.
const (
	PolicyDeny  Policy = "deny"
	PolicyAllow Policy = "allow"
	PolicyAsk   Policy = "ask"
)

// Decision is the answer to a request for permission.
type Decision string

// The decisions.
const (
	AllowOnce   Decision = "allow-once"
	AllowAlways Decision = "allow-always"
	Deny        Decision = "deny"
)

// Question is a request for permission, for who is to decide. Its texts are the
// agent's, bounded, and without characters that cannot be seen.
type Question struct {
	Provider   string // whose agent asks
	Key, Agent string // the session, and the agent whose it is
	RunID      string
	Dir        string // of the session
	CallID     string // of the tool
	Kind       string // what the tool does, such as edit or execute; "" when it is not told
	// Command is what is to be permitted: the command, where the tool runs one,
	// else what the agent calls it.
	Command string
}

// maxCommand is how long a command may be that somebody is asked about. A longer
// one is denied: nobody could see what he allows.
const maxCommand = 4000

type permissionRequest struct {
	ID      sdk.SessionId          `json:"sessionId"`
	Call    permissionCall         `json:"toolCall"`
	Options []sdk.PermissionOption `json:"options"`
}

type permissionCall struct {
	toolUpdate
	Content json.RawMessage `json:"content"`
}

// request begins to handle a request of the process. Nothing is offered but to
// be asked for permission: files and terminals are the process's own affair.
func (p *process) request(method string, params json.RawMessage) func() (any, *sdk.RequestError) {
	if method != sdk.ClientMethodSessionRequestPermission {
		return func() (any, *sdk.RequestError) { return nil, sdk.NewMethodNotFound(plain(method, maxToolWords)) }
	}
	var r permissionRequest
	if err := json.Unmarshal(params, &r); err != nil {
		return func() (any, *sdk.RequestError) { return nil, sdk.NewInvalidParams(plain(err.Error(), maxWords)) }
	}
	u := p.turnOf(r.ID)
	if u == nil || !u.counts(len(params)) {
		return func() (any, *sdk.RequestError) { return cancelledOutcome(), nil }
	}
	// Who looks on sees the tool before the question about it.
	r.Call.toolUpdate.Content = r.Call.Content
	u.tool(r.Call.toolUpdate, len(params)+perItem)
	return func() (any, *sdk.RequestError) { return u.decide(p, r), nil }
}

// decide answers a request for permission.
func (u *turn) decide(p *process, r permissionRequest) sdk.RequestPermissionResponse {
	q := u.question(r.Call.toolUpdate)
	d := Deny
	switch {
	case u.a.o.Policy == PolicyAllow:
		d = AllowOnce
	case u.a.o.Policy == PolicyAsk && u.a.o.Ask != nil && jstext.Len(q.Command) <= maxCommand:
		d = u.ask(p, q)
	}
	u.a.o.Log.Info("agent asked for permission", "provider", u.a.o.Name, "run", q.RunID, "session", q.Key,
		"kind", q.Kind, "what", plain(q.Command, maxToolWords), "policy", string(u.a.o.Policy), "decision", string(d))
	if u.ctx.Err() != nil {
		return cancelledOutcome()
	}
	return choose(d, r.Options)
}

// ask lets somebody decide, as long as the turn goes on and the process lives.
func (u *turn) ask(p *process, q Question) Decision {
	ctx, cancel := context.WithCancel(u.ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-p.wire.gone:
			cancel()
		case <-stop:
		}
	}()
	return u.a.o.Ask(ctx, q)
}

// question is what is to be decided.
func (u *turn) question(n toolUpdate) Question {
	return Question{
		Provider: u.a.o.Name, Key: u.session.Key, Agent: u.session.Agent, RunID: u.session.RunID, Dir: u.dir,
		CallID: plain(n.ID, maxToolWords), Kind: plain(n.Kind, maxToolWords),
		Command: cmp.Or(n.command(), visible(n.Title), plain(n.ID, maxToolWords), "a tool"),
	}
}

// command is the command that a tool is to run, "" when there is none.
func (n toolUpdate) command() string {
	o, err := rawjson.Parse(n.RawInput)
	if err != nil {
		return ""
	}
	if text := o.Text("command"); text != "" {
		return visible(text)
	}
	var words []string
	if json.Unmarshal(o.Get("command"), &words) != nil || len(words) == 0 {
		return ""
	}
	return visible(string(rawjson.MustMarshal(words)))
}

func cancelledOutcome() sdk.RequestPermissionResponse {
	return sdk.RequestPermissionResponse{Outcome: sdk.NewRequestPermissionOutcomeCancelled()}
}

// choose finds the option that stands for a decision. What an agent does not
// offer is not given: then the request is answered as cancelled.
func choose(d Decision, options []sdk.PermissionOption) sdk.RequestPermissionResponse {
	wanted := []sdk.PermissionOptionKind{sdk.PermissionOptionKindRejectOnce, sdk.PermissionOptionKindRejectAlways}
	switch d {
	case AllowOnce:
		wanted = []sdk.PermissionOptionKind{sdk.PermissionOptionKindAllowOnce}
	case AllowAlways:
		wanted = []sdk.PermissionOptionKind{sdk.PermissionOptionKindAllowAlways, sdk.PermissionOptionKindAllowOnce}
	}
	for _, kind := range wanted {
		for _, o := range options {
			if o.Kind == kind {
				return sdk.RequestPermissionResponse{Outcome: sdk.NewRequestPermissionOutcomeSelected(o.OptionId)}
			}
		}
	}
	return cancelledOutcome()
}

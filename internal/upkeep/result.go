package upkeep

import (
	"fmt"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// Result is the answer to sessions.cleanup. As JSON it is the report of the
// one store, or an object with the reports of several.
type Result struct {
	AllAgents bool
	Mode      string // warn or enforce
	DryRun    bool
	Stores    []StoreReport
}

// several is the form of a Result with more than one store.
type several struct {
	AllAgents bool          `json:"allAgents"`
	Mode      string        `json:"mode"`
	DryRun    bool          `json:"dryRun"`
	Stores    []StoreReport `json:"stores"`
}

// StoreReport is what a cleanup did in one store, or would do.
type StoreReport struct {
	AgentID     string               `json:"agentId"`
	StorePath   string               `json:"storePath"`
	Mode        string               `json:"mode"`
	DryRun      bool                 `json:"dryRun"`
	BeforeCount int                  `json:"beforeCount"`
	AfterCount  int                  `json:"afterCount"`
	Missing     int                  `json:"missing"`
	Pruned      int                  `json:"pruned"`
	Capped      int                  `json:"capped"`
	DiskBudget  *sessions.DiskBudget `json:"diskBudget"` // null without one
	WouldMutate bool                 `json:"wouldMutate"`
	// Applied and AppliedCount are there without DryRun only.
	Applied      bool `json:"applied,omitzero"`
	AppliedCount *int `json:"appliedCount,omitzero"`
	// Actions are there in a dry run that was asked for them.
	Actions []Action `json:"actions,omitzero"`
}

// Action is what would be done with one session.
type Action struct {
	Key       string        `json:"key"`
	Action    string        `json:"action"`
	UpdatedAt rawjson.Value `json:"updatedAt"` // as stored, or null
	Model     string        `json:"model"`
	Flags     []string      `json:"flags"`
}

// MarshalJSON is the report of a single store, or all of them.
func (r Result) MarshalJSON() ([]byte, error) {
	if len(r.Stores) == 1 {
		return rawjson.Marshal(r.Stores[0])
	}
	return rawjson.Marshal(several(r))
}

// UnmarshalJSON reads both forms.
func (r *Result) UnmarshalJSON(data []byte) error {
	o, err := rawjson.Parse(data)
	if err != nil {
		return err
	}
	if o.Has("stores") {
		return rawjson.Unmarshal(data, (*several)(r))
	}
	var one StoreReport
	if err := rawjson.Unmarshal(data, &one); err != nil {
		return err
	}
	*r = Result{Mode: one.Mode, DryRun: one.DryRun, Stores: []StoreReport{one}}
	return nil
}

func (k Keeper) report(t target, p protocol.SessionsCleanupParams, r sessions.Report) StoreReport {
	out := StoreReport{
		AgentID: t.agent, StorePath: t.store.Path(), Mode: k.mode(p), DryRun: p.DryRun, BeforeCount: r.Before, AfterCount: r.After,
		Missing: r.Missing, Pruned: r.Pruned, Capped: r.Capped, DiskBudget: r.Budget, WouldMutate: r.Changed(),
	}
	if !p.DryRun {
		out.Applied, out.AppliedCount = true, new(r.After)
	}
	if p.Actions {
		for _, planned := range r.Planned {
			out.Actions = append(out.Actions, k.action(planned))
		}
	}
	return out
}

func (k Keeper) action(p sessions.Planned) Action {
	a := Action{
		Key: p.Key, Action: string(p.Action), UpdatedAt: rawjson.Value("null"), Flags: flags(p.Entry),
		Model: sessions.ShownModel(k.Config, k.Stores.Keys().Agent(p.Key), p.Entry).Model,
	}
	if at := p.Entry.Value("updatedAt"); at != nil {
		a.UpdatedAt = at
	}
	return a
}

// flags are what else a person may want to know before a session goes.
func flags(e sessions.Entry) []string {
	out := []string{}
	for _, f := range []struct{ name, field string }{
		{"think", "thinkingLevel"}, {"verbose", "verboseLevel"}, {"reasoning", "reasoningLevel"}, {"elevated", "elevatedLevel"},
		{"usage", "responseUsage"}, {"activation", "groupActivation"}, {"status", "status"},
	} {
		if value := e.Text(f.field); value != "" {
			out = append(out, fmt.Sprintf("%s:%s", f.name, value))
		}
	}
	for _, f := range []struct{ name, field string }{{"system", "systemSent"}, {"aborted", "abortedLastRun"}} {
		if set, _ := e.Bool(f.field); set {
			out = append(out, f.name)
		}
	}
	if id := e.SessionID(); id != "" {
		out = append(out, "id:"+id)
	}
	return out
}

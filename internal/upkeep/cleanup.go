package upkeep

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Cleanup does what sessions.cleanup is asked for and archives the transcripts
// of the sessions that it removed. gone are their canonical keys, also when an
// error ended it half way.
func (k Keeper) Cleanup(ctx context.Context, p protocol.SessionsCleanupParams) (r Result, gone []string, err error) {
	targets, err := k.targets(p)
	if err != nil {
		return Result{}, nil, err
	}
	r = Result{AllAgents: p.AllAgents, Mode: k.mode(p), DryRun: p.DryRun}
	for _, t := range targets {
		report, removed, err := k.cleanStore(ctx, t, p)
		gone = append(gone, removed...)
		if err != nil {
			return Result{}, gone, err
		}
		r.Stores = append(r.Stores, report)
	}
	return r, gone, nil
}

func (k Keeper) mode(p protocol.SessionsCleanupParams) string {
	if p.Enforce || k.Config.Session.Maintenance.Enforce {
		return "enforce"
	}
	return "warn"
}

// target is a store to be cleaned and the agent that it is cleaned for.
type target struct {
	agent string
	store *sessions.Store
}

// targets are the stores that are meant: a named one, that of a named agent,
// all, or that of the default agent.
func (k Keeper) targets(p protocol.SessionsCleanupParams) ([]target, error) {
	agent, path := jstext.Trim(p.Agent), jstext.Trim(p.Store)
	switch {
	case agent != "" && p.AllAgents:
		return nil, protocol.Invalidf("agent and allAgents cannot be used together")
	case path != "" && (agent != "" || p.AllAgents):
		return nil, protocol.Invalidf("store cannot be combined with agent or allAgents")
	}
	var out []target
	for _, st := range k.Stores.All() {
		out = append(out, target{st.Agent(), st})
	}
	switch {
	case p.AllAgents:
		return out, nil
	case path != "":
		if st, ok := k.Named(path); ok {
			return []target{{st.Agent(), st}}, nil
		}
		return nil, protocol.Invalidf("%s is no session store of this gateway", path)
	case agent == "":
		return k.ofAgent(k.Config.DefaultAgent(), out), nil
	}
	if found := k.ofAgent(sessions.NormalizeAgentID(agent), out); found != nil {
		return found, nil
	}
	return nil, protocol.Invalidf(`Unknown agent id "%s". Use "parley call agents.list" to see configured agents.`, agent)
}

// Named is the store whose file is at path, by whichever way that leads there.
func (k Keeper) Named(path string) (*sessions.Store, bool) {
	at, err := os.Stat(path)
	for _, st := range k.Stores.All() {
		if st.Path() == filepath.Clean(path) {
			return st, true
		}
		if there, thereErr := os.Stat(st.Path()); err == nil && thereErr == nil && os.SameFile(at, there) {
			return st, true
		}
	}
	return nil, false
}

// ofAgent is the configured store of an agent, nil for one that is not known.
func (k Keeper) ofAgent(id string, all []target) []target {
	for _, t := range all {
		if t.agent == id {
			return []target{t}
		}
	}
	// In a fixed store the sessions of all agents lie together.
	if _, known := k.Config.Agent(id); known && len(all) == 1 {
		return []target{{id, all[0].store}}
	}
	return nil
}

func (k Keeper) cleanStore(ctx context.Context, t target, p protocol.SessionsCleanupParams) (StoreReport, []string, error) {
	o := sessions.CleanupOptions{DryRun: p.DryRun, Enforce: p.Enforce}
	if key := jstext.Trim(p.ActiveKey); key != "" {
		keys := k.Stores.Keys()
		keys.DefaultAgent = t.agent
		o.Active = keys.Canonical(key)
	}
	if p.FixMissing {
		o.Absent = func(key string, e sessions.Entry) bool {
			_, err := k.Transcripts.Locate(runs.Ref(t.store, key, e))
			return errors.Is(err, transcript.ErrNotFound)
		}
	}
	report, err := t.store.Cleanup(ctx, o)
	var gone []string
	if !p.DryRun {
		k.ArchiveRemoved(t.store, report.Removed)
		for _, r := range report.Removed {
			gone = append(gone, r.Key)
		}
	}
	if err != nil {
		return StoreReport{}, gone, err
	}
	return k.report(t, p, report), gone, nil
}

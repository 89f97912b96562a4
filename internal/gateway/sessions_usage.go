package gateway

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const usageLimit = 50

type sessionsUsageResult struct {
	UpdatedAt  int64             `json:"updatedAt"`
	StartDate  string            `json:"startDate"`
	EndDate    string            `json:"endDate"`
	Sessions   []sessionUsage    `json:"sessions"`
	Totals     transcript.Totals `json:"totals"`
	Aggregates usageAggregates   `json:"aggregates"`
}

// sessionUsage is one session in the answer; what the entry holds goes out as
// it is stored.
type sessionUsage struct {
	Key              string             `json:"key"`
	Label            rawjson.Value      `json:"label,omitzero"`
	SessionID        string             `json:"sessionId"`
	UpdatedAt        int64              `json:"updatedAt"`
	AgentID          string             `json:"agentId,omitzero"`
	Channel          rawjson.Value      `json:"channel,omitzero"`
	ChatType         rawjson.Value      `json:"chatType,omitzero"`
	Origin           rawjson.Value      `json:"origin,omitzero"`
	ModelOverride    rawjson.Value      `json:"modelOverride,omitzero"`
	ProviderOverride rawjson.Value      `json:"providerOverride,omitzero"`
	ModelProvider    rawjson.Value      `json:"modelProvider,omitzero"`
	Model            rawjson.Value      `json:"model,omitzero"`
	Usage            *transcript.Report `json:"usage"`
	ContextWeight    rawjson.Value      `json:"contextWeight,omitzero"`
}

// usageSource is a session whose usage is asked for.
type usageSource struct {
	key   string
	entry sessions.Entry
	file  transcript.UsageFile
}

// updatedAt is when the session was last active in ms, by its entry or its
// file. Of files it is exact: many may be written in one ms.
func (s usageSource) updatedAt() float64 {
	if at, ok := s.entry.Number("updatedAt"); ok {
		return at
	}
	return float64(s.file.Modified.UnixMicro()) / 1000
}

// sessionsUsage reports what sessions used between two days: one session, or
// those whose transcripts changed since. The limit cuts before sums are made.
func (g *Gateway) sessionsUsage(_ context.Context, _ *call, p protocol.SessionsUsageParams) (sessionsUsageResult, error) {
	from, to := usageRange(p, time.Now())
	sources, err := g.usageSources(p.Key, from)
	if err != nil {
		return sessionsUsageResult{}, err
	}
	slices.SortStableFunc(sources, func(a, b usageSource) int { return cmp.Compare(b.updatedAt(), a.updatedAt()) })
	limit := usageLimit
	if p.Limit > 0 {
		limit = int(min(p.Limit, 1<<30))
	}
	r := sessionsUsageResult{UpdatedAt: time.Now().UnixMilli(), StartDate: utcDay(from), EndDate: utcDay(to)}
	for _, s := range sources[:min(limit, len(sources))] {
		report, err := g.transcripts.Report(s.file, from, to, g.prices)
		if errors.Is(err, transcript.ErrNotFound) {
			continue // it was archived meanwhile
		}
		if err != nil {
			return r, err
		}
		r.Sessions = append(r.Sessions, describeUsage(s, report, p.IncludeContextWeight))
		r.Totals.Add(report.Totals)
	}
	r.Aggregates = aggregate(r.Sessions)
	return r, nil
}

// prices are the configured rates of a model.
func (g *Gateway) prices(provider, model string) (transcript.Rates, bool) {
	c, ok := g.cfg().Cost(config.ModelRef{Provider: provider, Model: model})
	return transcript.Rates(c), ok
}

func describeUsage(s usageSource, report *transcript.Report, weight bool) sessionUsage {
	e := s.entry
	u := sessionUsage{
		Key: s.key, SessionID: s.file.SessionID, UpdatedAt: int64(s.updatedAt()), AgentID: agentInKey(s.key), Usage: report,
		Label: e.Value("label"), Channel: e.Value("channel"), ChatType: e.Value("chatType"), Origin: e.Value("origin"),
		ModelOverride: e.Value("modelOverride"), ProviderOverride: e.Value("providerOverride"),
		ModelProvider: e.Value("modelProvider"), Model: e.Value("model"),
	}
	origin, _ := rawjson.Parse(u.Origin)
	if rawjson.Null(u.Channel) {
		u.Channel = origin.Get("provider")
	}
	if rawjson.Null(u.ChatType) {
		u.ChatType = origin.Get("chatType")
	}
	if weight {
		if u.ContextWeight = e.Value("systemPromptReport"); u.ContextWeight == nil {
			u.ContextWeight = rawjson.Value("null")
		}
	}
	return u
}

// usageSources finds the sessions that a report is about.
func (g *Gateway) usageSources(key string, since time.Time) ([]usageSource, error) {
	all := g.stores.Combined()
	if key = jstext.Trim(key); key == "" {
		return g.allUsage(all, since)
	}
	s, err := g.usageByReference(all, key)
	switch {
	case errors.Is(err, transcript.ErrNotFound):
		return nil, nil
	case errors.Is(err, transcript.ErrBadID):
		return nil, protocol.Invalidf("Invalid session reference: %s", key)
	case err != nil:
		return nil, err
	}
	return []usageSource{s}, nil
}

// usageByReference finds one session: by its key exactly as given, else by a
// session id in the place of the key's rest, else the file of that id.
func (g *Gateway) usageByReference(all *sessions.Combined, key string) (usageSource, error) {
	agent, id, named := sessions.ParseKey(key)
	if !named {
		agent, id = g.cfg().DefaultAgent(), key
	}
	if s := g.usageEntry(all, key, agent, id); s != nil && s.Entry.SessionID() != "" {
		file, err := g.transcripts.UsageFile(runs.Ref(s.Store, s.Key, s.Entry))
		return usageSource{s.Key, s.Entry, file}, err
	}
	file, err := g.usageFileOf(agent, id)
	for _, other := range g.agentIDs() {
		if named || !errors.Is(err, transcript.ErrNotFound) {
			break
		}
		file, err = g.usageFileOf(other, id)
	}
	return usageSource{key, sessions.Entry{}, file}, err
}

// usageEntry is the session with this key or session id, one of this agent if
// there is any; nil when there is none.
func (g *Gateway) usageEntry(all *sessions.Combined, key, agent, id string) *sessions.Session {
	if s, ok := all.Get(key); ok {
		return s
	}
	with := all.WithSessionID(id)
	if len(with) == 0 {
		return nil
	}
	return with[max(0, slices.IndexFunc(with, func(s *sessions.Session) bool { return g.keys().Agent(s.Key) == agent }))]
}

// usageFileOf is the file that an agent has for a session id.
func (g *Gateway) usageFileOf(agent, id string) (transcript.UsageFile, error) {
	st, err := g.stores.Store(g.keys().Canonical("agent:" + agent + ":main"))
	if err != nil {
		return transcript.UsageFile{}, err
	}
	return g.transcripts.UsageFile(transcript.Ref{Dir: st.Dir(), Agent: agent, SessionID: id})
}

// agentInKey is the agent that a key names, or "".
func agentInKey(key string) string {
	agent, _, ok := sessions.ParseKey(key)
	if !ok {
		return ""
	}
	return sessions.NormalizeAgentID(agent)
}

// allUsage is every transcript of every agent that changed since a time.
func (g *Gateway) allUsage(all *sessions.Combined, since time.Time) ([]usageSource, error) {
	var out []usageSource
	for dir, agent := range g.usageDirs(all) {
		files, err := g.transcripts.UsageFiles(dir, since)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			u := usageSource{key: "agent:" + agent + ":" + f.SessionID, file: f}
			if s := usageOwner(all.WithSessionID(f.SessionID), agent, dir); s != nil {
				u.key, u.entry = s.Key, s.Entry
			}
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b usageSource) int { return strings.Compare(a.key, b.key) })
	return out, nil
}

// usageDirs are the sessions directories of all agents: beside the stores, and
// in the usual place.
func (g *Gateway) usageDirs(all *sessions.Combined) map[string]string {
	dirs := map[string]string{} // directory → agent
	for _, st := range all.Stores() {
		dirs[st.Dir()] = st.Agent()
	}
	for _, id := range g.agentIDs() {
		if st, err := g.stores.Store(g.keys().Canonical("agent:" + id + ":main")); err == nil {
			dirs[st.Dir()] = st.Agent()
		}
		if usual := filepath.Join(g.cfg().StateDir, "agents", id, "sessions"); dirs[usual] == "" {
			dirs[usual] = id
		}
	}
	return dirs
}

// usageOwner is which of the sessions with one session id a file in an agent's
// directory belongs to; nil when to none.
func usageOwner(with []*sessions.Session, agent, dir string) *sessions.Session {
	for _, s := range with {
		if agentInKey(s.Key) == agent {
			return s
		}
	}
	for _, s := range with {
		if s.Store.Dir() == dir {
			return s
		}
	}
	return nil
}

package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/config"
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
	key, agent string
	entry      sessions.Entry
	file       transcript.UsageFile
}

// updatedAt is when the session was last active, by its entry or its file.
func (s usageSource) updatedAt() int64 {
	if at := s.entry.UpdatedAt(); at > 0 {
		return at
	}
	return s.file.Modified.UnixMilli()
}

// sessionsUsage reports what sessions used between two days: one session, or
// those whose transcripts changed since. The limit cuts before sums are made.
func (g *Gateway) sessionsUsage(_ context.Context, _ *call, p protocol.SessionsUsageParams) (sessionsUsageResult, error) {
	from, to := usageRange(p, time.Now())
	sources, err := g.usageSources(p.Key, from)
	if err != nil {
		return sessionsUsageResult{}, err
	}
	slices.SortStableFunc(sources, func(a, b usageSource) int { return int(max(-1, min(1, b.updatedAt()-a.updatedAt()))) })
	limit := usageLimit
	if p.Limit > 0 {
		limit = int(min(p.Limit, 1<<30))
	}
	r := sessionsUsageResult{UpdatedAt: time.Now().UnixMilli(), StartDate: utcDay(from), EndDate: utcDay(to)}
	for _, s := range sources[:min(limit, len(sources))] {
		report, err := g.transcripts.Report(s.file, from, to, g.prices)
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
	c, ok := g.cfg.Cost(config.ModelRef{Provider: provider, Model: model})
	return transcript.Rates(c), ok
}

func describeUsage(s usageSource, report *transcript.Report, weight bool) sessionUsage {
	e := s.entry
	u := sessionUsage{
		Key: s.key, SessionID: s.file.SessionID, UpdatedAt: s.updatedAt(), AgentID: s.agent, Usage: report,
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
	if key == "" {
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
	agent, id, ok := sessions.ParseKey(key)
	if !ok {
		agent, id = g.cfg.DefaultAgent(), key
	}
	s, found := all.Get(key)
	if !found {
		if with := all.WithSessionID(id); len(with) > 0 {
			s, found = with[0], true
		}
	}
	if found && s.Entry.SessionID() != "" {
		agent = g.keys().Agent(s.Key)
		file, err := g.transcripts.UsageFile(runs.Ref(s.Store, s.Key, s.Entry))
		return usageSource{s.Key, agent, s.Entry, file}, err
	}
	st, err := g.stores.Store(g.keys().Canonical("agent:" + agent + ":main"))
	if err != nil {
		return usageSource{}, err
	}
	file, err := g.transcripts.UsageFile(transcript.Ref{Dir: st.Dir(), Agent: agent, SessionID: id})
	return usageSource{key, agent, sessions.Entry{}, file}, err
}

// allUsage is every transcript of every agent that changed since a time.
func (g *Gateway) allUsage(all *sessions.Combined, since time.Time) ([]usageSource, error) {
	dirs := map[string]string{} // sessions directory → agent
	for _, id := range g.agentIDs() {
		if st, err := g.stores.Store(g.keys().Canonical("agent:" + id + ":main")); err == nil {
			dirs[st.Dir()] = st.Agent()
		}
	}
	for _, st := range all.Stores() {
		dirs[st.Dir()] = st.Agent()
	}
	var out []usageSource
	for dir, agent := range dirs {
		files, err := g.transcripts.UsageFiles(dir, since)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			u := usageSource{key: "agent:" + agent + ":" + f.SessionID, agent: agent, file: f}
			with := all.WithSessionID(f.SessionID)
			if i := slices.IndexFunc(with, func(s *sessions.Session) bool { return s.Store.Agent() == agent }); i >= 0 {
				u.key, u.entry = with[i].Key, with[i].Entry
			}
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b usageSource) int { return strings.Compare(a.key, b.key) })
	return out, nil
}

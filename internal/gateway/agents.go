package gateway

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

type agentsListResult struct {
	DefaultID string       `json:"defaultId"`
	MainKey   string       `json:"mainKey"`
	Scope     string       `json:"scope"`
	Agents    []agentEntry `json:"agents"`
}

type agentEntry struct {
	ID       string         `json:"id"`
	Name     string         `json:"name,omitzero"`
	Identity *agentIdentity `json:"identity,omitzero"`
}

// agentIdentity is an agent's configured identity; it may be empty.
type agentIdentity struct {
	Name      string `json:"name,omitzero"`
	Theme     string `json:"theme,omitzero"`
	Emoji     string `json:"emoji,omitzero"`
	Avatar    string `json:"avatar,omitzero"`
	AvatarURL string `json:"avatarUrl,omitzero"`
}

func (g *Gateway) agentsList(context.Context, *call, protocol.NoParams) (agentsListResult, error) {
	r := agentsListResult{DefaultID: g.cfg().DefaultAgent(), MainKey: "main", Scope: "per-sender"}
	if g.cfg().Session.Global {
		r.Scope = "global"
	}
	shown := map[string]config.Agent{} // of two of one id the later one
	for _, a := range g.cfg().Agents.List {
		shown[a.ID] = a
	}
	for _, id := range g.agentIDs() {
		a := shown[id]
		entry := agentEntry{ID: id, Name: a.Name}
		if i := a.Identity; i != nil {
			entry.Identity = &agentIdentity{i.Name, i.Theme, i.Emoji, i.Avatar, avatarURL(g.cfg().Workspace(id), i.Avatar)}
		}
		r.Agents = append(r.Agents, entry)
	}
	return r, nil
}

// agentIDs are the agents that clients see: the configured ones, or, when none
// is configured, the default one and those with a directory. The default comes
// first, the others in alphabetical order.
func (g *Gateway) agentIDs() []string {
	if ids := g.cfg().AgentIDs(); len(ids) > 0 {
		return g.defaultFirst(ids)
	}
	return g.defaultFirst(agentDirs(filepath.Join(g.cfg().StateDir, "agents")))
}

// defaultFirst are agents by id, the default one first, be it among them or not.
func (g *Gateway) defaultFirst(ids []string) []string {
	def := g.cfg().DefaultAgent()
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == def })
	slices.Sort(ids)
	return slices.Concat([]string{def}, slices.Compact(ids))
}

// agentDirs are the ids that the directories in path stand for.
func agentDirs(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil // not there before the first session
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, sessions.NormalizeAgentID(e.Name()))
		}
	}
	return ids
}

// agentName is the configured name of an agent, or "".
func (g *Gateway) agentName(id string) string {
	a, _ := g.cfg().Agent(id)
	return a.Name
}

type agentIdentityResult struct {
	AgentID string `json:"agentId"`
	Name    string `json:"name"`
	Avatar  string `json:"avatar"`
	Emoji   string `json:"emoji,omitzero"`
}

func (g *Gateway) agentIdentityGet(_ context.Context, _ *call, p protocol.AgentIdentityGetParams) (agentIdentityResult, error) {
	id, err := g.namedAgent(p)
	if err != nil {
		return agentIdentityResult{}, err
	}
	i := g.assistant(id)
	avatar := i.avatar
	if !urlAvatar(avatar) && pathAvatar(avatar) {
		avatar = g.cfg().Gateway.ControlUI.BasePath + "/avatar/" + id
	}
	return agentIdentityResult{id, i.name, avatar, i.emoji}, nil
}

// assistant is how the agent with this id shows itself.
func (g *Gateway) assistant(id string) assistant {
	a, _ := g.cfg().Agent(id)
	var own config.Identity
	if a.Identity != nil {
		own = *a.Identity
	}
	return newAssistant(g.cfg().UI, own, fileIdentity(g.cfg().Workspace(id)))
}

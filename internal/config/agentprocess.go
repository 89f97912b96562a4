package config

import (
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// AgentProcess is the part of a provider with api acp that tells how its
// program is run.
type AgentProcess struct {
	// Command is the program: a name on the PATH, or a path.
	Command string
	Args    []string
	// Env are the variables that the program gets beside PATH, HOME, LANG and
	// TMPDIR, in configured order.
	Env []Header
	// Cwd is the directory of its sessions, "" for the workspace of the agent
	// whose session it is.
	Cwd string
	// Processes is ProcessesShared (default) or ProcessesSession.
	Processes string
	// MaxProcesses is how many processes may run at a time when each session has
	// one of its own, default 8.
	MaxProcesses int
	// Permissions is PermissionsDeny (default), PermissionsAllow or
	// PermissionsAsk: how it is answered when it asks to be permitted something.
	Permissions string
}

// The words of processes and permissions.
const (
	ProcessesShared  = "shared"  // one process for all sessions
	ProcessesSession = "session" // one for each session

	PermissionsDeny  = "deny"
	PermissionsAllow = "allow"
	PermissionsAsk   = "ask"
)

// maxAgentProcesses is the most that maxProcesses may say.
const maxAgentProcesses = 256

func (a *AgentProcess) defaults() {
	*a = AgentProcess{Processes: ProcessesShared, MaxProcesses: 8, Permissions: PermissionsDeny}
}

func (a *AgentProcess) fields() []field {
	return []field{
		{name: "command", read: trimmed(&a.Command)},
		{name: "args", read: texts(&a.Args)},
		{name: "env", read: headers(&a.Env)},
		{name: "cwd", read: trimmed(&a.Cwd)},
		{name: "processes", read: oneOf(&a.Processes, ProcessesShared, ProcessesSession)},
		{name: "maxProcesses", read: whole(&a.MaxProcesses, 1, maxAgentProcesses)},
		{name: "permissions", read: oneOf(&a.Permissions, PermissionsDeny, PermissionsAllow, PermissionsAsk)},
	}
}

// checkAgent refuses a provider whose program is not named, and one that names a
// program which nothing would run.
func (p *Provider) checkAgent(d *decoder, at string, v rawjson.Value) {
	if d.shape != nil {
		return
	}
	speaks := p.API == APIACP || slices.ContainsFunc(p.Models, func(m Model) bool { return m.API == APIACP })
	if speaks {
		if p.Agent.Command == "" {
			d.issue(join(at, "command"), "a provider with api %q needs a command, the program that speaks the Agent Client Protocol", APIACP)
		}
		return
	}
	o, err := rawjson.Parse(v)
	if err != nil {
		return // told already
	}
	for _, f := range p.Agent.fields() {
		if o.Has(f.name) {
			d.issue(join(at, f.name), "only a provider with api %q runs a program; this one has api %q", APIACP, p.API)
		}
	}
}

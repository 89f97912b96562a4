package config

import (
	"fmt"
	"slices"
	"strings"
)

// lasting is what a running daemon cannot change, because something was made
// of it that cannot be made again: a listener, the key grammar of all stores, a
// log file. It is kept as the configuration said it, before anything was settled.
type lasting struct {
	port          int
	bind, host    string
	tls           TLS
	store         string
	global        bool
	defaultAgent  string
	maxConcurrent int
	logFile       string
	admin         string
	tracing       Tracing
	programs      string // that answer, see programs
}

func (c *Config) lastingParts() lasting {
	g := c.Gateway
	return lasting{
		g.Port, g.Bind, g.CustomBindHost, g.TLS, c.Session.Store, c.Session.Global, c.DefaultAgent(),
		c.Agents.Defaults.MaxConcurrent, c.Logging.File, c.Parley.Admin, c.Parley.Tracing, programs(c.Models.Providers),
	}
}

// differences are the keys by which two of them differ.
func (l lasting) differences(o lasting) (keys []string) {
	for _, part := range []struct {
		key  string
		same bool
	}{
		{"gateway.port", l.port == o.port},
		{"gateway.bind", l.bind == o.bind},
		{"gateway.customBindHost", l.host == o.host},
		{"gateway.tls", l.tls == o.tls},
		{"session.store", l.store == o.store},
		{"session.scope", l.global == o.global},
		{"agents.list (the default agent)", l.defaultAgent == o.defaultAgent},
		{"agents.defaults.maxConcurrent", l.maxConcurrent == o.maxConcurrent},
		{"logging.file", l.logFile == o.logFile},
		{"parley.admin", l.admin == o.admin},
		{"parley.tracing", l.tracing == o.tracing},
		{"models.providers.*.command and how it is run", l.programs == o.programs},
	} {
		if !part.same {
			keys = append(keys, part.key)
		}
	}
	return keys
}

// lastingKeys are the paths that need a restart, for the reference page.
func lastingKeys() []string {
	var other lasting
	other.port, other.bind, other.host, other.tls = -1, "x", "x", TLS{Enabled: true}
	other.store, other.global, other.defaultAgent, other.maxConcurrent = "x", true, "x", -1
	other.logFile, other.admin, other.tracing, other.programs = "x", "x", Tracing{Endpoint: "x"}, "x"
	return lasting{}.differences(other)
}

// outlast makes c go on with what before, which runs, cannot change.
func (c *Config) outlast(before *Config) {
	c.restart = c.asked.differences(before.asked)
	c.asked = before.asked
	g, b := &c.Gateway, &before.Gateway
	g.Port, g.Bind, g.CustomBindHost, g.TLS = b.Port, b.Bind, b.CustomBindHost, b.TLS
	c.Session.Store, c.Session.Global = before.Session.Store, before.Session.Global
	if c.DefaultAgent() != before.DefaultAgent() {
		c.Agents.List = before.Agents.List // who is the default decides where sessions are
	}
	c.Agents.Defaults.MaxConcurrent = before.Agents.Defaults.MaxConcurrent
	c.Logging.File = before.Logging.File
	c.Parley.Admin, c.Parley.Tracing = before.Parley.Admin, before.Parley.Tracing
	if now := c.Models.Providers; programs(now) != programs(before.Models.Providers) {
		now = slices.DeleteFunc(slices.Clone(now), func(p Provider) bool { return p.Agent.Command != "" })
		c.Models.Providers = append(now, before.running()...)
	}
}

// running are the providers whose programs a daemon owns.
func (c *Config) running() []Provider {
	return slices.DeleteFunc(slices.Clone(c.Models.Providers), func(p Provider) bool { return p.Agent.Command == "" })
}

// programs tells two sets of programs, and how they are run, apart.
func programs(providers []Provider) string {
	var b strings.Builder
	for _, p := range providers {
		a := p.Agent
		if a.Command == "" {
			continue
		}
		fmt.Fprintf(&b, "%q %q %q %q %q %d %q", p.Name, a.Command, a.Args, a.Cwd, a.Processes, a.MaxProcesses, a.Permissions)
		for _, v := range a.Env {
			fmt.Fprintf(&b, " %q=%q", v.Name, v.Value.Reveal())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// NeedsRestart are the keys whose values in the file are not those that the
// daemon runs with, because they take effect at a start only.
func (c *Config) NeedsRestart() []string { return c.restart }

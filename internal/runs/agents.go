package runs

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/parleyd/parley/internal/acp"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
)

// agents are the programs of a configuration that answer turns, by the name of
// their provider. They start nothing before they are asked.
type agents struct {
	byName map[string]*acp.Agent
	book   *acp.Book
}

func newAgents(o Options) agents {
	a := agents{byName: map[string]*acp.Agent{}}
	for _, p := range o.Config.Models.Providers {
		if p.Agent.Command == "" {
			continue
		}
		if a.book == nil {
			a.book = acp.OpenBook(o.Disk, o.Config.StateDir, o.Log)
		}
		a.byName[p.Name] = acp.New(a.options(o, p))
	}
	return a
}

// passed are the variables that every program gets. All others, the gateway's
// secrets among them, it gets only when the configuration says so.
var passed = []string{"PATH", "HOME", "LANG", "TMPDIR"}

func (a agents) options(o Options, p config.Provider) acp.Options {
	c, run := o.Config, p.Agent
	opts := acp.Options{
		Name: p.Name, Command: run.Command, Args: run.Args, Shared: run.Processes == config.ProcessesShared,
		MaxProcesses: run.MaxProcesses, Policy: acp.Policy(run.Permissions), Ask: o.Ask, Book: a.book, Version: o.Version, Log: o.Log,
	}
	if strings.ContainsAny(opts.Command, `/~`) || strings.ContainsRune(opts.Command, os.PathSeparator) {
		opts.Command = c.Expand(opts.Command)
	}
	if run.Cwd != "" {
		opts.Dir = c.Expand(run.Cwd)
	}
	own := func(name string) bool {
		return slices.ContainsFunc(run.Env, func(v config.Header) bool { return v.Name == name })
	}
	for _, name := range passed {
		value := c.Getenv(name)
		if name == "HOME" {
			value = cmp.Or(value, c.Home)
		}
		if value != "" && !own(name) {
			opts.Env = append(opts.Env, name+"="+value)
		}
	}
	for _, v := range run.Env {
		opts.Env = append(opts.Env, v.Name+"="+v.Value.Reveal())
		opts.Secrets = append(opts.Secrets, v.Value.Reveal())
	}
	return opts
}

// open is a model of an agent.
func (a agents) open(p config.Provider, m config.Model) (model.Model, error) {
	agent := a.byName[p.Name]
	if agent == nil { // the loader refuses such a configuration
		return nil, model.NewFault(fmt.Sprintf("Provider %q has no command.", p.Name))
	}
	return agent.Model(m.ID), nil
}

// close ends all processes, at once when ctx has ended.
func (a agents) close(ctx context.Context) {
	var ends sync.WaitGroup
	for _, agent := range a.byName {
		ends.Go(func() { agent.Close(ctx) })
	}
	ends.Wait()
	a.book.Close()
}

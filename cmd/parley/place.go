package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/parleyd/parley/internal/config"
)

// placeFlags say where configuration and state are.
type placeFlags struct {
	Config   string `placeholder:"FILE" help:"Configuration file (default ~/.parley/parley.json)."`
	StateDir string `placeholder:"DIR" help:"State directory (default ~/.parley)."`
	Openclaw bool   `name:"openclaw" help:"Use OpenClaw's directory and configuration in place."`
}

func (p placeFlags) options() config.Options {
	home, _ := os.UserHomeDir() // only for when no variable names one
	return config.Options{Path: p.Config, StateDir: p.StateDir, OpenClaw: p.Openclaw, Env: os.Getenv, HomeDir: home}
}

// load reads the configuration; what is wrong with it is a fault.
func load(o config.Options) (*config.Config, []config.Warning, error) {
	c, warnings, err := config.Load(o)
	if err == nil {
		return c, warnings, nil
	}
	if errors.Is(err, syscall.ENOTDIR) && o.Path == "" && o.StateDir != "" {
		return nil, nil, stateFault(o.StateDir, err)
	}
	remedy := "Nothing was started or changed. Mend the configuration and try again."
	if errors.Is(err, fs.ErrNotExist) && o.Path != "" {
		remedy = "Create the file, or leave --config away to start with defaults."
	}
	return nil, nil, fault{exitConfig, err, remedy}
}

// Package config owns Parley's configuration: where it lies, how its text
// becomes values, which values are allowed, and what holds when nothing is
// said. The syntax is JSON5 with $include, an env block and ${NAME}; the key
// names are OpenClaw's, our own live under "parley" (see doc/operations.md).
//
// Load gives an immutable Config: nobody changes one after Load returned, so
// all goroutines may read it without a lock. The rules that need nothing but
// the configuration (which model an agent uses, whether a model is allowed,
// when a session is stale, whether a message may be sent, whether the daemon
// may start) are pure methods of Config and its parts.
//
// It opens the files it is told to and writes only the token file
// (EnsureToken) and, when asked to, the configuration file (Replace, Patch),
// whole and durably. It logs nothing: what a person should hear comes back as
// warnings.
package config

// Config is one loaded configuration. It does not change after Load.
type Config struct {
	// Path is the absolute path of the configuration file, existing or not.
	Path string
	// StateDir is the absolute path of the state directory.
	StateDir string
	// Home is the home directory that "~" stands for.
	Home string

	Gateway Gateway
	Session Session
	Agents  Agents
	Models  Models
	UI      UI
	Logging Logging
	Parley  Parley

	source  Source
	env     environment
	places  places
	options Options
	fixed   bool // made by Parse, without a file

	asked   lasting  // by the configuration that the daemon started with
	restart []string // see NeedsRestart
}

// Getenv is a variable of the environment, with what .env files and the env
// block add to it. It is "" when unset.
func (c *Config) Getenv(name string) string { return c.env.get(name) }

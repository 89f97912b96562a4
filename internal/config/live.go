package config

import "sync/atomic"

// Live is the configuration that holds now. Who may outlive a reload keeps the
// Live and asks it each time; each Config that it gives stays as it is. All
// methods are safe for concurrent use.
type Live struct{ now atomic.Pointer[Config] }

// NewLive begins with c.
func NewLive(c *Config) *Live {
	l := new(Live)
	l.now.Store(c)
	return l
}

// Now is the configuration that holds now.
func (l *Live) Now() *Config { return l.now.Load() }

// Set makes c the one that holds from now on.
func (l *Live) Set(c *Config) { l.now.Store(c) }

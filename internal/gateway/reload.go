package gateway

import (
	"bytes"
	"errors"
	"strings"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/auth"
	"github.com/parleyd/parley/internal/config"
)

// Reload reads the configuration again and goes on with it, as far as that can
// be done while running; the log tells what changed and what needs a restart.
// When the files hold no configuration to go on with, all stays as it was.
func (g *Gateway) Reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	was := g.cfg()
	next, warnings, err := was.Reload()
	g.metrics.Reloaded(err)
	for _, w := range warnings {
		g.log.Warn(string(w))
	}
	if err != nil {
		g.log.Error("the configuration was not taken in; the one before still holds", "path", was.Path, "err", problems(err))
		return err
	}
	changes := was.Changes(next)
	g.apply(next)
	if len(changes) == 0 && len(was.NeedsRestart()) == len(next.NeedsRestart()) {
		g.log.Debug("the configuration is as it was", "path", was.Path)
		return nil
	}
	for _, c := range changes {
		g.log.Info("configuration changed", "key", c.Path, "was", c.Old, "now", c.New)
	}
	if keys := next.NeedsRestart(); len(keys) > 0 {
		g.log.Warn("parts of the configuration take effect at the next start only", "keys", strings.Join(keys, ", "))
	}
	return nil
}

// problems is an error with all that is wrong with a configuration.
func problems(err error) string {
	invalid, ok := errors.AsType[*config.InvalidError](err)
	if !ok {
		return err.Error()
	}
	var parts []string
	for _, i := range invalid.Issues {
		parts = append(parts, strings.TrimPrefix(i.Path+": "+i.Message, ": "))
	}
	return strings.Join(parts, "; ")
}

// FilesChanged is Reload for when the files changed and nobody asked: the
// configuration says whether they are then looked at (gateway.reload.mode).
func (g *Gateway) FilesChanged() {
	c := g.cfg()
	if follows(c) {
		_ = g.Reload() // told in the log
		return
	}
	if now := c.Current(); !bytes.Equal(now.Resolved, c.Source().Resolved) {
		g.log.Warn("the configuration files have changed; restart the daemon, or have them read by SIGHUP", "path", c.Path, "gateway.reload.mode", c.Gateway.ReloadMode)
	}
}

// follows reports whether a changed file is taken in by itself.
func follows(c *config.Config) bool {
	return c.Gateway.ReloadMode == "hot" || c.Gateway.ReloadMode == "hybrid"
}

// takeIn goes on with a file that a client wrote and that now has the source
// written. It reports whether something of it needs a restart.
func (g *Gateway) takeIn(written config.Source) (restart bool) {
	if follows(g.cfg()) && g.Reload() == nil {
		return len(g.cfg().NeedsRestart()) > 0
	}
	return !bytes.Equal(written.Resolved, g.cfg().Source().Resolved)
}

// apply makes a configuration hold. Who holds something that was made of the
// one before is told.
func (g *Gateway) apply(next *config.Config) {
	g.gate.Configure(next.Gateway, next.Parley.ThrottleLoopback) // before live: see admittedBy
	g.live.Set(next)
	g.stores.Configure(next)
	g.engine.Configure(next)
	g.strangers.setLimit(next.Parley.Strangers)
	if g.reloaded != nil {
		g.reloaded(next)
	}
	g.closeOutdated()
	g.health.refreshSoon()
}

// closeOutdated ends the connections that came in by a secret which is none any
// more: who changes it may do so because somebody else knows it. Devices with a
// token of their own stay. A connection that is just being let in is looked at
// in join.
func (g *Gateway) closeOutdated() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		if c.connected.Load() && g.outdated(c) {
			c.out.close(websocket.StatusPolicyViolation, secretChanged)
		}
	}
}

const secretChanged = "the gateway's secret was changed"

// admittedBy is what a connection was let in by, under which configuration. That
// may be older than the one that the gate judged by, never newer.
type admittedBy struct {
	method auth.Method
	under  config.Auth
}

// outdated reports whether what let a connection in would not do any more.
func (g *Gateway) outdated(c *conn) bool {
	was, now := c.admitted.under, g.cfg().Gateway.Auth
	switch c.admitted.method {
	case auth.ByToken:
		return was.Mode != now.Mode || !was.Token.Equal(now.Token)
	case auth.ByPassword:
		return was.Mode != now.Mode || !was.Password.Equal(now.Password)
	case auth.ByNothing, auth.ByTrustedProxy:
		return was.Mode != now.Mode
	}
	return false
}

// ConfigFiles are the files that the configuration was read from, and those
// that would be read if they were there.
func (g *Gateway) ConfigFiles() []string { return g.cfg().Watched() }

// Pulse returns when the locks that every connection needs can be had: who waits
// for it in vain knows that the gateway hangs.
func (g *Gateway) Pulse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hub.SessionsHeard()
}

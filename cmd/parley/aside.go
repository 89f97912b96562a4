package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/protocol"
)

// session gives use a connection to the gateway: to that of --url, to the daemon
// of the state directory, or, when none runs, to one in this process, which has
// the directory for itself meanwhile. So a command works the same with a daemon
// and without.
func (r reachFlags) session(ctx context.Context, s streams, use func(*client.Conn) error) error {
	if r.URL != "" {
		return r.remote(ctx, use)
	}
	o := r.options()
	o.Token = r.Token
	cfg, _, err := load(o)
	if err != nil {
		return err
	}
	release, err := take(cfg.StateDir)
	if _, running := errors.AsType[inUse](err); running {
		return r.remote(ctx, use)
	}
	if err != nil {
		return err
	}
	defer release()
	return aside(ctx, cfg, s.err, use)
}

// remote is session for a gateway that runs.
func (r reachFlags) remote(ctx context.Context, use func(*client.Conn) error) error {
	t, err := r.target()
	if err != nil {
		return err
	}
	return t.with(ctx, use)
}

// aside serves a state directory that this process owns to itself, over
// connections in memory: nothing listens. Runs that a crash cut off stay for the
// daemon.
func aside(ctx context.Context, cfg *config.Config, warnings io.Writer, use func(*client.Conn) error) (err error) {
	mine := *cfg
	mine.Gateway.Auth.Mode, mine.Gateway.Auth.Token = config.AuthToken, config.NewSecret(rand.Text())
	mine.Parley.Deviceless = "loopback"
	log := slog.New(slog.NewTextHandler(warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	g, err := gateway.New(gateway.Options{Config: &mine, Log: log, Version: versionText(), Aside: true})
	if err != nil {
		return fmt.Errorf("open %s: %w", cfg.StateDir, err)
	}
	l := newInside()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(serving, l) }()
	transport := &http.Transport{DialContext: l.dial}
	defer func() {
		stop()
		err = errors.Join(err, <-ended, g.Close())
		transport.CloseIdleConnections()
	}()
	conn, err := client.Dial(ctx, "ws://127.0.0.1", client.Options{
		Token: mine.Gateway.Auth.Token.Reveal(), Scopes: operatorScopes(), HTTP: &http.Client{Transport: transport},
		Client: client.Info{ID: protocol.ClientCLI, Mode: protocol.ModeCLI, Version: versionText()},
	})
	if err != nil {
		return err
	}
	return errors.Join(use(conn), conn.Close())
}

// inside is a listener whose connections live in this process.
type inside struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newInside() *inside { return &inside{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept waits for the next connection.
func (l *inside) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *inside) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is the address of this machine.
func (l *inside) Addr() net.Addr { return thisMachine }

func (l *inside) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- near{theirs}:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

var thisMachine = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// near is a connection that comes from this machine.
type near struct{ net.Conn }

// LocalAddr is the address of this machine.
func (near) LocalAddr() net.Addr { return thisMachine }

// RemoteAddr is the address of this machine.
func (near) RemoteAddr() net.Addr { return thisMachine }

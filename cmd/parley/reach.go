package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// reachFlags say which gateway to talk to. Without them it is the one of the
// state directory, with the token that it uses.
type reachFlags struct {
	placeFlags
	URL   string `name:"url" placeholder:"URL" env:"PARLEY_URL" help:"Gateway, such as ws://127.0.0.1:18789 (default: the one of the state directory)."`
	Token string `placeholder:"TOKEN" env:"PARLEY_TOKEN" help:"Shared token (default: that of configuration or state directory)."`
}

// target is a gateway and what is needed to get in.
type target struct {
	url, token, password string
	identity             string // file of the device identity
	fingerprint          string // of the certificate of this machine's gateway
}

func (r reachFlags) target() (target, error) {
	o := r.options()
	o.Token = r.Token
	cfg, _, err := load(o)
	if err != nil {
		return target{}, err
	}
	t := target{url: r.URL, token: r.Token, identity: filepath.Join(cfg.StateDir, "identity", "cli.json")}
	if t.url == "" {
		t.url = localURL(cfg.Gateway)
	}
	// The running one may have been started with another port.
	if o, ok := readOwner(cfg.StateDir); ok && o.URL != "" && (r.URL == "" || r.URL == o.URL) {
		t.url, t.fingerprint = o.URL, o.Fingerprint
	}
	if t.token != "" || !loopback(t.url) {
		return t, nil // the secrets of this machine are for this machine
	}
	switch cfg.Gateway.Auth.Mode {
	case config.AuthPassword:
		t.password = cfg.Gateway.Auth.Password.Reveal()
	case config.AuthToken:
		if t.token = cfg.Gateway.Auth.Token.Reveal(); t.token == "" {
			kept, err := config.StoredToken(cfg.StateDir)
			if err != nil {
				return t, fault{exitState, err, "Give the token with --token or PARLEY_TOKEN."}
			}
			t.token = kept.Reveal()
		}
	}
	return t, nil
}

// ask calls a method for a command that does more than call it.
func (r reachFlags) ask(ctx context.Context, method string, params any) (payload rawjson.Value, err error) {
	t, err := r.target()
	if err != nil {
		return nil, err
	}
	err = t.with(ctx, func(conn *client.Conn) (err error) {
		payload, err = conn.Call(ctx, method, params)
		return err
	})
	return payload, mistaken(err)
}

// mistaken makes the refusal of what was asked for read like a mistake on the
// command line.
func mistaken(err error) error {
	if _, known := errors.AsType[fault](err); known {
		return err
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == client.InvalidRequest {
		return bare{e.Message}
	}
	return err
}

// loopback reports whether address is on this machine.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// options are those with which to connect, with a device identity when device is
// set. A gateway on this machine lets its own command line in without one by
// default, so that calls leave no trace; others ask for a device that was let in
// once.
func (t target) options(device bool) (client.Options, error) {
	o := client.Options{
		Token: t.token, Password: t.password, Scopes: operatorScopes(), Fingerprint: t.fingerprint,
		Client: client.Info{ID: protocol.ClientCLI, Mode: protocol.ModeCLI, DisplayName: "parley", Version: versionText(), Platform: runtime.GOOS},
	}
	if !device {
		return o, nil
	}
	var err error
	if o.Device, err = client.LoadIdentity(t.identity); err != nil {
		return o, fault{exitState, err, "The file holds the key that this command line proves itself with."}
	}
	return o, nil
}

// outside says why there is no connection, and what to do.
func outside(err error) error {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return fault{exitFailed, err, remedyFor(refused)}
	}
	return fault{exitUnreachable, err, "Is it running? Start it with \"parley serve\", or name another with --url."}
}

func remedyFor(e *client.Error) string {
	switch code := e.Detail("code"); {
	case code == "PAIRING_REQUIRED":
		return fmt.Sprintf("A device that is let in already must approve this one: parley devices approve %s", e.Detail("requestId"))
	case strings.HasPrefix(code, "AUTH_TOKEN"):
		return "Give the gateway's token with --token or PARLEY_TOKEN."
	}
	return ""
}

// with connects, runs use and closes. When the gateway wants a device, which it
// says at the door or by refusing every right, it does so again with one.
func (t target) with(ctx context.Context, use func(*client.Conn) error) error {
	return attempt(ctx, t, client.Dial, use)
}

// stay is with for a connection that comes back when it is lost.
func (t target) stay(ctx context.Context, use func(*client.Client) error) error {
	return attempt(ctx, t, client.Connect, use)
}

// connector makes a connection of a kind.
type connector[C io.Closer] func(ctx context.Context, address string, o client.Options) (C, error)

func attempt[C io.Closer](ctx context.Context, t target, connect connector[C], use func(C) error) error {
	err := once(ctx, t, connect, !loopback(t.url), use)
	if wantsDevice(err) && loopback(t.url) {
		return once(ctx, t, connect, true, use)
	}
	return err
}

func once[C io.Closer](ctx context.Context, t target, connect connector[C], device bool, use func(C) error) error {
	o, err := t.options(device)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, t.url, o)
	if err != nil {
		return outside(err)
	}
	return errors.Join(use(conn), conn.Close())
}

// wantsDevice reports whether err may go away with a device identity.
func wantsDevice(err error) bool {
	e, ok := errors.AsType[*client.Error](err)
	return ok && (e.Detail("code") == "DEVICE_IDENTITY_REQUIRED" || strings.HasPrefix(e.Message, "missing scope: "))
}

package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"github.com/parleyd/parley/internal/auth"
)

// gate holds what decides who may come in.
type gate struct {
	*auth.Gate
	g       *Gateway
	devices *auth.Devices
	budget  *budget

	mu       sync.Mutex // guards identity
	identity auth.Identity
}

// openGate makes the gate from the configuration and the device files.
func (g *Gateway) openGate() error {
	devices, err := auth.OpenDevices(g.cfg().StateDir, g.disk, g.log)
	if err != nil {
		return fmt.Errorf("open the device files: %w", err)
	}
	g.gate = &gate{
		Gate: auth.NewGate(g.cfg().Gateway, g.cfg().Parley.ThrottleLoopback, devices),
		g:    g, devices: devices, budget: newBudget(),
	}
	return nil
}

// close writes what is written late.
func (t *gate) close() {
	if err := t.devices.Close(); err != nil {
		t.g.log.Warn("could not write when device tokens were last used", "err", err)
	}
}

// mode is the auth mode, as hello tells it.
func (t *gate) mode() string { return string(t.g.cfg().Gateway.Auth.Mode) }

// trustsHTTP reports whether the caller of an HTTP request is on this machine
// or knows the secret.
func (t *gate) trustsHTTP(r *http.Request) bool {
	place := t.placeOf(r)
	if place.Local {
		return true
	}
	v := t.Bearer(place, r.Header)
	return v.OK && v.Method != auth.ByNothing
}

// placeOf is where an HTTP request came from.
func (t *gate) placeOf(r *http.Request) auth.Place {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid for in-memory listeners: the address is unknown then
	return t.Place(peer.Addr(), r.Host, r.Header)
}

// self is the gateway's own identity, made on first need.
func (t *gate) self() (auth.Identity, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.identity.DeviceID != "" {
		return t.identity, nil
	}
	var err error
	t.identity, err = auth.LoadIdentity(t.g.cfg().StateDir, t.g.disk, t.g.log)
	return t.identity, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/config"
)

const (
	listenTries = 5 // the first and four more
	listenPause = 500 * time.Millisecond
)

// listen opens the listeners that the configuration asks for. An address in
// use is tried again for two seconds: the daemon before may just be ending.
func listen(ctx context.Context, g config.Gateway, log *slog.Logger) ([]net.Listener, error) {
	host, others := hosts(g)
	main, err := listenPatiently(ctx, host, g.Port)
	if err != nil && g.Bind == "auto" && !errors.Is(err, syscall.EADDRINUSE) {
		host = "0.0.0.0"
		main, err = listenPatiently(ctx, host, g.Port)
	}
	if err != nil {
		return nil, listenFault(host, g.Port, err)
	}
	ls := []net.Listener{main}
	for _, other := range others {
		l, err := net.Listen("tcp", net.JoinHostPort(other, strconv.Itoa(g.Port)))
		if err != nil {
			log.Warn("cannot listen on a second address", "address", other, "err", err)
			continue
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// settleTailnet makes a bind to the tailnet one to its address here, host, or to
// loopback where this machine is in none: so it is guarded as what it is.
func settleTailnet(g *config.Gateway, host string, log *slog.Logger) {
	if g.Bind != "tailnet" {
		return
	}
	if host == "" {
		log.Warn("this machine is in no tailnet: listening on loopback only", "bind", g.Bind)
		host = "127.0.0.1"
	}
	g.Bind, g.CustomBindHost = "custom", host
}

// hosts are the address that is needed, and those that are nice to have.
func hosts(g config.Gateway) (host string, others []string) {
	switch g.Bind {
	case "lan":
		return "0.0.0.0", nil
	case "custom":
		return g.CustomBindHost, nil
	case "auto":
		return "127.0.0.1", nil
	}
	return "127.0.0.1", []string{"::1"}
}

// tailnetHost is this machine's address in a tailnet, "" when it has none.
func tailnetHost() string {
	tailnet := netip.MustParsePrefix("100.64.0.0/10")
	addrs, _ := net.InterfaceAddrs() // none is an answer too
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && tailnet.Contains(p.Addr()) {
			return p.Addr().String()
		}
	}
	return ""
}

func listenPatiently(ctx context.Context, host string, port int) (net.Listener, error) {
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil || try == listenTries || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
		select {
		case <-time.After(listenPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func listenFault(host string, port int, err error) error {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fault{exitListen, fmt.Errorf("another gateway instance is already listening on ws://%s: %w", address, err),
			"Stop what listens there, or choose another port with --port or gateway.port."}
	}
	return fault{exitListen, fmt.Errorf("listen on %s: %w", address, err),
		"Choose another address with --bind and --port, or gateway.bind and gateway.port."}
}

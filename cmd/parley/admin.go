package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/parleyd/parley/internal/gateway"
)

// serveAdmin serves metrics and profiles on a loopback address, "" for none,
// until stop is called.
func serveAdmin(address string, g *gateway.Gateway, log *slog.Logger) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		at, _ := netip.ParseAddrPort(address) // checked by the configuration
		return nil, listenFault(at.Addr().String(), int(at.Port()), err)
	}
	srv := &http.Server{
		Handler: g.AdminHandler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the admin address is not served any more", "address", address, "err", err)
		}
	}()
	log.Info("serving metrics and profiles without credentials", "address", l.Addr().String())
	return func() {
		_ = srv.Close() // who takes a profile now gets none
		<-ended
	}, nil
}

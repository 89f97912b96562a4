package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strconv"

	"github.com/parleyd/parley/internal/certs"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// localHost is where programs of this machine reach the gateway.
func localHost(g config.Gateway) string {
	host, _ := hosts(g)
	if host == "0.0.0.0" || host == "::" {
		return "127.0.0.1"
	}
	return host
}

func localAddress(g config.Gateway) string {
	return net.JoinHostPort(localHost(g), strconv.Itoa(g.Port))
}

// localURL is where the gateway protocol is spoken, for programs of this machine.
func localURL(g config.Gateway) string {
	if g.TLS.Enabled {
		return "wss://" + localAddress(g)
	}
	return "ws://" + localAddress(g)
}

// greet tells a new user where everything is, in lines that can be pasted. pair
// is the certificate, nil without TLS.
func greet(w io.Writer, c *config.Config, pair *certs.Pair) {
	address, token := localAddress(c.Gateway), c.Gateway.Auth.Token.Reveal()
	web, unchecked, anyway := "http://", "", ""
	if pair != nil {
		web, unchecked, anyway = "https://", "-k ", " -n" // nobody vouches for what we signed ourselves
	}
	fmt.Fprintf(w, "Parley listens on %s.\n\n", address)
	if ui := c.Gateway.ControlUI; ui.Enabled {
		page := web + address + ui.BasePath + "/"
		if token != "" {
			page += "#token=" + url.QueryEscape(token)
		}
		fmt.Fprintf(w, "Page:\n  %s\n", page)
	}
	fmt.Fprintf(w, "URL for programs:\n  %s\n", localURL(c.Gateway))
	if pair != nil {
		fmt.Fprintf(w, "Certificate, SHA-256:\n  %s\n", pair.Fingerprint)
	}
	fmt.Fprintf(w, `Health:
  curl %s%s%s/health
A first dialogue: connects, makes a session, sends a message, shows the answer as it streams (wscat: npm i -g wscat):
  %s

`, unchecked, web, address, firstDialogue(localURL(c.Gateway)+anyway, token))
	if c.Gateway.Auth.Mode == config.AuthToken && !c.Source().Exists {
		fmt.Fprintf(w, "The token is kept in %s.\n\n", config.TokenPath(c.StateDir))
	}
}

// firstDialogue is a command line that makes a session and has a message
// answered. The calls stand right behind connect: the gateway lets them wait
// for the end of the handshake.
func firstDialogue(address, token string) string {
	line := "wscat -c " + address + " -w 3"
	for _, frame := range []string{
		connectFrame(token),
		`{"type":"req","id":"2","method":"sessions.create","params":{"key":"hello"}}`,
		`{"type":"req","id":"3","method":"sessions.send","params":{"key":"hello","message":"Hello, Parley"}}`,
	} {
		line += " -x '" + frame + "'"
	}
	return line
}

// connectFrame is the first frame of a session typed by hand.
func connectFrame(token string) string {
	p := protocol.ConnectParams{
		MinProtocol: protocol.Version3, MaxProtocol: protocol.Version4,
		Client: protocol.Client{ID: protocol.ClientCLI, Version: versionText(), Platform: runtime.GOOS, Mode: protocol.ModeCLI},
		Scopes: operatorScopes(),
	}
	if token != "" {
		p.Auth = &protocol.Credentials{Token: &token}
	}
	return `{"type":"req","id":"1","method":"connect","params":` + string(rawjson.MustMarshal(p)) + `}`
}

// operatorScopes are all rights of an operator.
func operatorScopes() []string {
	return []string{
		string(protocol.ScopeAdmin), string(protocol.ScopeApprovals), string(protocol.ScopePairing),
		string(protocol.ScopeRead), string(protocol.ScopeWrite),
	}
}

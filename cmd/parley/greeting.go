package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"

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

// greet tells a new user where everything is, in lines that can be pasted.
func greet(w io.Writer, c *config.Config) {
	address, token := localAddress(c.Gateway), c.Gateway.Auth.Token.Reveal()
	fmt.Fprintf(w, `Parley listens on %s.

URL:
  ws://%s
`, address, address)
	if ui := c.Gateway.ControlUI; ui.Enabled && ui.Root != "" {
		page := "http://" + address + ui.BasePath + "/"
		if token != "" {
			page += "#token=" + token
		}
		fmt.Fprintf(w, "Page:\n  %s\n", page)
	}
	fmt.Fprintf(w, `Health:
  curl http://%s/health
A first dialogue: connects, makes a session, sends a message, shows the answer as it streams (wscat: npm i -g wscat):
  %s

`, address, firstDialogue("ws://"+address, token))
	if c.Gateway.Auth.Mode == config.AuthToken && !c.Source().Exists {
		fmt.Fprintf(w, "The token is kept in %s.\n\n", config.TokenPath(c.StateDir))
	}
}

// firstDialogue is a command line that makes a session and has a message
// answered. The calls stand right behind connect: the gateway lets them wait
// for the end of the handshake.
func firstDialogue(url, token string) string {
	line := "wscat -c " + url + " -w 3"
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

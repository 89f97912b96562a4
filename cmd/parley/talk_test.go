package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
)

// chatting is a person at a chat in a test.
type chatting struct {
	t       *testing.T
	keys    *os.File
	signals chan os.Signal
	screen  *bufio.Reader
	seen    strings.Builder
	left    chan struct{} // closed at the end
	err     error         // with which it ended
}

// startChat begins a dialogue with a gateway in this process.
func startChat(t *testing.T) *chatting {
	t.Helper()
	dir := t.TempDir()
	cfg, _, err := config.Parse(`{gateway: {auth: {token: "sesame"}}}`, config.Options{StateDir: dir, HomeDir: dir, Env: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l := newInside()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(ctx, l) })
	transport := &http.Transport{DialContext: l.dial}
	conn, err := client.Connect(t.Context(), "ws://127.0.0.1", client.Options{Token: "sesame", Scopes: operatorScopes(), HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	in, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := screen.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // a text that does not come fails the test
		t.Fatal(err)
	}
	c := &chatting{t: t, keys: keys, signals: make(chan os.Signal), screen: bufio.NewReader(screen), left: make(chan struct{})}
	talk := &talk{command: &chatCommand{History: 6}, conn: conn, key: "agent:main:main", out: out, err: out, look: look{width: 80}, signals: c.signals}
	go func() {
		defer close(c.left)
		c.err = talk.dialogue(in, client.ChatHistoryResult{})
	}()
	t.Cleanup(func() {
		_ = keys.Close()
		_ = conn.Close()
		cancel()
		serving.Wait()
		transport.CloseIdleConnections()
		_ = g.Close()
		_, _, _ = in.Close(), out.Close(), screen.Close()
	})
	return c
}

func (c *chatting) types(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.keys, line); err != nil {
		c.t.Fatal(err)
	}
}

// reads waits until text is on the screen, behind what was read before.
func (c *chatting) reads(text string) {
	c.t.Helper()
	c.seen.Reset()
	for !strings.HasSuffix(c.seen.String(), text) {
		b, err := c.screen.ReadByte()
		if err != nil {
			c.t.Fatalf("%q did not come, but %q, %v", text, c.seen.String(), err)
		}
		c.seen.WriteByte(b)
	}
}

func TestDialogue(t *testing.T) {
	c := startChat(t)
	c.reads("agent:main:main\n")
	c.reads("> ")
	c.types("Hello\n")
	c.reads("echo: Hello\n> ")
	c.types("two \\\nlines\n")
	c.reads("echo: two \nlines\n> ")
	c.types("\n/think high\n")
	c.reads("Thinking level set to high.\n> ")
	c.types("[[fail 401]]\n")
	c.reads("401 scripted failure 401\n> ")
	c.types("[[say \x1b[2Jcleared]]\n")
	if c.reads("cleared"); strings.Contains(c.seen.String(), "\x1b") {
		t.Errorf("an escape sequence reached the terminal: %q", c.seen.String())
	}
	c.reads("> ")

	// Ctrl-C ends the answer, and the chat goes on.
	c.types("[[drip 100000 20]]\n")
	c.reads("w1")
	c.signals <- os.Interrupt
	c.reads("the run was aborted\n> ")
	c.types("Still there?\n")
	c.reads("echo: Still there?\n> ")
	c.types("/quit\n")
	if <-c.left; c.err != nil {
		t.Errorf("it ended with %v", c.err)
	}
}

func TestDialogueEnds(t *testing.T) {
	for name, leave := range map[string]func(c *chatting){
		"at the end of the input": func(c *chatting) { _ = c.keys.Close() },
		"with Ctrl-C":             func(c *chatting) { c.signals <- os.Interrupt },
		"with Ctrl-C twice while it is answered": func(c *chatting) {
			c.types("[[drip 100000 20]]\n")
			c.reads("w1")
			c.signals <- os.Interrupt
			select {
			case c.signals <- os.Interrupt: // the answer may have ended at once
			case <-c.left:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChat(t)
			c.reads("> ")
			leave(c)
			go func() { _, _ = io.Copy(io.Discard, c.screen) }()
			if <-c.left; c.err != nil {
				t.Errorf("it ended with %v", c.err)
			}
		})
	}
}

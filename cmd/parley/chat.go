package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/parleyd/parley/client"
)

// chatCommand is `parley chat`.
type chatCommand struct {
	reachFlags
	Session  string        `arg:"" optional:"" name:"key" help:"The session, which is made if need be (default: the main session)."`
	Message  string        `short:"m" placeholder:"TEXT" help:"Send this, print the answer and leave. So does a message on standard input."`
	Thinking string        `placeholder:"LEVEL" help:"How much to think: off, minimal, low, medium, high, adaptive (default: as the session says)."`
	Timeout  time.Duration `placeholder:"TIME" help:"End a run that takes longer, such as 5m."`
	History  int           `short:"n" default:"6" placeholder:"N" help:"Show so many of the last messages first (default ${default})."`
	JSON     bool          `name:"json" help:"With a message: print the answer as JSON."`
}

// errLeft is why a chat ends with its person.
var errLeft = errors.New("interrupted")

// Run talks until there is nothing more to say.
func (c *chatCommand) Run(s streams) error {
	in, _ := s.in.(*os.File)
	interactive := c.Message == "" && in != nil && isTerminal(in)
	if c.JSON && interactive {
		return fault{exitUsage, errors.New("--json needs a message"), `Give it with --message, or on standard input.`}
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	err = t.stay(context.Background(), func(conn *client.Client) error {
		h, err := client.ChatHistory.Call(context.Background(), conn, client.ChatHistoryParams{SessionKey: c.key(conn), Limit: max(c.History, 1)})
		if err != nil {
			return err
		}
		talk := &talk{command: c, conn: conn, key: c.key(conn), out: s.out, err: s.err, look: lookOf(s.out), signals: signals}
		if interactive {
			return talk.dialogue(in, h)
		}
		return c.single(talk, s)
	})
	return mistaken(err)
}

// key is the session that is meant.
func (c *chatCommand) key(conn *client.Client) string {
	if d := conn.Hello().Snapshot.SessionDefaults; c.Session == "" && d != nil {
		return d.MainSessionKey
	}
	return cmp.Or(c.Session, "main")
}

// single sends one message and prints the answer.
func (c *chatCommand) single(t *talk, s streams) error {
	text := c.Message
	if text == "" {
		all, err := io.ReadAll(s.in)
		if err != nil {
			return fmt.Errorf("read the message: %w", err)
		}
		text = strings.TrimSpace(string(all))
	}
	t.whole = c.JSON || !isTerminal(s.out)
	return t.say(text)
}

// params are those of a message.
func (c *chatCommand) params(key, runID, text string) client.ChatSendParams {
	p := client.ChatSendParams{SessionKey: key, Message: text, Thinking: c.Thinking, IdempotencyKey: runID}
	if c.Timeout > 0 {
		ms := max(1, c.Timeout.Milliseconds())
		p.TimeoutMs = &ms
	}
	return p
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// showCommand is `parley sessions show`.
type showCommand struct {
	work
	Session  string `arg:"" help:"Key, label or session id."`
	Messages int    `short:"n" default:"10" placeholder:"N" help:"Show so many of the last messages (default ${default})."`
}

// Run prints the session, its settings and the end of the conversation.
func (c *showCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		session, err := find(ctx, conn, c.Session)
		if err != nil {
			return err
		}
		var messages []client.Message
		if c.Messages > 0 {
			got, err := client.SessionsGet.Call(ctx, conn, client.SessionsGetParams{Key: session.Key, Limit: c.Messages})
			if err != nil {
				return err
			}
			messages = got.Messages
		}
		if c.JSON {
			return printPayload(s.out, shownJSON(session, messages), true)
		}
		return printSession(s.out, lookOf(s.out), *session, messages, time.Now())
	})
}

// find is the session that a text means: by its key, else by its label, else by
// its session id.
func find(ctx context.Context, conn *client.Conn, text string) (*client.Session, error) {
	for _, p := range []client.SessionsResolveParams{{Key: text}, {Label: text}, {SessionID: text}} {
		found, err := client.SessionsResolve.Call(ctx, conn, p)
		if e, ok := errors.AsType[*client.Error](err); ok && e.Code == client.InvalidRequest {
			continue // not this way
		}
		if err != nil {
			return nil, err
		}
		got, err := client.SessionsDescribe.Call(ctx, conn, client.SessionsDescribeParams{Key: found.Key, IncludeDerivedTitles: true})
		if err != nil || got.Session != nil {
			return got.Session, err
		}
	}
	return nil, fmt.Errorf("there is no session with the key, label or id %q; \"parley sessions list\" shows what there is", text)
}

func shownJSON(s *client.Session, messages []client.Message) rawjson.Value {
	list := []rawjson.Value{}
	for _, m := range messages {
		list = append(list, m.Raw)
	}
	return rawjson.MustMarshal(struct {
		Session  rawjson.Value   `json:"session"`
		Messages []rawjson.Value `json:"messages"`
	}{s.Raw, list})
}

// printSession writes what there is to know of a session, a line for each thing.
func printSession(w io.Writer, l look, s client.Session, messages []client.Message, now time.Time) error {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s %s\n", l.in(dim, fmt.Sprintf("%-10s", name)), oneLine(text))
		}
	}
	fmt.Fprintln(&b, l.in(bold, oneLine(s.Key)))
	line("title", s.Title())
	line("session id", s.SessionID)
	line("updated", updated(s, now))
	line("status", s.Status)
	line("model", model(s.ModelProvider, s.Model))
	line("tokens", tokens(s))
	if s.EstimatedCostUSD > 0 {
		line("cost", fmt.Sprintf("$%.4f", s.EstimatedCostUSD))
	}
	line("settings", settings(s))
	line("parent", s.ParentSessionKey)
	line("children", strings.Join(s.ChildSessions, ", "))
	for _, m := range messages {
		b.WriteByte('\n')
		messageText(&b, l, m)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// settings are those that the session has of its own.
func settings(s client.Session) string {
	var out []string
	for _, f := range []struct{ name, value string }{
		{"thinking", s.ThinkingLevel}, {"verbose", s.VerboseLevel}, {"reasoning", s.ReasoningLevel},
		{"elevated", s.ElevatedLevel}, {"send", s.SendPolicy}, {"usage", s.ResponseUsage},
	} {
		if f.value != "" {
			out = append(out, f.name+"="+f.value)
		}
	}
	if s.FastMode {
		out = append(out, "fast=on")
	}
	return strings.Join(out, " ")
}

// messageText is a message: who, when, and what was said.
func messageText(b *strings.Builder, l look, m client.Message) {
	who := oneLine(m.Role)
	if m.Timestamp > 0 {
		who += " " + time.UnixMilli(m.Timestamp).Format("2006-01-02 15:04:05")
	}
	p := cyan
	if m.Role == "user" {
		p = green
	}
	fmt.Fprintln(b, l.in(p, who))
	text := strings.TrimSpace(manyLines(m.Text()))
	switch {
	case text != "":
		fmt.Fprintln(b, text)
	case m.Error == "":
		fmt.Fprintln(b, l.in(dim, "(no text)"))
	}
	if m.Error != "" {
		fmt.Fprintln(b, l.in(red, oneLine(m.Error)))
	}
}

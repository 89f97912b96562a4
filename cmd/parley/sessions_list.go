package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/parleyd/parley/client"
)

// listCommand is `parley sessions list`.
type listCommand struct {
	work
	Agent  string        `placeholder:"ID" help:"Only sessions of this agent."`
	Search string        `short:"s" placeholder:"TEXT" help:"Only sessions whose key, label or name has this text."`
	Active time.Duration `placeholder:"TIME" help:"Only sessions that were used within this time, such as 2h."`
	Limit  int           `short:"n" placeholder:"N" default:"50" help:"At most so many, 0 for all (default ${default})."`
}

// Run prints a table, or the answer of sessions.list.
func (c *listCommand) Run(s streams) error {
	if c.Limit < 0 || c.Active < 0 {
		return fault{exitUsage, fmt.Errorf("--limit and --active cannot be negative"), "--limit 0 lists all sessions."}
	}
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		list, raw, err := fetch(ctx, conn, client.SessionsList, c.params(conn.Hello()))
		if err != nil {
			return err
		}
		if c.JSON {
			return printPayload(s.out, raw, true)
		}
		return printSessions(s.out, lookOf(s.out), list, time.Now())
	})
}

// params are those of sessions.list. A gateway that has pages tells how many
// sessions there are in all.
func (c *listCommand) params(hello *client.Hello) client.SessionsListParams {
	p := client.SessionsListParams{
		AgentID: c.Agent, Search: c.Search, Limit: c.Limit, ActiveMinutes: int((c.Active + time.Minute - 1) / time.Minute),
		IncludeGlobal: true, IncludeDerivedTitles: !c.JSON,
	}
	if slices.Contains(hello.Features.Methods, string(client.SessionsDescribe)) {
		p.Offset = new(int)
	}
	return p
}

func printSessions(w io.Writer, l look, list client.SessionsListResult, now time.Time) error {
	if len(list.Sessions) == 0 {
		_, err := fmt.Fprintln(w, "No sessions.")
		return err
	}
	t := table{columns: []column{
		{title: "KEY", give: fromMiddle}, {title: "TITLE", give: fromEnd}, {title: "UPDATED"}, {title: "TOKENS", right: true},
		{title: "MODEL", give: fromMiddle}, {title: "STATUS"},
	}}
	for _, s := range list.Sessions {
		title := s.Title()
		if title == s.Key {
			title = ""
		}
		t.add(s.Key, title, updated(s, now), tokens(s), model(s.ModelProvider, s.Model), status(s.Status))
	}
	if err := t.print(w, l); err != nil {
		return err
	}
	if more := list.TotalCount - len(list.Sessions); more > 0 {
		_, err := fmt.Fprintln(w, l.in(dim, fmt.Sprintf("%d more; --limit 0 lists all %d.", more, list.TotalCount)))
		return err
	}
	return nil
}

func updated(s client.Session, now time.Time) string {
	if s.Updated().IsZero() {
		return "never"
	}
	return ago(now.Sub(s.Updated()))
}

// tokens is how many tokens a session's context holds, of how many it may.
func tokens(s client.Session) string {
	if s.TotalTokens == 0 {
		return "-"
	}
	text := short(s.TotalTokens)
	if s.ContextTokens > 0 {
		text += "/" + short(s.ContextTokens)
	}
	return text
}

// short is a number with about three digits.
func short(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1_000_000_000, "G"}, {1_000_000, "M"}, {1000, "k"}} {
		switch f := float64(n) / float64(unit.size); {
		case f >= 100 || f >= 1 && n%unit.size == 0:
			return strconv.FormatFloat(f, 'f', 0, 64) + unit.name
		case f >= 1:
			return strconv.FormatFloat(f, 'f', 1, 64) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func model(provider, id string) string {
	if provider == "" || id == "" {
		return provider + id
	}
	return provider + "/" + id
}

// status is the state of a session's last run, in its colour.
func status(text string) cell {
	switch text {
	case "running":
		return cell{text, cyan}
	case "done":
		return cell{text, green}
	case "failed":
		return cell{text, red}
	case "killed", "timeout":
		return cell{text, yellow}
	}
	return cell{text, plain}
}

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parleyd/parley/client"
)

// archivesCommand is `parley sessions archives`.
type archivesCommand struct {
	work
	Key    string `arg:"" optional:"" help:"Only archives of this session."`
	Agent  string `placeholder:"ID" help:"Only archives of this agent."`
	Limit  int    `short:"n" default:"50" placeholder:"N" help:"At most so many (default ${default})."`
	Offset int    `placeholder:"N" help:"Leave out so many of the newest."`
}

// Run prints a table, the newest archive first.
func (c *archivesCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		list, raw, err := fetch(ctx, conn, client.SessionsArchives, client.SessionsArchivesParams{
			Key: c.Key, AgentID: c.Agent, Limit: c.Limit, Offset: c.Offset,
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printPayload(s.out, raw, true)
		}
		return printArchives(s.out, lookOf(s.out), list, time.Now())
	})
}

func printArchives(w io.Writer, l look, list client.SessionsArchivesResult, now time.Time) error {
	if len(list.Archives) == 0 {
		_, err := fmt.Fprintln(w, "No archives.")
		return err
	}
	t := table{columns: []column{
		{title: "ARCHIVED"}, {title: "REASON"}, {title: "KEY", give: fromMiddle}, {title: "TITLE", give: fromEnd},
		{title: "SIZE", right: true}, {title: "ARCHIVE"},
	}}
	for _, a := range list.Archives {
		t.add(ago(now.Sub(time.UnixMilli(a.ArchivedAt))), a.Reason, a.Key, a.Title, size(a.Size), filepath.Base(a.Archive))
	}
	if err := t.print(w, l); err != nil {
		return err
	}
	if list.NextOffset != nil {
		_, err := fmt.Fprintln(w, l.in(dim, fmt.Sprintf("%d more; --offset %d shows the next.", list.TotalCount-*list.NextOffset, *list.NextOffset)))
		return err
	}
	return nil
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	text := short(n)
	return text[:len(text)-1] + " " + text[len(text)-1:] + "B"
}

// restoreCommand is `parley sessions restore`.
type restoreCommand struct {
	work
	Archive string `arg:"" help:"Name or path of the archive, as \"parley sessions archives\" shows it."`
	Key     string `placeholder:"KEY" help:"The session that is to have it (default: the one it was of)."`
}

// Run restores the archive and says where it is now.
func (c *restoreCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		r, raw, err := fetch(ctx, conn, client.SessionsRestore, client.SessionsRestoreParams{Archive: c.Archive, Key: c.Key})
		if err != nil {
			return err
		}
		if c.JSON {
			return printPayload(s.out, raw, true)
		}
		fmt.Fprintf(s.out, "Restored %s: %s\n", r.Key, r.Transcript)
		for _, path := range r.Archived {
			fmt.Fprintf(s.out, "What it held before: %s\n", path)
		}
		if r.LabelTaken != "" {
			fmt.Fprintf(s.out, "Another session has its label %q by now; it has none.\n", r.LabelTaken)
		}
		return nil
	})
}

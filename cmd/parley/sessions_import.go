package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// importCommand is `parley sessions import`.
type importCommand struct {
	work
	File     string   `arg:"" help:"File that \"parley sessions export\" wrote, - for standard input."`
	Sessions []string `arg:"" optional:"" name:"key" help:"Only the sessions with these keys (default: all of the file)."`
	Force    bool     `help:"Set aside what is in the way, as a reset does, rather than refuse."`
	DryRun   bool     `help:"Change nothing; say what is in the file and what is in the way."`
}

// outcome is how one session of the file went.
type outcome struct {
	Key        string   `json:"key"`
	OK         bool     `json:"ok"`
	Bytes      int64    `json:"transcriptBytes"`
	Archived   []string `json:"archived"`
	LabelTaken string   `json:"labelTaken,omitzero"`
	Exists     bool     `json:"exists,omitzero"` // of a dry run: the session is there
	Error      string   `json:"error,omitzero"`
}

// Run takes in the sessions one by one: one that is refused does not keep out the
// others, but the command fails.
func (c *importCommand) Run(s streams) error {
	in := s.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	var outcomes []outcome
	err := c.do(s, func(ctx context.Context, conn *client.Conn) error {
		line := newStatusLine(s.err)
		defer line.clear()
		n := 0
		return readBundle(in, func(head bundleHead, b bundled, transcript io.Reader) error {
			if n++; len(c.Sessions) > 0 && !slices.Contains(c.Sessions, b.Key) {
				return nil
			}
			line.show("importing", n, head.Sessions)
			o, err := c.one(ctx, conn, b, transcript)
			outcomes = append(outcomes, o)
			return err
		})
	})
	if err != nil && len(outcomes) == 0 {
		return fmt.Errorf("import %s: %w", c.File, err)
	}
	if told := c.report(s, outcomes); told != nil {
		return told
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", c.File, err)
	}
	if slices.ContainsFunc(outcomes, func(o outcome) bool { return !o.OK && !c.DryRun }) {
		return silent(exitFailed)
	}
	return nil
}

// one takes in a session. A refusal is its outcome; an error ends the import.
func (c *importCommand) one(ctx context.Context, conn *client.Conn, b bundled, transcript io.Reader) (outcome, error) {
	o := outcome{Key: b.Key, Archived: []string{}}
	if b.Bytes != nil {
		o.Bytes = *b.Bytes
	}
	if c.DryRun {
		found, err := client.SessionsDescribe.Call(ctx, conn, client.SessionsDescribeParams{Key: b.Key})
		o.OK, o.Exists = true, found.Session != nil
		return o, err
	}
	p := client.SessionsImportParams{Key: b.Key, Entry: b.Entry, Force: c.Force}
	err := c.refusedEarly(ctx, conn, b)
	if err == nil && transcript != nil {
		p.Upload = strings.ToLower(rand.Text())
		p.Size, err = upload(ctx, conn, b.Key, p.Upload, transcript)
	}
	var r client.SessionsImportResult
	if err == nil {
		r, err = client.SessionsImport.Call(ctx, conn, p)
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		o.Error = refused.Message
		return o, nil
	}
	o.OK, o.LabelTaken = err == nil, r.LabelTaken
	if len(r.Archived) > 0 {
		o.Archived = r.Archived
	}
	return o, err
}

// refusedEarly spares sending the transcript of a session that is there.
func (c *importCommand) refusedEarly(ctx context.Context, conn *client.Conn, b bundled) error {
	if c.Force {
		return nil
	}
	found, err := client.SessionsDescribe.Call(ctx, conn, client.SessionsDescribeParams{Key: b.Key})
	if err == nil && found.Session != nil {
		err = &client.Error{Code: client.InvalidRequest, Message: "session already exists: " + found.Session.Key}
	}
	return err
}

// partSize is how much of a transcript is sent at once.
const partSize = 4 << 20

// upload sends a transcript in parts. An empty one is a part, too.
func upload(ctx context.Context, conn *client.Conn, key, name string, transcript io.Reader) (total int64, err error) {
	buffer := make([]byte, partSize)
	for {
		n, err := io.ReadFull(transcript, buffer)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return 0, fmt.Errorf("read the transcript of %s: %w", key, err)
		}
		if n > 0 || total == 0 {
			if _, err := client.SessionsImportPart.Call(ctx, conn, client.SessionsImportPartParams{Key: key, Upload: name, Offset: total, Data: buffer[:n]}); err != nil {
				return 0, err
			}
			total += int64(n)
		}
		if last {
			return total, nil
		}
	}
}

// report says how it went: what failed, and what was set aside.
func (c *importCommand) report(s streams, outcomes []outcome) error {
	if c.JSON {
		if outcomes == nil {
			outcomes = []outcome{}
		}
		return printPayload(s.out, rawjson.MustMarshal(outcomes), true)
	}
	if c.DryRun {
		return printDryImport(s, outcomes)
	}
	done := 0
	for _, o := range outcomes {
		for _, path := range o.Archived {
			fmt.Fprintf(s.out, "%s: what was there is in %s\n", oneLine(o.Key), path)
		}
		if o.LabelTaken != "" {
			fmt.Fprintf(s.out, "%s: another session has its label %q; it has none\n", oneLine(o.Key), o.LabelTaken)
		}
		if o.OK {
			done++
		} else {
			fmt.Fprintf(s.err, "parley: %s: %s\n", oneLine(o.Key), oneLine(o.Error))
		}
	}
	text := fmt.Sprintf("Imported %s", count(done, "session"))
	if failed := len(outcomes) - done; failed > 0 {
		text += fmt.Sprintf("; %d refused", failed)
		if !c.Force {
			text += " (--force sets aside what is in the way)"
		}
	}
	_, err := fmt.Fprintln(s.out, text+".")
	return err
}

func printDryImport(s streams, outcomes []outcome) error {
	t := table{columns: []column{{title: "KEY", give: fromMiddle}, {title: "TRANSCRIPT", right: true}, {title: "HERE"}}}
	for _, o := range outcomes {
		here := cell{text: "no"}
		if o.Exists {
			here = cell{"yes: --force sets it aside", yellow}
		}
		t.add(o.Key, size(o.Bytes), here)
	}
	return t.print(s.out, lookOf(s.out))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// exportCommand is `parley sessions export`.
type exportCommand struct {
	work
	Sessions []string `arg:"" optional:"" name:"session" help:"Key, label or session id (default: all sessions)."`
	Output   string   `short:"o" placeholder:"FILE" type:"path" help:"Where to write, - for standard output; compressed when it ends in gz (default parley-sessions-<time>.tar.gz)."`
	Agent    string   `placeholder:"ID" help:"Only sessions of this agent."`
	Force    bool     `help:"Replace a file that is there."`
}

// exported is what was written, for programs.
type exported struct {
	File     string   `json:"file"`
	Sessions []string `json:"sessions"`
	Bytes    int64    `json:"transcriptBytes"`
	Gone     []string `json:"gone"` // removed while it went on
}

// Run writes the file whole or not at all.
func (c *exportCommand) Run(s streams) error {
	now := time.Now()
	if c.Output == "" {
		c.Output = "parley-sessions-" + now.Format("20060102-150405") + ".tar.gz"
	}
	toFile := filepath.Base(c.Output) != "-"
	if _, err := os.Lstat(c.Output); toFile && err == nil && !c.Force {
		return fmt.Errorf("%s is there already; --force replaces it", c.Output)
	}
	done := exported{File: c.Output, Sessions: []string{}, Gone: []string{}}
	err := c.do(s, func(ctx context.Context, conn *client.Conn) error {
		e := export{ctx: ctx, conn: conn, line: newStatusLine(s.err), done: &done}
		defer e.line.clear()
		keys, err := c.keys(ctx, conn)
		if err != nil {
			return err
		}
		write := func(w io.Writer) error { return e.write(w, keys, strings.HasSuffix(c.Output, "gz"), now) }
		if !toFile {
			return write(s.out)
		}
		return c.replace(write)
	})
	if err != nil {
		return err
	}
	return c.report(s, toFile, done)
}

// report says what was written. Standard output may have the file itself.
func (c *exportCommand) report(s streams, toFile bool, done exported) error {
	out := s.out
	if !toFile {
		out, done.File = s.err, "standard output"
	}
	for _, key := range done.Gone {
		fmt.Fprintf(s.err, "parley: %s was removed meanwhile\n", oneLine(key))
	}
	if c.JSON {
		return printPayload(out, rawjson.MustMarshal(done), true)
	}
	_, err := fmt.Fprintf(out, "Exported %s, %s of transcripts, to %s\n", count(len(done.Sessions), "session"), size(done.Bytes), done.File)
	return err
}

// replace puts what write writes in the place of the output file, when it is all
// there.
func (c *exportCommand) replace(write func(io.Writer) error) error {
	var system *disk.FS
	root, err := system.OpenRoot(filepath.Dir(c.Output))
	if err != nil {
		return fmt.Errorf("write %s: %w", c.Output, err)
	}
	defer root.Close()
	name := filepath.Base(c.Output)
	t, err := atomicfile.Create(root, name, write)
	if err != nil {
		return err
	}
	if c.Force {
		return t.Commit()
	}
	// A link never takes the place of another file.
	err = root.Link(t.Name, name)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s is there by now; --force replaces it", c.Output)
	} else if err != nil {
		return t.Commit() // a file system without links
	}
	return errors.Join(err, t.Discard(), root.SyncDir("."))
}

// keys are those of the sessions that are wanted.
func (c *exportCommand) keys(ctx context.Context, conn *client.Conn) (keys []string, err error) {
	for _, text := range c.Sessions {
		s, err := find(ctx, conn, text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, s.Key)
	}
	if len(c.Sessions) > 0 {
		return keys, nil
	}
	list, err := client.SessionsList.Call(ctx, conn, client.SessionsListParams{AgentID: c.Agent, IncludeGlobal: true, IncludeUnknown: true})
	for _, s := range list.Sessions {
		keys = append(keys, s.Key)
	}
	return keys, err
}

// export is one export under way.
type export struct {
	ctx  context.Context
	conn *client.Conn
	line *statusLine
	done *exported
}

// write writes a bundle of the sessions. How many there are stands at its
// beginning, so they are looked at before.
func (e *export) write(w io.Writer, keys []string, compress bool, now time.Time) error {
	there := keys[:0:0]
	for _, key := range keys {
		_, err := e.first(key, 1)
		if refused, ok := errors.AsType[*client.Error](err); ok && strings.HasPrefix(refused.Message, "unknown session") {
			e.done.Gone = append(e.done.Gone, key)
			continue
		}
		if err != nil {
			return err
		}
		there = append(there, key)
	}
	b, err := newBundleWriter(w, compress, now, len(there))
	if err != nil {
		return err
	}
	for i, key := range there {
		e.line.show("exporting", i, len(there))
		if err := e.one(b, key); err != nil {
			return fmt.Errorf("export %s: %w", key, err)
		}
	}
	return b.close()
}

func (e *export) first(key string, limit int64) (client.SessionsExportResult, error) {
	return client.SessionsExport.Call(e.ctx, e.conn, client.SessionsExportParams{Key: key, Limit: limit})
}

// one writes one session.
func (e *export) one(b *bundleWriter, key string) error {
	got, err := e.first(key, 0)
	if err != nil {
		return err
	}
	s := bundled{Key: got.Key, AgentID: got.AgentID, Entry: got.Entry}
	if got.Transcript == nil {
		err = b.add(s, nil)
	} else {
		s.Bytes = &got.Transcript.Size
		// What is appended from now on is not part of it.
		err = b.add(s, io.LimitReader(&parts{export: e, key: key, part: *got.Transcript}, got.Transcript.Size))
		e.done.Bytes += got.Transcript.Size
	}
	e.done.Sessions = append(e.done.Sessions, key)
	return err
}

// parts reads a transcript part by part.
type parts struct {
	*export
	key  string
	part client.TranscriptPart // of which Data is not read yet
}

// Read reads from the part, and gets the next one at its end.
func (p *parts) Read(b []byte) (int, error) {
	if len(p.part.Data) == 0 {
		if p.part.NextOffset == nil {
			return 0, io.EOF
		}
		got, err := client.SessionsExport.Call(p.ctx, p.conn, client.SessionsExportParams{Key: p.key, Offset: *p.part.NextOffset, Stamp: p.part.Stamp})
		if err != nil {
			return 0, err
		}
		if p.part = *got.Transcript; len(p.part.Data) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(b, p.part.Data)
	p.part.Data = p.part.Data[n:]
	return n, nil
}

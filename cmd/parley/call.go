package main

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// callCommand is `parley call`.
type callCommand struct {
	reachFlags
	Method  string        `arg:"" help:"Method, such as sessions.list."`
	Params  string        `arg:"" optional:"" name:"json" help:"Params, a JSON object; - reads them from standard input."`
	Pretty  bool          `help:"Indent the answer, as on a terminal."`
	JSON    bool          `name:"json" help:"Never indent, and print a refusal as JSON too."`
	Timeout time.Duration `placeholder:"TIME" help:"Give up after this time, such as 30s (default: wait)."`
}

// Run calls the method and prints the payload.
func (c *callCommand) Run(s streams) error {
	params, err := c.params(s.in)
	if err != nil {
		return err
	}
	t, err := c.target()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("nothing came within %s", c.Timeout))
		defer cancel()
	}
	var payload rawjson.Value
	err = t.with(ctx, func(conn *client.Conn) (err error) {
		payload, err = conn.Call(ctx, c.Method, params)
		return err
	})
	if err != nil {
		return c.refused(err)
	}
	return printPayload(s.out, payload, !c.JSON && (c.Pretty || isTerminal(s.out)))
}

// params are nil when none are given.
func (c *callCommand) params(in io.Reader) (any, error) {
	text := []byte(c.Params)
	if c.Params == "-" {
		var err error
		if text, err = io.ReadAll(in); err != nil {
			return nil, fmt.Errorf("read the params: %w", err)
		}
	}
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return nil, nil
	case !rawjson.Valid(text):
		return nil, fault{exitUsage, errors.New("the params are not JSON"), `They look like '{"key":"main"}'.`}
	}
	return rawjson.Value(text), nil
}

// refused makes the error of a call one for people, or for programs.
func (c *callCommand) refused(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if _, known := errors.AsType[fault](err); known || !ok {
		return err
	}
	if c.JSON {
		return bare{string(rawjson.MustMarshal(e))}
	}
	if e.Details != nil {
		return fmt.Errorf("%s: %s (%s, details %s)", c.Method, e.Message, e.Code, e.Details)
	}
	return fmt.Errorf("%s: %s (%s)", c.Method, e.Message, e.Code)
}

// printPayload writes a payload and a newline; an absent one is null.
func printPayload(w io.Writer, payload rawjson.Value, pretty bool) error {
	if payload == nil {
		payload = rawjson.Value("null")
	}
	var b bytes.Buffer
	if pretty {
		if err := stdjson.Indent(&b, payload, "", "  "); err != nil {
			return err
		}
	} else if err := stdjson.Compact(&b, payload); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := b.WriteTo(w)
	return err
}

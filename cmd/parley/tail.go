package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// tailCommand is `parley tail`.
type tailCommand struct {
	reachFlags
	Session string `placeholder:"KEY" help:"Only events of this session."`
	All     bool   `help:"Print tick and health events too."`
	JSON    bool   `name:"json" help:"Print each event as a line of JSON."`
}

// Run prints events until it is interrupted or the gateway ends.
func (c *tailCommand) Run(s streams) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	sigs, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	context.AfterFunc(sigs, func() { cancel(interrupted) })
	err = t.with(ctx, func(conn *client.Conn) error { return c.follow(ctx, conn, s) })
	if errors.Is(err, interrupted) {
		return nil
	}
	return err
}

func (c *tailCommand) follow(ctx context.Context, conn *client.Conn, s streams) error {
	events := conn.Events(ctx)
	key, err := c.subscribe(ctx, conn)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "parley: following %s, end with Ctrl-C\n", cmp.Or(key, "all sessions"))
	for e, err := range events {
		if err != nil {
			return err
		}
		line, wanted := c.line(e, key)
		if !wanted {
			continue
		}
		if _, err := fmt.Fprintln(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// subscribe asks for the events and returns the key of the session that is
// wanted, as events name it.
func (c *tailCommand) subscribe(ctx context.Context, conn *client.Conn) (key string, err error) {
	if _, err := conn.Call(ctx, "sessions.subscribe", nil); err != nil || c.Session == "" {
		return "", err
	}
	payload, err := conn.Call(ctx, "sessions.messages.subscribe", map[string]string{"key": c.Session})
	if err != nil {
		return "", err
	}
	var answer struct {
		Key string `json:"key"`
	}
	if err := rawjson.Unmarshal(payload, &answer); err != nil {
		return "", fmt.Errorf("read the answer of sessions.messages.subscribe: %w", err)
	}
	return answer.Key, nil
}

// told is what a line says of an event's payload.
type told struct {
	SessionKey   string        `json:"sessionKey"`
	RunID        string        `json:"runId"`
	Reason       string        `json:"reason"`
	Phase        string        `json:"phase"`
	State        string        `json:"state"`
	Stream       string        `json:"stream"`
	Status       string        `json:"status"`
	ErrorMessage string        `json:"errorMessage"`
	Message      rawjson.Value `json:"message"`
	Data         struct {
		Phase string `json:"phase"`
		Delta string `json:"delta"`
		Error string `json:"error"`
	} `json:"data"`
}

// line is what to print of an event, if it is wanted.
func (c *tailCommand) line(e client.Event, key string) (line string, wanted bool) {
	if !c.All && (e.Name == "tick" || e.Name == "health") {
		return "", false
	}
	var p told
	_ = rawjson.Unmarshal(e.Payload, &p) // of an event of another shape the name alone is told
	if c.Session != "" && p.SessionKey != key {
		return "", false
	}
	if c.JSON {
		return string(jsonLine(e)), true
	}
	words := []string{time.Now().Format(time.TimeOnly), fmt.Sprintf("%-16s", e.Name)}
	for _, w := range []string{p.SessionKey, p.Stream, p.Reason, p.Phase, p.Data.Phase, p.State, p.Status, quote(p.text())} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.TrimRight(strings.Join(words, " "), " "), true
}

func jsonLine(e client.Event) rawjson.Value {
	line := rawjson.NewObject(rawjson.Member{Name: "event", Value: rawjson.MustMarshal(e.Name)})
	if e.Seq != 0 {
		line.Put("seq", e.Seq)
	}
	if compact, err := rawjson.Compact(e.Payload); err == nil {
		line.Set("payload", compact)
	}
	return line.JSON()
}

// text is what was said in the event.
func (p told) text() string {
	for _, t := range []string{p.ErrorMessage, p.Data.Error, p.Data.Delta} {
		if t != "" {
			return t
		}
	}
	m, err := rawjson.Parse(p.Message)
	if err != nil {
		return ""
	}
	if t := m.Text("content"); t != "" {
		return t
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if rawjson.Unmarshal(m.Get("content"), &parts) != nil || len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1].Text
}

// quote makes one short line of a text.
func quote(text string) string {
	const width = 100
	if text = jstext.CollapseSpace(text); text == "" {
		return ""
	}
	if cut := jstext.Cut(text, width); cut != text {
		text = cut + "…"
	}
	return `"` + text + `"`
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
	llm "github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
)

// modelsCheckCommand is `parley models check`.
type modelsCheckCommand struct {
	placeFlags
	Models  []string      `arg:"" optional:"" name:"model" help:"Only these models, such as local/qwen3 (default: all)."`
	Prompt  string        `default:"Answer with the single word: ready" placeholder:"TEXT" help:"What to ask them (default \"${default}\")."`
	Timeout time.Duration `default:"60s" placeholder:"TIME" help:"How long each may take (default ${default})."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// checksAtOnce is how many models are asked at the same time.
const checksAtOnce = 8

// checked is how one model did.
type checked struct {
	Model   string `json:"model"`
	OK      bool   `json:"ok"`
	FirstMs int64  `json:"firstMs,omitzero"` // until its first word
	TotalMs int64  `json:"totalMs"`
	Text    string `json:"text,omitzero"`
	Error   string `json:"error,omitzero"`
}

// Run asks the models of the configuration, which no daemon need run for, and
// fails when one of them does.
func (c *modelsCheckCommand) Run(s streams) error {
	cfg, _, err := load(c.options())
	if err != nil {
		return err
	}
	refs, err := c.chosen(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	results := c.ask(ctx, cfg, refs, newStatusLine(s.err))
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if c.JSON {
		err = printPayload(s.out, rawjson.MustMarshal(results), true)
	} else {
		err = printChecks(s, results)
	}
	if err == nil && slices.ContainsFunc(results, func(r checked) bool { return !r.OK }) {
		err = silent(exitFailed)
	}
	return err
}

// chosen are the models to ask, in configured order.
func (c *modelsCheckCommand) chosen(cfg *config.Config) ([]config.ModelRef, error) {
	var all []config.ModelRef
	var names []string
	for _, m := range cfg.Catalogue() {
		all = append(all, config.ModelRef{Provider: m.Provider, Model: m.Model.ID})
		names = append(names, m.Provider+"/"+m.Model.ID)
	}
	if len(c.Models) == 0 {
		return all, nil
	}
	var out []config.ModelRef
	for _, name := range c.Models {
		i := slices.IndexFunc(all, func(r config.ModelRef) bool { return r.String() == name || r.Model == name })
		if i < 0 {
			return nil, fault{exitUsage, fmt.Errorf("no model %q is configured", name), "There are: " + strings.Join(names, ", ")}
		}
		out = append(out, all[i])
	}
	return out, nil
}

// ask asks all of them, a few at a time.
func (c *modelsCheckCommand) ask(ctx context.Context, cfg *config.Config, refs []config.ModelRef, line *statusLine) []checked {
	models := runs.NewModels(cfg, slog.New(slog.DiscardHandler), versionText())
	defer models.Close(ctx)
	results := make([]checked, len(refs))
	places := make(chan struct{}, checksAtOnce)
	var mu sync.Mutex // guards done and line
	done := 0
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			results[i] = c.one(ctx, models, ref)
			mu.Lock()
			defer mu.Unlock()
			done++
			line.show("asking models", done, len(refs))
		})
	}
	wg.Wait()
	line.clear()
	return results
}

// one asks one model.
func (c *modelsCheckCommand) one(ctx context.Context, models runs.Models, ref config.ModelRef) (r checked) {
	r.Model = ref.String()
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("it did not answer within %s", c.Timeout))
	defer cancel()
	start := time.Now()
	defer func() { r.TotalMs = time.Since(start).Milliseconds() }()
	m, err := models.Open(ref)
	if err != nil {
		r.Error = failure(ctx, err)
		return r
	}
	turn := llm.Turn{
		Messages: []llm.Message{{Role: llm.User, Text: c.Prompt}},
		Session:  llm.Session{Dir: os.TempDir()}, // an agent has to work somewhere
	}
	for d, err := range m.Stream(ctx, turn) {
		if err != nil {
			r.Error = failure(ctx, err)
			return r
		}
		if d.Text != "" && r.Text == "" {
			r.FirstMs = time.Since(start).Milliseconds()
		}
		r.Text += d.Text
	}
	if r.OK = strings.TrimSpace(r.Text) != ""; !r.OK {
		r.Error = "it answered without a word"
	}
	return r
}

// failure is why a model failed, for people: without anything that looks like a
// key, and with what the network said.
func failure(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return context.Cause(ctx).Error()
	}
	text := err.Error()
	if f, ok := errors.AsType[*llm.Fault](err); ok {
		text = f.Shown
	}
	if cause, ok := errors.AsType[*net.OpError](err); ok {
		text += " (" + cause.Error() + ")"
	}
	return text
}

func printChecks(s streams, results []checked) error {
	t := table{columns: []column{{title: "MODEL", give: fromMiddle}, {title: "RESULT"}, {title: "FIRST WORD", right: true}, {title: "IN ALL", right: true}, {title: "ANSWER", give: fromEnd}}}
	failed := 0
	for _, r := range results {
		result, first, text := cell{"ok", green}, seconds(r.FirstMs), cell{text: shorten(oneLine(r.Text), answerWidth, fromEnd)}
		if !r.OK {
			failed++
			result, first, text = cell{"failed", red}, "-", cell{text: r.Error}
		}
		t.add(r.Model, result, first, seconds(r.TotalMs), text)
	}
	if err := t.print(s.out, lookOf(s.out)); err != nil || failed == 0 {
		return err
	}
	_, err := fmt.Fprintf(s.err, "parley: %d of %s failed\n", failed, count(len(results), "model"))
	return err
}

// answerWidth is how much of an answer is shown.
const answerWidth = 40

func seconds(ms int64) string { return fmt.Sprintf("%.2fs", float64(ms)/1000) }

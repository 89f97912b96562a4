package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// talk is a conversation under way.
type talk struct {
	command *chatCommand
	conn    *client.Client
	key     string
	out     *os.File
	err     *os.File
	look    look
	whole   bool // an answer is printed when it is complete, not as it comes
	signals <-chan os.Signal
}

// abortLimit is how long Ctrl-C waits for the gateway.
const abortLimit = 10 * time.Second

// say sends a message and prints the answer. Ctrl-C ends the run; a second one
// leaves without waiting for its end, with errLeft.
func (t *talk) say(text string) error {
	runID := uuid.NewString()
	ctx, cancel := context.WithCancelCause(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { t.watch(ctx, cancel, runID) })
	defer watching.Wait()
	defer cancel(nil)
	var last client.Piece
	for p, err := range client.Ask(ctx, t.conn, t.command.params(t.key, runID, text)) {
		if err != nil {
			return t.failed(ctx, p, err)
		}
		t.print(p)
		last = p
	}
	return t.end(last)
}

// watch ends the run at the first Ctrl-C, and ctx at the second.
func (t *talk) watch(ctx context.Context, cancel context.CancelCauseFunc, runID string) {
	var acting sync.WaitGroup
	defer acting.Wait()
	for _, act := range []func(){
		func() {
			ctx, stop := context.WithTimeout(ctx, abortLimit)
			defer stop()
			_, err := client.ChatAbort.Call(ctx, t.conn, client.ChatAbortParams{SessionKey: t.key, RunID: runID})
			if err != nil && ctx.Err() == nil {
				fmt.Fprintf(t.err, "\nparley: the run could not be ended: %v\n", err)
			}
		},
		func() { cancel(errLeft) },
	} {
		select {
		case <-t.signals:
			acting.Go(act) // so that the second one is heard while the first waits
		case <-ctx.Done():
			return
		}
	}
}

// print prints a piece as it comes.
func (t *talk) print(p client.Piece) {
	if t.whole {
		return
	}
	if p.Replaced && p.Text != p.Added {
		fmt.Fprint(t.out, "\n"+t.look.in(dim, "(the answer begins anew)")+"\n")
	}
	fmt.Fprint(t.out, t.shown(p.Added))
}

// shown is a text as it may be printed: a terminal is spared what would do
// something to it.
func (t *talk) shown(text string) string {
	if t.look.width == 0 {
		return text
	}
	return manyLines(text)
}

// end prints the end of an answer.
func (t *talk) end(last client.Piece) error {
	switch {
	case t.command.JSON:
		if err := t.json(last, nil); err != nil {
			return err
		}
	case t.whole && last.Text != "":
		fmt.Fprintln(t.out, strings.TrimRight(t.shown(last.Text), "\n"))
	case !t.whole && !strings.HasSuffix(last.Text, "\n"):
		fmt.Fprintln(t.out)
	}
	if last.State == "aborted" {
		return abortedRun(last.StopReason)
	}
	return nil
}

// abortedRun says that a run was ended.
func abortedRun(reason string) error {
	if reason == "timeout" {
		return errors.New("the run took too long and was ended")
	}
	return errors.New("the run was aborted")
}

// failed prints what there is of an answer that failed.
func (t *talk) failed(ctx context.Context, p client.Piece, err error) error {
	if errors.Is(context.Cause(ctx), errLeft) {
		return errLeft
	}
	if t.command.JSON {
		return errors.Join(t.json(p, err), silent(exitFailed))
	}
	if t.whole && p.Text != "" {
		fmt.Fprintln(t.out, t.shown(p.Text))
	} else if p.Text != "" {
		fmt.Fprintln(t.out)
	}
	return err
}

// json prints an answer for programs.
func (t *talk) json(p client.Piece, err error) error {
	answer := struct {
		SessionKey string `json:"sessionKey"`
		RunID      string `json:"runId,omitzero"`
		State      string `json:"state"`
		Text       string `json:"text"`
		StopReason string `json:"stopReason,omitzero"`
		Error      string `json:"error,omitzero"`
	}{t.key, p.RunID, p.State, p.Text, p.StopReason, ""}
	if err != nil {
		answer.State, answer.Error = "error", err.Error()
	}
	return printPayload(t.out, rawjson.MustMarshal(answer), isTerminal(t.out))
}

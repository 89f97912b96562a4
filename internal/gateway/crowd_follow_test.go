package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyd/parley/client"
)

// onlooker is a client that listens to all runs and holds against each event
// what the earlier ones of its run have told.
type onlooker struct {
	c     *client.Conn
	waves chan struct{} // one for each wave that has ended
	ended chan error
}

// heardRun is what a onlooker has heard of a run.
type heardRun struct {
	agent, chat int // the last numbers
	piece, text string
	started     bool
	over        string // how the agent events ended
	final       bool
}

func listenIn(t *testing.T, address string) *onlooker {
	t.Helper()
	f := &onlooker{c: dialCrowd(t, address), waves: make(chan struct{}, crowdWaves), ended: make(chan error, 1)}
	if _, err := client.SessionsSubscribe.Call(t.Context(), f.c, client.None{}); err != nil {
		t.Fatal(err)
	}
	events := f.c.Events(t.Context())
	go func() { f.ended <- f.read(events) }()
	return f
}

// await waits for the end of a wave.
func (f *onlooker) await(t *testing.T, who string) {
	t.Helper()
	select {
	case <-f.waves:
	case err := <-f.ended:
		t.Fatalf("%s: %v", who, err)
	}
}

func (f *onlooker) read(events func(yield func(client.Event, error) bool)) error {
	all, finals := map[string]*heardRun{}, 0
	for e, err := range events {
		if err != nil {
			return err
		}
		final, err := take(all, e)
		if err != nil {
			return err
		}
		if final {
			finals++
			if finals%crowdSessions == 0 {
				f.waves <- struct{}{}
			}
		}
	}
	return nil
}

// take takes in one event; it says whether it was the final of a run.
func take(all map[string]*heardRun, e client.Event) (final bool, err error) {
	run := func(id string) *heardRun {
		if all[id] == nil {
			all[id] = &heardRun{}
		}
		return all[id]
	}
	switch e.Name {
	case client.EventAgent:
		var p client.AgentEvent
		if err := e.Decode(&p); err != nil {
			return false, err
		}
		if err := run(p.RunID).takeAgent(p); err != nil {
			return false, fmt.Errorf("%s: %w in %s", p.RunID, err, e.Payload)
		}
	case client.EventChat:
		var p client.ChatEvent
		if err := e.Decode(&p); err != nil {
			return false, err
		}
		if err := run(p.RunID).takeChat(p); err != nil {
			return false, fmt.Errorf("%s: %w in %s", p.RunID, err, e.Payload)
		}
		return p.State == "final", nil
	}
	return false, nil
}

func (h *heardRun) takeAgent(p client.AgentEvent) error {
	var data struct{ Phase, Text, Delta string }
	if err := json.Unmarshal(p.Data, &data); err != nil {
		return err
	}
	last := h.agent
	h.agent = p.Seq
	switch {
	case p.Seq <= last || p.Seq < h.chat:
		return fmt.Errorf("the number does not grow")
	case h.over != "" || h.final:
		return fmt.Errorf("something after the end")
	case p.Stream == "lifecycle" && data.Phase == "start":
		if h.started {
			return fmt.Errorf("a second start")
		}
		h.started = true
	case !h.started:
		return fmt.Errorf("something before the start")
	case p.Stream == "lifecycle":
		h.over = data.Phase
	case p.Stream == "assistant":
		if h.piece+data.Delta != data.Text || data.Delta == "" {
			return fmt.Errorf("a text that is not %q and what was added", h.piece)
		}
		h.piece = data.Text
	}
	return nil
}

func (h *heardRun) takeChat(p client.ChatEvent) error {
	last := h.chat
	h.chat = p.Seq
	text := ""
	if p.Message != nil {
		text = strings.TrimSpace(p.Message.Text())
	}
	switch {
	case h.final:
		return fmt.Errorf("something after the final")
	case p.Seq < last || p.Seq == last && p.State == "delta":
		return fmt.Errorf("the number does not grow")
	case !strings.HasPrefix(text, h.text):
		return fmt.Errorf("a text that is not %q and more", h.text)
	case p.State == "final":
		h.final = true
		if h.over != "end" || text != crowdAnswer() {
			return fmt.Errorf("the final is not the end of the run")
		}
	case p.State != "delta" || len(text) == len(h.text):
		return fmt.Errorf("neither more nor the end")
	}
	h.text = text
	return nil
}

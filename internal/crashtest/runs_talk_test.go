package crashtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// talker is a client that sends messages to sessions of its own.
type talker struct {
	name string
	rng  *rand.Rand
	sent []*sending // in the order of the calls

	mu    sync.Mutex // guards what events tell of sent
	heard map[string]*hearing
}

// sending is one message.
type sending struct {
	key, run, text string
	words          int
	answered       bool // its call was answered started
	aborted        bool // a call that aborts it was made
	again          bool // it was sent once more after the restart
}

// hearing is what events told of a run before the kill.
type hearing struct {
	pieces int
	text   string // of the piece before the last one
	last   string
	end    string // final, error, aborted, or "" when none came
}

func newTalker(name string, seed *rand.Rand) *talker {
	return &talker{name: name, rng: rand.New(rand.NewPCG(seed.Uint64(), 0)), heard: map[string]*hearing{}}
}

// work sends until the daemon is gone.
func (a *talker) work(ctx context.Context, g *game, d *daemon) {
	c, err := d.dial(ctx)
	if err != nil {
		if !g.isOver() {
			g.t.Errorf("%s: %v", a.name, err)
		}
		return
	}
	defer c.Close()
	var listening sync.WaitGroup
	events := c.Events(ctx)
	listening.Go(func() {
		for e, err := range events {
			if err != nil {
				return
			}
			a.hear(e)
		}
	})
	for a.do(ctx, g, c) {
	}
	_ = c.Close() // ends the listening; it may have ended by itself
	listening.Wait()
}

func (a *talker) do(ctx context.Context, g *game, c *client.Conn) bool {
	switch n := a.rng.IntN(20); {
	case n == 0 && len(a.sent) > 0:
		return a.abort(ctx, g, c)
	case n < 4: // changes of the store, so that there are checkpoints
		return a.over(g, "sessions.patch", call(ctx, c, "sessions.patch", params{"key": a.key(), "label": fmt.Sprintf("%s %d", a.name, a.rng.Uint64())}, nil))
	case n < 8 && len(a.sent) > 0: // gives the runs time
		last := a.sent[len(a.sent)-1]
		return a.over(g, "agent.wait", call(ctx, c, "agent.wait", params{"runId": last.run, "timeoutMs": 50 + a.rng.IntN(300)}, nil))
	}
	return a.send(ctx, g, c)
}

// over reports whether a call was answered; one that was not must have been cut
// off by the end of the daemon.
func (a *talker) over(g *game, method string, err error) bool {
	if err == nil {
		g.answered()
		return true
	}
	if refused := refusal(err); refused != nil && strings.Contains(refused.Message, "too many queued messages") {
		return true
	}
	if !g.isOver() {
		g.t.Errorf("%s: %s: %v", a.name, method, err)
	}
	return false
}

func (a *talker) key() string { return fmt.Sprintf("%s-%d", a.name, a.rng.IntN(2)) }

func (a *talker) send(ctx context.Context, g *game, c *client.Conn) bool {
	m := &sending{key: a.key(), run: fmt.Sprintf("%s-%d", a.name, len(a.sent)), words: 1}
	gap := 0
	switch n := a.rng.IntN(10); {
	case n < 3:
	case n < 8:
		m.words, gap = 1+a.rng.IntN(12), a.rng.IntN(25)
	default:
		m.words, gap = 50, 30
	}
	m.text = fmt.Sprintf("#%s# %d %d %s", m.run, m.words, gap, strings.Repeat("x", a.rng.IntN(300)))
	a.sent = append(a.sent, m)
	var got status
	err := call(ctx, c, "chat.send", params{"sessionKey": m.key, "message": m.text, "idempotencyKey": m.run}, &got)
	if refused := refusal(err); refused != nil && strings.Contains(refused.Message, "too many queued messages") {
		a.sent = a.sent[:len(a.sent)-1]
		return true
	}
	if err == nil {
		m.answered = true
		if got.Status != "started" {
			g.t.Errorf("%s: the first send of a key was answered %q", m.run, got.Status)
		}
	}
	return a.over(g, "chat.send", err)
}

func (a *talker) abort(ctx context.Context, g *game, c *client.Conn) bool {
	m := a.sent[len(a.sent)-1]
	m.aborted = true
	return a.over(g, "chat.abort", call(ctx, c, "chat.abort", params{"sessionKey": m.key, "runId": m.run}, nil))
}

// hear takes in an event of a run.
func (a *talker) hear(e client.Event) {
	o, err := rawjson.Parse(rawjson.Value(e.Payload))
	if err != nil || !strings.HasPrefix(o.Text("runId"), a.name+"-") {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.heard[o.Text("runId")]
	if h == nil {
		h = &hearing{}
		a.heard[o.Text("runId")] = h
	}
	switch data, _ := rawjson.Parse(o.Get("data")); {
	case e.Name == "agent" && o.Text("stream") == "assistant":
		h.pieces++
		h.text, h.last = h.last, data.Text("text")
	case e.Name == "chat" && o.Text("state") != "delta":
		h.end = o.Text("state")
	}
}

// status is what a call about a run answers.
type status struct {
	Status string `json:"status"`
}

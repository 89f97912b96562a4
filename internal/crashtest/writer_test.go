package crashtest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/parleyd/parley/client"
)

// game is one round: clients change sessions until the daemon ends.
type game struct {
	t *testing.T

	mu    sync.Mutex // guards all below
	left  int        // answers until kill is called, if it is above 0
	kill  func()
	over  bool
	acked int // answered changes, over all rounds
}

// answered counts an answered change; the one that is due ends the daemon on
// the spot.
func (g *game) answered() {
	g.mu.Lock()
	g.acked++
	g.left--
	due := g.left == 0 && !g.over
	g.over = g.over || due
	kill := g.kill
	g.mu.Unlock()
	if due {
		kill()
	}
}

// end says that the daemon is about to end: from here on calls may fail.
func (g *game) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
}

func (g *game) isOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}

// writer is a client with sessions that only it changes; it changes some that
// it shares with others, too.
type writer struct {
	name   string
	rng    *rand.Rand
	own    []*session
	shared []*shared
	count  int
	retry  *change // a message without an answer, to be sent once more
	last   *change // the last message with an answer
}

func newWriter(name string, seed *rand.Rand) *writer {
	w := &writer{name: name, rng: rand.New(rand.NewPCG(seed.Uint64(), 0))}
	for i := range 4 {
		w.own = append(w.own, &session{key: fmt.Sprintf("%s-%d", name, i)})
	}
	return w
}

// work makes changes until the daemon is gone.
func (w *writer) work(ctx context.Context, g *game, d *daemon) {
	c, err := d.dial(ctx)
	if err != nil {
		if !g.isOver() {
			g.t.Errorf("writer %s: %v", w.name, err)
		}
		return
	}
	defer c.Close()
	if again := w.retry; again != nil {
		w.retry = nil
		if !w.again(ctx, g, c, again) {
			return
		}
	}
	for {
		var more bool
		switch n := w.rng.IntN(100); {
		case n < 15:
			more = w.changeShared(ctx, g, c)
		case n < 20:
			more = w.await(ctx, g, c)
		default:
			s := w.own[w.rng.IntN(len(w.own))]
			more = w.do(ctx, g, c, s, w.choose(s))
		}
		if !more {
			return
		}
	}
}

// do makes a change of a session of its own; false when the connection has
// ended.
func (w *writer) do(ctx context.Context, g *game, c *client.Conn, s *session, ch *change) bool {
	var a answer
	err := call(ctx, c, ch.method, ch.params, &a)
	if refused := refusal(err); refused != nil && !g.isOver() {
		if !w.mayRefuse(s, ch, refused) {
			g.t.Errorf("%s was refused: %v\n%s", ch.method, refused, s)
		}
		return true
	}
	if err != nil {
		if !g.isOver() {
			g.t.Errorf("%s had no answer although the daemon lives: %v", ch.method, err)
		}
		s.pending = ch
		s.cuts++
		if ch.said.user && ch.method != "sessions.create" && w.rng.IntN(2) == 0 {
			w.retry = ch
		}
		return false
	}
	next, ended, fault := s.now.after(ch, &a)
	if fault != "" {
		g.t.Errorf("%s %.300s: %s\n%s", ch.method, fmt.Sprint(ch.params), fault, s)
	}
	if ended != nil {
		s.past = append(s.past, ended)
	}
	s.now = next
	if ch.said.user && ch.method != "sessions.create" {
		w.last = ch
	}
	g.answered()
	return true
}

// again sends a message once more that had no answer, as clients do: it must be
// there once.
func (w *writer) again(ctx context.Context, g *game, c *client.Conn, ch *change) bool {
	for _, s := range w.own {
		if s.key != ch.key() {
			continue
		}
		if !s.now.has(ch.said) {
			return w.do(ctx, g, c, s, ch)
		}
		err := call(ctx, c, ch.method, ch.params, nil)
		if err != nil && !g.isOver() {
			g.t.Errorf("%s once more: %v\n%s", ch.method, err, s)
		}
		return err == nil
	}
	return true
}

func (s state) has(what said) bool {
	if s.life == nil {
		return false
	}
	for _, n := range s.life.notes {
		if n.said == what {
			return true
		}
	}
	return false
}

func (c *change) key() string {
	if key, ok := c.params["sessionKey"].(string); ok {
		return key
	}
	key, _ := c.params["key"].(string)
	return key
}

// mayRefuse are the refusals that are right.
func (w *writer) mayRefuse(s *session, c *change, e *client.Error) bool {
	switch c.method {
	case "sessions.send", "chat.inject":
		// A message to a session that is not there makes it when its turn
		// comes, which may not have been yet.
		unborn := !s.now.exists || s.now.life.id == ""
		if unborn && strings.Contains(e.Message, "session not found") {
			return true
		}
	case "chat.send":
	default:
		return false
	}
	return strings.Contains(e.Message, "too many queued messages")
}

// choose is the next change of a session.
func (w *writer) choose(s *session) *change {
	n := w.rng.IntN(100)
	switch {
	case n < 10:
		return w.create(s.key)
	case n < 35:
		return w.patch(s.key)
	case n < 58:
		return w.inject(s.key)
	case n < 72:
		return w.send("chat.send", "sessionKey", s.key)
	case n < 80:
		return w.send("sessions.send", "key", s.key)
	case n < 84:
		return &change{method: "sessions.reset", params: params{"key": s.key}}
	case n < 88:
		return &change{method: "sessions.delete", params: params{"key": s.key}}
	}
	return &change{method: "sessions.compact", params: params{"key": s.key, "maxLines": 2 + w.rng.IntN(20)}}
}

// await waits for the run of its last message: then the message is written,
// whatever comes after.
func (w *writer) await(ctx context.Context, g *game, c *client.Conn) bool {
	if w.last == nil {
		return true
	}
	run := w.last.run
	w.last = nil
	var a answer
	err := call(ctx, c, "agent.wait", params{"runId": run, "timeoutMs": 500}, &a)
	if err != nil && !g.isOver() {
		g.t.Errorf("agent.wait: %v", err)
	}
	// A daemon that stops ends a run although its message may not be written.
	if err == nil && a.Status != "timeout" && !g.isOver() {
		for _, s := range w.own {
			s.now.settle(run)
		}
	}
	return err == nil
}

// text is a message that no other is equal to; some are larger than a page, so
// that a kill may tear them.
func (w *writer) text(directive string) string {
	w.count++
	size := w.rng.IntN(40)
	switch n := w.rng.IntN(100); {
	case n < 5:
		size = 20_000 + w.rng.IntN(100_000)
	case n < 20:
		size = w.rng.IntN(9000)
	}
	return fmt.Sprintf("%s%s.%d# %s%s", mark, w.name, w.count, directive, strings.Repeat("x", size))
}

func (w *writer) create(key string) *change {
	c := &change{method: "sessions.create", params: params{"key": key}}
	if w.rng.IntN(2) == 0 {
		w.label(c)
	}
	if w.rng.IntN(3) == 0 {
		c.said = said{w.text(w.directive()), true}
		c.params["message"] = c.said.text
	}
	return c
}

func (w *writer) label(c *change) {
	w.count++
	c.settings = map[string]string{"label": fmt.Sprintf("label %s.%d", w.name, w.count)}
	c.params["label"] = c.settings["label"]
}

// patch sets one or several fields at once, or removes some.
func (w *writer) patch(key string) *change {
	c := &change{method: "sessions.patch", params: params{"key": key}, settings: map[string]string{}}
	if w.rng.IntN(3) > 0 {
		w.label(c)
	}
	for name, words := range map[string][]string{
		"thinkingLevel": {"low", "medium", "high"}, "verboseLevel": {"off", "on", "full"},
		"reasoningLevel": {"on", "stream"}, "elevatedLevel": {"on", "ask"},
	} {
		switch n := w.rng.IntN(8); {
		case n < 3:
			c.settings[name] = words[w.rng.IntN(len(words))]
			c.params[name] = c.settings[name]
		case n == 3:
			c.settings[name] = ""
			c.params[name] = nil
		}
	}
	return c
}

func (w *writer) inject(key string) *change {
	c := &change{method: "chat.inject", said: said{w.text(""), false}}
	c.params = params{"sessionKey": key, "message": c.said.text}
	return c
}

func (w *writer) send(method, name, key string) *change {
	c := &change{method: method, said: said{w.text(w.directive()), true}}
	c.run = fmt.Sprintf("run-%s-%d", w.name, w.count)
	c.params = params{name: key, "message": c.said.text, "idempotencyKey": c.run}
	return c
}

// directive makes the model answer at once, a little later, or so slowly that
// many are killed in the middle of an answer.
func (w *writer) directive() string {
	switch n := w.rng.IntN(10); {
	case n < 4:
		return ""
	case n < 7:
		return "[[drip 3 2]] "
	case n < 8:
		return "[[cut]] "
	case n < 9:
		return "[[fail 500]] "
	}
	return "[[drip 30 10]] "
}

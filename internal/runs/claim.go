package runs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/sessions"
)

const (
	claimLife  = 5 * time.Minute // after the end of the run
	claimLimit = 1000
	sweepEvery = time.Minute
)

// claimKey is an idempotency key.
type claimKey struct {
	kind  Kind
	runID string
}

// claim is a key that was used: by a run that goes on, or with an outcome.
// The engine's mutex guards it.
type claim struct {
	key     claimKey
	run     *run   // nil for commands, runs of an earlier process and runs that are over
	dir     string // whose journal remembers it
	over    bool
	left    bool // the journal has to keep the run itself, not its outcome
	outcome Outcome
	at      time.Time     // when it was over
	taken   int64         // when the run was accepted, in ms; 0 without a run
	done    chan struct{} // closed when all of the run is written and told
}

// claim takes a key. The caller holds the mutex and has seen that it is free.
func (e *Engine) claim(key claimKey, r *run) *claim {
	c := &claim{key: key, run: r, done: make(chan struct{})}
	if r != nil {
		r.claim, c.done, c.dir, c.taken = c, r.done, r.store.Dir(), r.acceptedAt
	}
	e.claims[key] = c
	close(e.arrivals)
	e.arrivals = make(chan struct{})
	return c
}

// conclude remembers how a run ended; from now on its key answers with that.
func (e *Engine) conclude(c *claim, o Outcome) {
	c.over, c.outcome, c.at = true, o, time.Now()
}

// settle is conclude for what has no run: it ends its waiters, too.
func (e *Engine) settle(c *claim, st *sessions.Store, o Outcome) {
	e.mu.Lock()
	c.dir = st.Dir()
	e.conclude(c, o)
	e.mu.Unlock()
	if err := e.journal(st.Dir()).append(endLine(c.key, o), true); err != nil {
		e.o.Log.Error("the end of a command could not be noted", "run", o.RunID, "err", err)
	}
	close(c.done)
}

func (e *Engine) ticket(c *claim) Ticket {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ticketLocked(c)
}

func (e *Engine) ticketLocked(c *claim) Ticket {
	if c == nil {
		return Ticket{}
	}
	t := Ticket{RunID: c.key.runID, State: InFlight, AcceptedAt: c.taken}
	if c.over {
		t.State, t.Outcome = Ended, c.outcome
	}
	return t
}

// Known is the run that has this key already, as Start would answer it.
func (e *Engine) Known(kind Kind, runID string) (Ticket, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.claims[claimKey{kind, runID}]
	return e.ticketLocked(c), c != nil
}

// Wait waits for the end of a run, also of one that has yet to start. The
// error is that of ctx. When Wait returns, all of the run is on disk.
func (e *Engine) Wait(ctx context.Context, runID string) (Outcome, error) {
	for {
		e.mu.Lock()
		c, arrivals := e.latest(runID), e.arrivals
		var done chan struct{}
		if c != nil {
			done, arrivals = c.done, nil
		}
		e.mu.Unlock()
		select {
		case <-done: // even when ctx is over: what is known is no matter of time
			return e.outcomeOf(c), nil
		default:
		}
		select {
		case <-done:
			return e.outcomeOf(c), nil
		case <-arrivals:
		case <-ctx.Done():
			return Outcome{}, context.Cause(ctx)
		}
	}
}

func (e *Engine) outcomeOf(c *claim) Outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	return c.outcome
}

// latest is the claim of a run, of whatever kind: one that goes on before one
// that is over, then the younger.
func (e *Engine) latest(runID string) *claim {
	chat, agent := e.claims[claimKey{Chat, runID}], e.claims[claimKey{Agent, runID}]
	switch {
	case chat == nil:
		return agent
	case agent == nil:
		return chat
	case chat.over && (!agent.over || agent.at.After(chat.at)):
		return agent
	}
	return chat
}

func (e *Engine) sweepRegularly() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.sweep(time.Now())
		case <-e.ctx.Done():
			return
		}
	}
}

// sweep forgets keys that ended long ago, and the oldest where there are many.
func (e *Engine) sweep(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var over []*claim
	for key, c := range e.claims {
		switch {
		case !c.over:
		case now.Sub(c.at) > claimLife:
			delete(e.claims, key)
		default:
			over = append(over, c)
		}
	}
	if len(e.claims) <= claimLimit {
		return
	}
	slices.SortFunc(over, func(a, b *claim) int { return a.at.Compare(b.at) })
	for _, c := range over[:min(len(over), len(e.claims)-claimLimit)] {
		delete(e.claims, c.key)
	}
}

// remembered are the claims that a journal remembers over a restart, oldest
// first.
func (e *Engine) remembered(dir string) []*claim {
	var out []*claim
	for _, c := range e.claims {
		if c.over && !c.left && c.dir == dir && (c.run == nil || c.run.noted) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *claim) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.key.runID, b.key.runID))
	})
	return out
}

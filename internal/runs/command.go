package runs

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/sessions"
)

// Do runs f under an idempotency key, without a model: a command to a session
// that the gateway answers itself. It does not wait for the run that goes on,
// but for the session's commands before it; messages behind it wait for its
// end, so that they find its effect. f gets the engine's context and says why
// it failed, or "".
func (e *Engine) Do(kind Kind, key, runID string, f func(ctx context.Context) string) (Ticket, error) {
	st, err := e.o.Stores.Store(key)
	if err != nil {
		return Ticket{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return Ticket{}, errClosed
	}
	name := claimKey{kind, runID}
	if c := e.claims[name]; c != nil {
		return e.ticketLocked(c), nil
	}
	c := e.claim(name, nil)
	l := e.lane(key)
	before := l.last
	l.last = c.done
	l.commands++
	order := e.next()
	begin := sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.closed {
			started := nowMs()
			e.running.Go(func() { e.serveCommand(st, pending{key, c, before, order, started}, f) })
		}
	})
	overdue := time.AfterFunc(beginTimeout, begin)
	return Ticket{RunID: runID, State: Started, begin: func() { overdue.Stop(); begin() }}, nil
}

// pending is a command that waits for its turn.
type pending struct {
	key     string // of the session
	claim   *claim
	before  <-chan struct{} // closed when the command before it is done; nil without one
	order   int64
	started int64
}

// serveCommand runs a command when the one before it is done.
func (e *Engine) serveCommand(st *sessions.Store, p pending, f func(context.Context) string) {
	if p.before != nil {
		select {
		case <-p.before:
		case <-e.ctx.Done(): // the one before may never have begun
		}
	}
	e.mu.Lock()
	e.lane(p.key).serving = p.order
	e.mu.Unlock()
	o := Outcome{RunID: p.claim.key.runID, Error: e.do(p.claim.key, f), StartedAt: p.started}
	o.EndedAt = nowMs()
	e.mu.Lock()
	l := e.lane(p.key)
	l.commands, l.serving = l.commands-1, 0
	e.mu.Unlock()
	e.settle(p.claim, st, o)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advance(p.key)
}

// do runs what a command does. A panic is that command's failure, not the
// daemon's.
func (e *Engine) do(key claimKey, f func(context.Context) string) (failure string) {
	defer func() {
		if p := recover(); p != nil {
			e.o.Log.Error("command panicked", "run", key.runID, "panic", p, "stack", string(debug.Stack()))
			failure = fmt.Sprintf("internal error: %v", p)
		}
	}()
	return f(e.ctx)
}

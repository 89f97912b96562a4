package runs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// lane is the runs of one session: one that goes on, and those that wait for
// it. The engine's mutex guards it.
type lane struct {
	active  *run
	waiting []*run
	held    bool
	holders int // calls of Hold under way
	// commands are those that are not done, and last is closed when the latest
	// of them is: what is sent behind a command finds its effect.
	commands int
	last     <-chan struct{}
	serving  int64         // the order of the command that is served, 0 for none
	changed  chan struct{} // closed and replaced when a run ends or a hold is released
}

// lane is the lane of a session, made when it is missing. The caller holds the
// mutex and calls advance when it is done with the lane.
func (e *Engine) lane(key string) *lane {
	l := e.lanes[key]
	if l == nil {
		l = &lane{changed: make(chan struct{})}
		e.lanes[key] = l
	}
	return l
}

// ahead is how many runs a new one has before it.
func (l *lane) ahead() int {
	n := len(l.waiting)
	if l.active != nil {
		n++
	}
	return n
}

func (l *lane) remove(r *run) {
	l.waiting = slices.DeleteFunc(l.waiting, func(w *run) bool { return w == r })
}

// runs are all runs of the lane that have not been aborted, in order.
func (l *lane) runs() []*run {
	out := slices.Clone(l.waiting)
	if l.active != nil && l.active.state == active {
		out = slices.Insert(out, 0, l.active)
	}
	return out
}

// advance lets the next run of a session go, tells those who watch the lane
// that it changed, and forgets a lane without runs.
func (e *Engine) advance(key string) {
	l := e.lanes[key]
	if l == nil {
		return
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if l.active == nil && len(l.waiting) > 0 && !l.held && l.commands == 0 && !e.closed && l.waiting[0].begun {
		r := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.active, r.state = r, active
		e.running.Go(r.serve)
	}
	if l.active == nil && len(l.waiting) == 0 && l.holders == 0 && l.commands == 0 {
		delete(e.lanes, key)
	}
}

// Active reports whether a run of the session with this canonical key goes on
// or waits.
func (e *Engine) Active(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[key]
	return l != nil && l.ahead() > 0
}

// ErrStillActive says that the runs of a session did not end in time.
var ErrStillActive = errors.New("the session is still active")

// HoldOptions say how Hold treats the runs of a session.
type HoldOptions struct {
	// Abort ends the runs, those that wait included, instead of awaiting the
	// end of the one that goes on.
	Abort bool
	// Wait is how long their end is awaited.
	Wait time.Duration

	// sparing leaves alone runs that were sent behind the command that is
	// served: the holder is that command.
	sparing bool
}

// Hold keeps the runs of a session from going until release is called, once
// the one that goes on has ended. Only one holds a session at a time. The
// error is ErrStillActive when that took too long, or the cause of ctx.
//
// An engine that is closed refuses: it has left the messages that wait to the
// next start, which would write them into a session that was reset or deleted
// after they were sent.
func (e *Engine) Hold(ctx context.Context, key string, o HoldOptions) (release func(), err error) {
	limit := time.NewTimer(o.Wait)
	defer limit.Stop()
	if err := e.takeHold(ctx, key, limit.C); err != nil {
		return nil, err
	}
	if o.Abort {
		e.abortSession(key, o.sparing).Release()
		e.dropLeft(key)
	}
	for {
		e.mu.Lock()
		l := e.lane(key)
		idle, changed, closed := l.active == nil, l.changed, e.closed
		e.mu.Unlock()
		if closed {
			e.releaseHold(key)
			return nil, errClosed
		}
		if idle {
			return sync.OnceFunc(func() { e.releaseHold(key) }), nil
		}
		select {
		case <-changed:
			continue
		case <-limit.C:
			err = ErrStillActive
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		e.releaseHold(key)
		return nil, err
	}
}

// takeHold waits until nobody else holds the session.
func (e *Engine) takeHold(ctx context.Context, key string, limit <-chan time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lane(key)
	l.holders++
	for l.held {
		changed := l.changed
		e.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-limit:
			err = ErrStillActive
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		e.mu.Lock()
		if err != nil {
			l.holders--
			e.advance(key)
			return err
		}
	}
	l.held = true
	return nil
}

func (e *Engine) releaseHold(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lane(key)
	l.held = false
	l.holders--
	e.advance(key)
}

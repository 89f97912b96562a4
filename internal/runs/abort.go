package runs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/protocol"
)

// saveTimeout bounds how long an abort waits until the text so far is saved. A
// model that does not stop when told must not hold up the answer for ever.
const saveTimeout = 5 * time.Second

// AbortRequest says which runs are to be aborted, and for whom.
type AbortRequest struct {
	// Key is the canonical key of the session.
	Key string
	// RunID names one run; "" means all of the session, also those that wait.
	RunID string
	// AnySession finds RunID wherever it runs.
	AnySession bool
	// Owner and Admin say who asks: an admin may abort any run.
	Owner Owner
	Admin bool
	// StopPhrase says that a message of the user asked for it.
	StopPhrase bool
}

// Aborted are the runs that an abort ended. Their chat event has been reported
// and their text so far is saved.
type Aborted struct {
	RunIDs []string
	// Key is the session of the runs.
	Key string

	runs []*run
}

// Release lets the aborted runs report their end. It is called once the answer
// to the abort is on its way; they wait for it only briefly.
func (a Aborted) Release() {
	for _, r := range a.runs {
		r.release()
	}
}

var (
	errUnauthorized = protocol.Invalidf("unauthorized")
	errOtherSession = protocol.Invalidf("runId does not match sessionKey")
)

// Abort ends runs. Nothing to abort is not an error; runs that are not the
// requester's are.
func (e *Engine) Abort(ctx context.Context, q AbortRequest) (Aborted, error) {
	why := errAborted
	if q.StopPhrase {
		why = errStopped
	}
	e.mu.Lock()
	mine, err := e.abortable(q)
	for _, r := range mine {
		e.interrupt(r, why)
	}
	e.mu.Unlock()
	if err != nil || len(mine) == 0 {
		return Aborted{Key: q.Key}, err
	}
	return e.reportAborted(ctx, mine), nil
}

// abortable are the runs that q names and its requester may abort.
func (e *Engine) abortable(q AbortRequest) ([]*run, error) {
	allowed := func(r *run) bool { return q.Admin || r.turn.Owner.Owns(q.Owner) }
	if q.RunID != "" {
		r := e.live(q.RunID)
		switch {
		case r == nil:
			return nil, nil
		case !q.AnySession && r.turn.Key != q.Key:
			return nil, errOtherSession
		case !allowed(r):
			return nil, errUnauthorized
		}
		return []*run{r}, nil
	}
	l := e.lanes[q.Key]
	if l == nil {
		return nil, nil
	}
	all := l.runs()
	mine := slices.DeleteFunc(slices.Clone(all), func(r *run) bool { return !allowed(r) })
	if len(all) > 0 && len(mine) == 0 {
		return nil, errUnauthorized
	}
	return mine, nil
}

// live is the run with this id that goes on or waits.
func (e *Engine) live(runID string) *run {
	for _, kind := range []Kind{Chat, Agent} {
		if c := e.claims[claimKey{kind, runID}]; c != nil && c.run != nil && c.run.state < aborted {
			return c.run
		}
	}
	return nil
}

// interrupt marks a live run as aborted and cancels it. The caller holds the
// mutex, and calls reportAborted when it has let go of it.
func (e *Engine) interrupt(r *run, why error) {
	r.waited = r.state == waiting
	r.state, r.why = aborted, why
	r.cancel(why)
	e.conclude(r.claim, Outcome{RunID: r.turn.RunID, Aborted: true})
	if r.waited {
		e.lane(r.turn.Key).remove(r)
	}
}

// reportAborted tells of interrupted runs and waits until what they said so
// far is saved.
func (e *Engine) reportAborted(ctx context.Context, rs []*run) Aborted {
	out := Aborted{Key: rs[0].turn.Key, runs: rs}
	for _, r := range rs {
		r.reportAborted()
		out.RunIDs = append(out.RunIDs, r.turn.RunID)
		if r.waited {
			e.endWaiting(r)
		}
	}
	limit := time.NewTimer(saveTimeout)
	defer limit.Stop()
	for _, r := range rs {
		select {
		case <-r.saved:
		case <-limit.C:
			e.o.Log.Warn("an aborted run does not end", "run", r.turn.RunID, "session", r.turn.Key)
			return out
		case <-ctx.Done():
			return out
		}
	}
	return out
}

// endWaiting ends a run that was aborted before its turn came: nothing of it is
// written but the end in the journal.
func (e *Engine) endWaiting(r *run) {
	r.concludeUnasked()
	e.mu.Lock()
	defer e.mu.Unlock()
	close(r.saved)
	r.end()
	e.advance(r.turn.Key)
}

// abortSession aborts all runs of a session, whoever's they are; those that
// were sent behind the command that is served can be spared.
func (e *Engine) abortSession(key string, sparing bool) Aborted {
	e.mu.Lock()
	var rs []*run
	if l := e.lanes[key]; l != nil {
		rs = slices.DeleteFunc(l.runs(), func(r *run) bool { return sparing && l.serving > 0 && r.order > l.serving })
	}
	for _, r := range rs {
		e.interrupt(r, errAborted)
	}
	e.mu.Unlock()
	if len(rs) == 0 {
		return Aborted{Key: key}
	}
	return e.reportAborted(e.ctx, rs)
}

// concludeUnasked notes the end of a run that had written nothing. A message
// that only the shutdown kept from its turn has no end: it stays in the journal
// for Recover, as after a crash.
func (r *run) concludeUnasked() {
	if !errors.Is(r.why, errShutdown) {
		r.conclude(r.outcome(), nil)
		return
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.e.left = append(r.e.left, r)
	delete(r.e.claims, r.claim.key)
}

// abortAll aborts all runs because the engine is closed.
func (e *Engine) abortAll() {
	e.mu.Lock()
	var rs []*run
	for _, l := range e.lanes {
		for _, r := range l.runs() {
			e.interrupt(r, errShutdown)
			rs = append(rs, r)
		}
	}
	e.mu.Unlock()
	for _, r := range rs {
		if !r.waited || !e.resumes() { // nothing may follow the end of a run
			r.reportAborted()
		}
		if r.waited {
			e.endWaiting(r)
		}
		r.release()
	}
}

// Steer aborts all that goes on in a session, so that a new message has its
// turn next. The runs that wait go whoever's they are; the one that goes on
// must be the requester's. It waits for the end of the old run up to wait; the
// error is ErrStillActive then. There was nothing to end when RunIDs is empty.
func (e *Engine) Steer(ctx context.Context, q AbortRequest, wait time.Duration) (Aborted, error) {
	if !e.Active(q.Key) {
		return Aborted{Key: q.Key}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, ErrStillActive)
	defer cancel()
	a, err := e.Abort(ctx, q)
	if err != nil {
		return a, err
	}
	rest := e.clearQueue(q.Key)
	a.RunIDs, a.runs = append(a.RunIDs, rest.RunIDs...), append(a.runs, rest.runs...)
	if err := e.awaitSaved(ctx, q.Key); err != nil {
		a.Release()
		return a, err
	}
	return a, nil
}

// clearQueue aborts the runs of a session that wait.
func (e *Engine) clearQueue(key string) Aborted {
	e.mu.Lock()
	var rs []*run
	if l := e.lanes[key]; l != nil {
		rs = slices.Clone(l.waiting)
	}
	for _, r := range rs {
		e.interrupt(r, errAborted)
	}
	e.mu.Unlock()
	if len(rs) == 0 {
		return Aborted{Key: key}
	}
	return e.reportAborted(e.ctx, rs)
}

// awaitSaved waits until the run that goes on has written all that it writes.
func (e *Engine) awaitSaved(ctx context.Context, key string) error {
	e.mu.Lock()
	var r *run
	if l := e.lanes[key]; l != nil {
		r = l.active
	}
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.saved:
		return nil
	case <-r.done: // it was ending by itself
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reason is the word for why a run ended early, as clients read it.
func reason(why error) string {
	switch {
	case errors.Is(why, errStopped):
		return "stop"
	case errors.Is(why, errTimeout):
		return "timeout"
	case errors.Is(why, errShutdown):
		return "shutdown"
	}
	return "rpc"
}

// origin is the word for it in the transcript.
func origin(why error) string {
	if errors.Is(why, errStopped) {
		return "stop-command"
	}
	return reason(why)
}

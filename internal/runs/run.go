package runs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/tracing"
	"github.com/parleyd/parley/internal/transcript"
)

// releaseTimeout is how long an aborted run waits for the answer to the abort
// before it reports its end.
const releaseTimeout = 5 * time.Second

// runState is where a run stands. The states up to active can be aborted.
type runState int

const (
	waiting   runState = iota // in its lane
	active                    // its turn has come
	aborted                   // ended from outside; what it said is being saved
	finishing                 // the model is done; the end is being written
	ended
)

// run is one turn under way.
type run struct {
	// Static after newRun.
	e          *Engine
	turn       Turn
	store      *sessions.Store
	lineID     string // of the user's line in the transcript
	acceptedAt int64
	ctx        context.Context
	cancel     context.CancelCauseFunc
	claim      *claim
	// saved is closed when an aborted run has written all it writes, done when
	// any run has also told all it tells.
	saved, done chan struct{}
	told        chan struct{} // closed when its abortion has been reported
	released    chan struct{} // closed when an aborted run may report its end
	release     func()
	overdue     *time.Timer

	// Guarded by the engine's mutex.
	state  runState
	begun  bool
	order  int64 // among all runs and commands
	waited bool  // it was aborted before its turn came
	why    error // it was aborted
	noted  bool  // its end is in the journal, or about to be

	// Owned by serve.
	ref       transcript.Ref
	unlock    func()          // lets other programs write to the transcript; nil before they may not
	kept      bool            // the message is in the transcript
	chosen    config.ModelRef // the model that is to answer
	spoken    config.ModelRef // the one that does: chosen, or one of its fallbacks
	level     string          // of thinking, "" for the model's default
	known     config.Model    // what is known of spoken, as api and thinking
	api       string
	thinking  string
	reason    string        // why the last model failed, when another one answers
	asked     time.Time     // when the model was asked
	size      int64         // about how many tokens it was told
	tight     int64         // how many it may be told, where its server said that those were too many
	first     time.Duration // until the first piece of its answer
	startedAt int64
	endedAt   int64
	usage     *model.Usage
	span      tracing.Span
	ending    string    // why it did not end well, for the span
	lastNote  time.Time // of text in the journal
	note      string    // text that the journal has; guarded by voice.mu

	voice voice
}

// voice is what a run has told so far. Its mutex also orders what is told: an
// abort silences it, so nothing of the run follows its end.
type voice struct {
	mu       sync.Mutex // guards all below and calls of the Observer
	seq      int
	silenced bool
	said     answer
	pending  bool          // something was said and not told; late will
	late     *time.Timer   // nil until something waited
	lastTold time.Time     // when a piece was told
	tellTime time.Duration // how long that took
}

func newRun(e *Engine, t Turn, store *sessions.Store) *run {
	ctx, cancel := context.WithCancelCause(e.ctx)
	r := &run{
		e: e, turn: t, store: store, lineID: newLineID(), acceptedAt: nowMs(), ctx: ctx, cancel: cancel,
		saved: make(chan struct{}), done: make(chan struct{}),
		told: make(chan struct{}), released: make(chan struct{}),
	}
	r.release = sync.OnceFunc(func() { close(r.released) })
	return r
}

// serve is the life of a run whose turn has come.
func (r *run) serve() {
	defer r.cancel(nil)
	defer r.free()
	_, r.span = tracing.Start(r.turn.Trace.In(r.ctx), "run", "run", r.turn.RunID, "session", r.turn.Key)
	defer func() { r.span.End(r.ending) }()
	var err error
	if r.takeSlot() {
		defer func() { <-r.e.slots }()
		r.startedAt = nowMs()
		defer r.limitTime()()
		err = r.attempt()
		r.endedAt = nowMs()
	}
	switch why := r.close(); {
	case r.startedAt == 0:
		r.ending = "ended before it started"
		r.endUnstarted()
	case why != nil:
		r.ending = why.Error()
		r.endAborted(why)
	case err != nil:
		r.ending = err.Error()
		r.endFailed(err)
	default:
		r.endDone()
	}
	r.e.retire(r)
}

// takeSlot waits until fewer runs than allowed talk to models. It reports
// false when the run was aborted meanwhile.
func (r *run) takeSlot() bool {
	select {
	case r.e.slots <- struct{}{}:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// limitTime ends the run when its time has passed, and says how to stop that.
func (r *run) limitTime() (stop func()) {
	limit := r.turn.Timeout
	if limit == 0 {
		limit = r.e.cfg().Agents.Defaults.Timeout
	}
	if limit <= 0 {
		return func() {}
	}
	t := time.AfterFunc(limit, func() {
		r.e.mu.Lock()
		live := r.state == active
		if live {
			r.e.interrupt(r, errTimeout)
		}
		r.e.mu.Unlock()
		if live {
			r.reportAborted()
			r.release()
		}
	})
	return func() { t.Stop() }
}

// attempt does what the run is for. A panic of a model is that run's failure,
// not the daemon's.
func (r *run) attempt() (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.e.o.Log.Error("run panicked", "run", r.turn.RunID, "session", r.turn.Key, "panic", p, "stack", string(debug.Stack()))
			err = model.NewFault(fmt.Sprintf("internal error: %v", p))
		}
	}()
	if err := r.prepare(lockWait); err != nil {
		return err
	}
	r.reportStarted()
	return r.ask()
}

// listen asks the model that answers. When its server finds the conversation too
// long, and has said nothing yet, it is asked once more and told at most half of it:
// its window is not known, or our estimate was wrong.
func (r *run) listen() error {
	r.size, r.tight = 0, 0
	err := r.hearOut()
	if f, ok := errors.AsType[*model.Fault](err); !ok || !f.TooLong() || !r.unanswered() {
		return err
	}
	r.tight = r.size / 2
	again := r.hearOut()
	if errors.Is(again, errNotShorter) {
		return err
	}
	return again
}

// errNotShorter is returned where a conversation was to be told shorter and cannot.
var errNotShorter = errors.New("nothing can be left out")

// hearOut asks the model that answers and takes in what it says.
func (r *run) hearOut() (err error) {
	m, err := r.e.o.Model(r.spoken)
	if err != nil {
		return err
	}
	t, err := r.conversation(m)
	if err != nil {
		return fmt.Errorf("read the conversation: %w", err)
	}
	size := estimateAll(t)
	if r.tight > 0 && size >= r.size {
		return errNotShorter
	}
	r.size = size
	defer r.tellRest()
	r.asked = time.Now()
	ctx, span := tracing.Start(r.span.In(r.ctx), "model", "model", r.spoken.String())
	defer func() { span.End(reasonOf(err)) }()
	for d, err := range m.Stream(ctx, t) {
		if err != nil {
			return err
		}
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		if r.first == 0 && d.Text+d.Thinking != "" {
			r.first = time.Since(r.asked)
		}
		if d.Usage != nil {
			r.usage = d.Usage
		}
		if most := r.e.cfg().Parley.MaxAnswerBytes; r.voice.said.size()+len(d.Text)+len(d.Thinking) > most {
			return model.NewFault(fmt.Sprintf("The model's answer is longer than %d bytes (parley.runs.maxAnswerBytes); what came before is kept.", most))
		}
		r.hear(d)
		r.noteText()
	}
	return nil
}

// reasonOf is the text of an error, "" without one.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// close ends the time in which the run can be aborted; it says why it was.
func (r *run) close() error {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if r.state == aborted {
		return r.why
	}
	r.state = finishing
	return nil
}

// outcome is how the run ended, for its key.
func (r *run) outcome() Outcome {
	return Outcome{
		RunID: r.turn.RunID, Aborted: r.why != nil, StartedAt: r.startedAt, EndedAt: r.endedAt,
		SessionID: r.ref.SessionID, Model: r.spoken, Usage: r.usage,
	}
}

// retire takes the run out of its lane and lets the next one go.
func (e *Engine) retire(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lane(r.turn.Key).active = nil
	r.end()
	e.advance(r.turn.Key)
}

// end is the last of a run. Its key is remembered for minutes, its pictures and
// its answer need not be. The caller holds the mutex.
func (r *run) end() {
	r.state = ended
	r.claim.run = nil
	close(r.done)
}

// failure is the texts of an error: for the transcript, and for people.
func failure(err error) (whole, shown string) {
	if f, ok := errors.AsType[*model.Fault](err); ok {
		return f.Text, f.Shown
	}
	return err.Error(), err.Error()
}

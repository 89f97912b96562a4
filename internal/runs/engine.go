// Package runs owns every run: one message to a session and the model's answer
// to it. It alone starts and stops runs, and it alone writes what they leave
// behind: the entry's status, usage and times, and the lines in the transcript.
//
// A run outlives the call and the connection that started it. Runs of one
// session go one after another, in the order in which they were accepted, at
// most 20 waiting; runs of different sessions go side by side, a bounded number
// at a time. An idempotency key is one run: it is claimed under the same mutex
// that registers the run, and remembered for five minutes after its end.
//
// An accepted message is never lost: it is in the journal beside its store
// (runs.journal, see doc/disk.md) before Start returns, and Recover settles
// what a crash left. What is reported to the Observer has been written first;
// the entry and the key are up to date before the end of a run is reported.
//
// Who hears of a run, and in which words on the wire, is the gateway's.
package runs

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/parleyd/parley/internal/acp"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	queueLimit      = 20 // runs of one session that wait behind another
	defaultParallel = 256
)

// Options are what an Engine is made of.
type Options struct {
	Config      *config.Config
	Stores      *sessions.Stores
	Transcripts *transcript.Library
	Observer    Observer
	Log         *slog.Logger
	Disk        *disk.FS // where the journals lie; nil is the plain system
	// Retire sets aside the transcripts of a session that began anew; nil just
	// archives them.
	Retire func(st *sessions.Store, key string, old sessions.Entry)
	// Client makes the requests to models; nil is a client of the engine's own.
	Client *http.Client
	// Model opens the model that a run asks; nil opens the configured ones.
	Model func(ref config.ModelRef) (model.Model, error)
	// Ask decides what an agent is permitted whose configuration says "ask"; nil
	// denies it.
	Ask func(context.Context, acp.Question) acp.Decision
	// Version is told to agents.
	Version string
}

// Engine runs turns. All methods are safe for concurrent use.
type Engine struct {
	// Static after New.
	o        Options
	settings *config.Live  // what is configured now: see cfg
	slots    chan struct{} // one token per run that talks to a model
	ctx      context.Context
	stop     context.CancelCauseFunc
	forget   func(context.Context) // closes idle connections to models, ends agents
	running  sync.WaitGroup        // goroutines of runs and of the sweeper

	mu       sync.Mutex // guards all below and the state of every run
	closed   bool
	accepted int64            // runs and commands so far
	lanes    map[string]*lane // by canonical key; empty ones are removed
	claims   map[claimKey]*claim
	arrivals chan struct{} // closed and replaced when a key is claimed
	journals map[string]*journal
	left     []*run // kept from their turn by Close
	// unsettled are runs of an earlier process, by the directory of their
	// journal, whose end Recover could not write or has yet to.
	unsettled map[string][]*past
}

// New makes an engine. Recover should be called before the first Start.
func New(o Options) *Engine {
	settings, forget := config.NewLive(o.Config), func(context.Context) {}
	if o.Model == nil {
		c := newConfigured(o, settings)
		o.Model, forget = c.open, c.close
	}
	ctx, stop := context.WithCancelCause(context.Background())
	e := &Engine{
		o: o, settings: settings, slots: make(chan struct{}, parallel(o.Config)), ctx: ctx, stop: stop, forget: forget,
		lanes: map[string]*lane{}, claims: map[claimKey]*claim{},
		arrivals: make(chan struct{}), journals: map[string]*journal{},
		unsettled: map[string][]*past{},
	}
	e.running.Go(e.sweepRegularly)
	return e
}

// parallel is how many runs may talk to models at once.
func parallel(c *config.Config) int {
	if n := c.Agents.Defaults.MaxConcurrent; n > 0 {
		return n
	}
	return defaultParallel
}

// Configure makes c the configuration of what begins from now on. How many runs
// talk to models at once stays as it was.
func (e *Engine) Configure(c *config.Config) { e.settings.Set(c) }

// cfg is the configuration that holds now.
func (e *Engine) cfg() *config.Config { return e.settings.Now() }

// Counts are how many runs go on and how many wait.
func (e *Engine) Counts() (active, waiting int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.lanes {
		waiting += len(l.waiting)
		if l.active != nil {
			active++
		}
	}
	return active, waiting
}

// Unsettled is how many runs of an earlier process have an end that could not
// be written yet.
func (e *Engine) Unsettled() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, past := range e.unsettled {
		n += len(past)
	}
	return n
}

// Drain takes in nothing new, lets no run go that waits, and returns when those
// that go on have ended, or ctx has. Close then settles the rest.
func (e *Engine) Drain(ctx context.Context) {
	e.mu.Lock()
	e.closed = true
	var going []*run
	for _, l := range e.lanes {
		if l.active != nil {
			going = append(going, l.active)
		}
	}
	e.mu.Unlock()
	for _, r := range going {
		select {
		case <-r.done:
		case <-ctx.Done():
			return
		}
	}
}

// Close aborts all runs and waits until they have ended, or ctx has. Nothing
// can be started afterwards.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.abortAll()
	e.stop(errShutdown)
	ended := make(chan struct{})
	go func() { e.running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		e.forget(ctx)
		return context.Cause(ctx)
	}
	e.forget(ctx)
	return e.closeJournals()
}

var errClosed = protocol.Unavailablef("the gateway is stopping")

// Start registers the run of a turn, or finds the run that has its key. The
// run is durable when Start returns and goes once the ticket's Begin is called.
func (e *Engine) Start(t Turn) (Ticket, error) { return e.startAt(t, nowMs()) }

// startAt is Start for a message that was accepted at a time, in ms.
func (e *Engine) startAt(t Turn, acceptedAt int64) (Ticket, error) {
	if sessions.Malformed(t.Key) {
		return Ticket{}, protocol.Invalidf("malformed session key %q", t.Key)
	}
	store, err := e.o.Stores.Store(t.Key)
	if err != nil {
		return Ticket{}, err
	}
	r := newRun(e, t, store)
	r.acceptedAt = acceptedAt
	if known, err := e.register(r); known != nil || err != nil {
		r.cancel(nil) // or the engine's context keeps the run's
		return e.ticket(known), err
	}
	if err := e.accept(r); err != nil {
		e.unregister(r, err)
		e.forgo(r)
		return Ticket{}, protocol.Unavailablef("failed to accept the message: %v", err)
	}
	r.overdue = time.AfterFunc(beginTimeout, func() { e.begin(r) })
	return Ticket{RunID: t.RunID, State: Started, AcceptedAt: r.acceptedAt, begin: func() { e.begin(r) }}, nil
}

// beginTimeout is when a run goes although nobody called Begin: a fault of one
// call must not hold up a session for ever.
const beginTimeout = 30 * time.Second

// register claims the key and puts the run into its session's lane. A claim
// that was there already is returned instead.
func (e *Engine) register(r *run) (*claim, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	key := claimKey{r.turn.Kind, r.turn.RunID}
	if c := e.claims[key]; c != nil {
		return c, nil
	}
	l := e.lane(r.turn.Key)
	if l.ahead() > queueLimit {
		return nil, protocol.Unavailablef("too many queued messages for this session")
	}
	l.waiting = append(l.waiting, r)
	r.order = e.next()
	e.claim(key, r)
	return nil, nil
}

// next is the place of what is accepted now among all that is. The caller holds
// the mutex.
func (e *Engine) next() int64 {
	e.accepted++
	return e.accepted
}

// unregister takes back a run that could not be accepted.
func (e *Engine) unregister(r *run, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.state == aborted {
		return // an abort came first and has ended it
	}
	r.cancel(why)
	e.lane(r.turn.Key).remove(r)
	delete(e.claims, r.claim.key)
	e.conclude(r.claim, Outcome{RunID: r.turn.RunID, Error: why.Error()})
	close(r.saved)
	r.end()
	e.advance(r.turn.Key)
}

// begin lets a run go when its turn comes.
func (e *Engine) begin(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.overdue.Stop()
	r.begun = true
	e.advance(r.turn.Key)
}

// Why a run ends early; the cause of its context.
var (
	errAborted  = errors.New("aborted")
	errStopped  = errors.New("stopped by a stop phrase")
	errTimeout  = errors.New("the run's time limit has passed")
	errShutdown = errors.New("the gateway is stopping")
)

func nowMs() int64 { return time.Now().UnixMilli() }

func newID() string { return uuid.NewString() }

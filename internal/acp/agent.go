// Package acp runs agents that speak the Agent Client Protocol over stdio, and
// makes models of them (model.Model).
//
// It owns the processes: it starts them when the first turn needs one, ends them
// with all they have started, and starts them again, later each time, when they
// die. And it owns what ties a session to the conversation that an agent keeps
// for it: an agent is only told what it has not heard yet.
//
// Nothing that a process does is trusted: what it writes is bounded line by line
// and turn by turn, every wait for it has an end, and a process that breaks the
// rules is killed. That ends the turns it was answering, each with a
// *model.Fault, and nothing else.
//
// All methods are safe for concurrent use; turns of one session must not
// overlap. Who may be asked for permission, and what of a turn is stored and
// told, belong to others; nothing here knows the configuration.
package acp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/model"
)

// Options say how an agent is run.
type Options struct {
	// Name is the provider's name, for people.
	Name string
	// Command and Args are the program, Env all its variables as NAME=VALUE.
	Command string
	Args    []string
	Env     []string
	// Secrets are texts that are hidden wherever the program's words are shown.
	Secrets []string
	// Dir is the directory of its sessions, "" for the one that a turn names.
	Dir string
	// Shared says that one process serves all sessions; otherwise each has its
	// own.
	Shared bool
	// MaxProcesses bounds the processes that run at a time; 0 is no bound. One
	// that is answering nobody is ended for another one, else the turn waits.
	MaxProcesses int
	// Policy is how requests for permission are answered; Ask is who is asked when
	// it is PolicyAsk. Without Ask they are denied.
	Policy Policy
	Ask    func(context.Context, Question) Decision
	// Book remembers the agent's sessions beyond the end of its process; nil
	// remembers nothing.
	Book *Book
	// Version of this gateway, told to the agent.
	Version string
	Log     *slog.Logger
}

// limits are how long an agent is waited for, and what it may do. Tests shorten
// them.
type limits struct {
	initialize time.Duration // from its start until it has introduced itself
	session    time.Duration // for session/new, session/load and the like
	cancel     time.Duration // for the end of a turn that was cancelled
	probe      time.Duration // for a sign of life
	stdin      time.Duration // for closing its input to end it
	term       time.Duration // for SIGTERM to end it
	output     time.Duration // for its output to end once it has
	write      time.Duration // for it to take a message
	answer     int           // bytes of its messages in one turn: text, thoughts, tools
	backoff    time.Duration // after its first death; doubled for each further one
	maxBackoff time.Duration
}

var usual = limits{
	initialize: 60 * time.Second, session: 60 * time.Second, cancel: 3 * time.Second, probe: 2 * time.Second,
	stdin: time.Second, term: time.Second, output: time.Second, write: 10 * time.Second,
	answer:  64 << 20,
	backoff: 500 * time.Millisecond, maxBackoff: 30 * time.Second,
}

// Agent is one program that answers turns. It starts nothing before the first
// one, and must be closed.
type Agent struct {
	// Static after New.
	o      Options
	limits limits
	work   sync.WaitGroup // processes, and calls to them

	mu        sync.Mutex // guards all below, and the like fields of processes
	closed    bool
	current   map[string]*process   // that new turns go to, by slot
	all       map[*process]struct{} // those too that only end what they have begun
	talks     map[string]*talk      // by session key
	failures  int                   // processes in a row that died on their own
	notBefore time.Time             // the next process starts
	changed   chan struct{}         // closed and replaced when a process ends or has nothing to do
}

// New makes an agent.
func New(o Options) *Agent {
	return &Agent{
		o: o, limits: usual, current: map[string]*process{}, all: map[*process]struct{}{},
		talks: map[string]*talk{}, changed: make(chan struct{}),
	}
}

// errClosing is what a turn fails with that comes too late.
var errClosing = errors.New("the gateway is stopping")

// Close ends all processes and waits for their end, or, once ctx has ended,
// kills them. No turn is answered afterwards.
func (a *Agent) Close(ctx context.Context) {
	a.mu.Lock()
	a.closed = true
	a.signal()
	all := a.processes()
	a.mu.Unlock()
	var stops sync.WaitGroup
	for _, p := range all {
		stops.Go(func() { p.stop(ctx) })
	}
	stops.Wait()
	a.work.Wait()
}

// processes are all that have not ended. The caller holds the mutex.
func (a *Agent) processes() []*process {
	var all []*process
	for p := range a.all {
		all = append(all, p)
	}
	return all
}

// signal wakes whoever waits for a process. The caller holds the mutex.
func (a *Agent) signal() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// acquire is the process for a turn of the session with this key, ready to be
// asked. The caller must release it.
func (a *Agent) acquire(ctx context.Context, key, dir string) (*process, error) {
	slot := key
	if a.o.Shared {
		slot = ""
	}
	for {
		p, wait, err := a.take(slot, dir)
		if err != nil {
			return nil, err
		}
		if p != nil {
			return a.await(ctx, p)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await waits until a process that was taken can be asked.
func (a *Agent) await(ctx context.Context, p *process) (*process, error) {
	select {
	case <-p.ready:
	case <-ctx.Done():
		a.release(p)
		return nil, ctx.Err()
	}
	if p.failed != nil {
		a.release(p)
		return nil, p.lost(ctx)
	}
	return p, nil
}

// take is the process of a slot, started when there is none, or what to wait for
// before it is asked again.
func (a *Agent) take(slot, dir string) (*process, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, nil, errClosing
	}
	if p := a.current[slot]; p != nil {
		p.turns++
		return p, nil, nil
	}
	if a.o.MaxProcesses > 0 && len(a.all) >= a.o.MaxProcesses {
		a.makeRoom()
		return nil, a.changed, nil
	}
	if wait := time.Until(a.notBefore); wait > 0 {
		until := make(chan struct{})
		time.AfterFunc(wait, func() { close(until) })
		return nil, until, nil
	}
	p := a.start(slot, dir)
	p.turns++
	return p, nil, nil
}

// makeRoom ends the process that has had nothing to do for the longest time, if
// there is one. The caller holds the mutex.
func (a *Agent) makeRoom() {
	var oldest *process
	for _, p := range a.current {
		if p.turns == 0 && (oldest == nil || p.idleSince.Before(oldest.idleSince)) {
			oldest = p
		}
	}
	if oldest != nil {
		a.retire(oldest)
	}
}

// release takes back what acquire gave.
func (a *Agent) release(p *process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.turns--
	if p.turns > 0 {
		return
	}
	p.idleSince = time.Now()
	if a.current[p.slot] != p {
		a.retire(p)
	}
	a.signal()
}

// retire lets no more turns go to a process, and ends it when it has none. The
// caller holds the mutex.
func (a *Agent) retire(p *process) {
	if a.current[p.slot] == p {
		delete(a.current, p.slot)
	}
	if p.turns == 0 && !p.retired {
		p.retired = true
		a.goUnlessClosed(func() { p.stop(context.Background()) })
	}
}

// goUnlessClosed does something beside the turns that Close waits for. The caller
// holds the mutex.
func (a *Agent) goUnlessClosed(f func()) {
	if !a.closed {
		a.work.Go(f)
	}
}

// ended takes a process off the lists that has died. On its own, and without
// having answered anything, it makes the next one wait.
func (a *Agent) ended(p *process, asked bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, p)
	if a.current[p.slot] == p {
		delete(a.current, p.slot)
	}
	// What can be loaded again is in the book.
	maps.DeleteFunc(a.talks, func(_ string, tk *talk) bool { return tk.proc == p })
	if !asked {
		wait := a.limits.maxBackoff
		if a.failures < 16 {
			wait = min(wait, a.limits.backoff<<a.failures)
		}
		a.failures++
		a.notBefore = time.Now().Add(wait)
		a.o.Log.Warn("agent process died", "provider", a.o.Name, "pid", p.pid, "how", p.how, "deaths", a.failures, "restartAfter", wait)
	}
	a.signal()
}

// answered notes that a process works: what died before is forgiven.
func (a *Agent) answered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures, a.notBefore = 0, time.Time{}
}

// fault is a failure of the agent, told to people in the same words as to the
// transcript.
func (a *Agent) fault(format string, args ...any) *model.Fault {
	text := a.hide(fmt.Sprintf("The agent %q ", a.o.Name) + fmt.Sprintf(format, args...))
	return &model.Fault{Text: text, Shown: text}
}

// dir is the directory of a turn's session.
func (a *Agent) dir(t model.Turn) string { return cmp.Or(a.o.Dir, t.Session.Dir) }

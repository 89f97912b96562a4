package acp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	sdk "github.com/coder/acp-go-sdk"
)

// process is one process of an agent, from its start until it is gone with all
// that it has started.
type process struct {
	// Static after start.
	a      *Agent
	slot   string
	cmd    *exec.Cmd
	pid    int
	wire   *wire
	stderr *lastWords

	// Static once ready is closed.
	failed error // errGone when it cannot be asked
	can    sdk.AgentCapabilities
	login  []string // the ways to log in that it offers

	ready  chan struct{} // closed when it can be asked, or has failed
	exited chan struct{} // closed when it has ended
	gone   chan struct{} // closed when all is read that it wrote
	how    string        // it ended, for people; set before gone is closed

	// Guarded by the agent's mutex.
	turns     int
	idleSince time.Time
	retired   bool

	mu      sync.Mutex // guards all below
	killed  string     // why it was killed, "" when it was not
	asked   bool       // its end was asked for
	reaped  bool       // its pid may be another's now
	serving map[sdk.SessionId]*turn
}

// start starts a process and makes it the one of its slot. The caller holds the
// mutex; ready tells the rest.
func (a *Agent) start(slot, dir string) *process {
	p := &process{
		a: a, slot: slot, ready: make(chan struct{}), exited: make(chan struct{}), gone: make(chan struct{}),
		serving: map[sdk.SessionId]*turn{}, stderr: newLastWords(a),
	}
	a.current[slot], a.all[p] = p, struct{}{}
	ours, err := p.launch(dir)
	a.work.Go(func() {
		if err != nil {
			p.unborn(err)
			return
		}
		p.live(ours)
	})
	return p
}

// unborn is the end of a process that could not be started.
func (p *process) unborn(err error) {
	p.how = fmt.Sprintf("could not be started: %v; check models.providers.%s.command", err, p.a.o.Name)
	p.failed = errGone
	p.a.ended(p, false)
	close(p.gone)
	close(p.ready)
}

// live is the life of a process.
func (p *process) live(ours pipes) {
	p.a.o.Log.Info("agent process started", "provider", p.a.o.Name, "pid", p.pid, "session", p.slot)
	var readers sync.WaitGroup
	readers.Go(func() { p.stderr.read(ours.err) })
	readers.Go(func() { p.listen(ours.out) })
	readers.Go(func() { p.introduce() })

	state := p.reap()
	close(p.exited)
	// What it said last is still in the pipes. Who holds them open now has left the
	// group, or cannot be killed.
	_ = ours.out.SetReadDeadline(time.Now().Add(p.a.limits.output))
	_ = ours.err.SetReadDeadline(time.Now().Add(p.a.limits.output))
	readers.Wait()
	ours.close()
	p.how = p.ending(state)
	p.a.ended(p, p.isAsked())
	close(p.gone)
}

// pipes are our ends of a process's standard files.
type pipes struct{ in, out, err *os.File }

func (s pipes) close() {
	for _, f := range []*os.File{s.in, s.out, s.err} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// launch starts the program.
func (p *process) launch(dir string) (ours pipes, err error) {
	var theirs pipes
	defer func() {
		theirs.close() // it has its own now
		if err != nil {
			ours.close()
		}
	}()
	if theirs.in, ours.in, err = os.Pipe(); err != nil {
		return ours, err
	}
	if ours.out, theirs.out, err = os.Pipe(); err != nil {
		return ours, err
	}
	if ours.err, theirs.err, err = os.Pipe(); err != nil {
		return ours, err
	}
	p.cmd = exec.Command(p.a.o.Command, p.a.o.Args...)
	p.cmd.Env, p.cmd.Dir = p.a.o.Env, dir
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs.in, theirs.out, theirs.err
	inGroup(p.cmd)
	p.wire = newWire(ours.in, p.a.limits.write)
	p.wire.told, p.wire.asked, p.wire.odd, p.wire.stuck = p.told, p.request, p.odd, p.stuck
	if err := p.cmd.Start(); err != nil {
		return ours, err
	}
	p.pid = p.cmd.Process.Pid
	return ours, nil
}

// listen takes in what the process writes. Without its output it is of no use.
func (p *process) listen(out *os.File) {
	if err := p.wire.read(out); err != nil {
		p.kill(err.Error())
		return
	}
	p.killUnlessEnding("closed its output")
}

// stuck gives up a process that takes no messages.
func (p *process) stuck(how string, closed bool) {
	p.a.mu.Lock()
	wait := closed && !p.a.closed
	if wait {
		p.a.goUnlessClosed(func() { p.killUnlessEnding(how) })
	}
	p.a.mu.Unlock()
	if !wait {
		p.kill(how)
	}
}

// killUnlessEnding kills a process that cannot be talked to any more. It may just
// be ending, and then how says more about it.
func (p *process) killUnlessEnding(why string) {
	t := time.NewTimer(p.a.limits.output)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-t.C:
		p.kill(why)
	}
}

// introduce asks the agent what it can do.
func (p *process) introduce() {
	defer close(p.ready)
	ctx, cancel := context.WithTimeout(context.Background(), p.a.limits.initialize)
	defer cancel()
	var r sdk.InitializeResponse
	err := p.wire.call(ctx, sdk.AgentMethodInitialize, sdk.InitializeRequest{
		ProtocolVersion: sdk.ProtocolVersionNumber,
		ClientInfo:      &sdk.Implementation{Name: "parley", Version: p.a.o.Version},
	}, &r)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		p.kill(fmt.Sprintf("did not introduce itself within %v", p.a.limits.initialize))
	case errors.Is(err, errGone):
	case err != nil:
		p.kill("refused to initialize: " + words(err))
	case r.ProtocolVersion != sdk.ProtocolVersionNumber:
		p.kill(fmt.Sprintf("speaks version %d of the protocol, and not version %d", r.ProtocolVersion, sdk.ProtocolVersionNumber))
	default:
		p.can, p.login = r.AgentCapabilities, logins(r.AuthMethods)
		return
	}
	p.failed = errGone
}

// logins are the names of the ways to log in.
func logins(methods []sdk.AuthMethod) []string {
	var names []string
	for _, m := range methods {
		raw, err := json.Marshal(m)
		var named struct {
			Name string `json:"name"`
		}
		if err == nil && json.Unmarshal(raw, &named) == nil && named.Name != "" {
			names = append(names, plain(named.Name, 100))
		}
	}
	return names
}

// reap waits for the end of the process and ends what it has left behind.
func (p *process) reap() string {
	err := p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	// The group is still the process's as long as somebody is in it. If nobody is,
	// its number could only be another's after every other number was used.
	signalGroup(p.pid, true)
	p.reaped = true
	if state := p.cmd.ProcessState; state != nil {
		return state.String()
	}
	return err.Error()
}

// ending is how the process ended, for people.
func (p *process) ending(state string) string {
	p.mu.Lock()
	why := p.killed
	p.mu.Unlock()
	how := "ended by itself (" + state + ")"
	if why != "" {
		how = why + " and was ended"
	}
	if last := p.stderr.text(); last != "" {
		how += ". It said last: " + last
	}
	return how
}

// kill ends the process and its group at once, because it did what why says. It
// does nothing to one that has ended.
func (p *process) kill(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.pid == 0 {
		return
	}
	if p.killed == "" && !p.asked {
		p.killed = why
	}
	signalGroup(p.pid, true)
}

// lost is the fault of a turn that the process left without an answer.
func (p *process) lost(ctx context.Context) error {
	select {
	case <-p.gone:
		return p.a.fault("%s", p.how)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the process: by the end of its input, by SIGTERM, by SIGKILL. Once
// ctx has ended it does not wait for more than the last.
func (p *process) stop(ctx context.Context) {
	p.mu.Lock()
	p.asked = true
	p.mu.Unlock()
	if p.wire != nil {
		_ = p.wire.in.Close()
	}
	if p.awaitEnd(ctx, p.a.limits.stdin) {
		return
	}
	p.signal(false)
	if p.awaitEnd(ctx, p.a.limits.term) {
		return
	}
	p.signal(true)
	<-p.gone
}

func (p *process) signal(force bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped && p.pid != 0 {
		signalGroup(p.pid, force)
	}
}

// awaitEnd waits for the end of the process; it reports whether it came.
func (p *process) awaitEnd(ctx context.Context, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.gone:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// isAsked reports whether the process ended as it was asked to.
func (p *process) isAsked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked && p.killed == ""
}

// odd is told of a line that is no message: some programs greet on their output.
func (p *process) odd(line []byte) { p.stderr.log(string(line), "stdout") }

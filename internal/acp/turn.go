package acp

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/model"
)

// What an agent may say in one turn.
const (
	maxSteps = 10_000 // of tools
	maxTools = 2_000  // calls of tools
)

// Model is the agent under the id of one of its models.
func (a *Agent) Model(id string) model.Model { return agentModel{a, id} }

type agentModel struct {
	a  *Agent
	id string
}

// Stream lets the agent answer a turn.
func (m agentModel) Stream(ctx context.Context, t model.Turn) iter.Seq2[model.Delta, error] {
	return func(yield func(model.Delta, error) bool) {
		if err := m.answer(ctx, t, yield); err != nil {
			yield(model.Delta{}, err)
		}
	}
}

func (m agentModel) answer(ctx context.Context, t model.Turn, yield func(model.Delta, error) bool) error {
	dir := m.a.dir(t)
	if err := m.a.makeDir(dir); err != nil {
		return err
	}
	p, err := m.a.acquire(ctx, t.Session.Key, dir)
	if err != nil {
		return err
	}
	defer m.a.release(p)
	tk, blocks, err := p.prepare(ctx, t, m.id)
	if err != nil {
		return err
	}
	u := newTurn(ctx, m.a, t, tk)
	if err := p.serve(u); err != nil {
		return err
	}
	defer p.leave(u)
	return u.run(p, blocks, yield)
}

// prepare opens the talk of a turn and says what is to be asked in it.
func (p *process) prepare(ctx context.Context, t model.Turn, id string) (*talk, []sdk.ContentBlock, error) {
	tk, err := p.talk(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	images := p.can.PromptCapabilities.Image
	if last := lastOf(t.Messages); last >= 0 && len(t.Messages[last].Images) > 0 && !images {
		p.a.o.Log.Warn("pictures are left out: the agent does not take them", "provider", p.a.o.Name, "run", t.Session.RunID, "session", t.Session.Key)
	}
	blocks, ok := tk.prompt(t, images)
	if !ok { // the conversation was changed behind its back
		p.a.mu.Lock()
		p.close(tk.ID)
		p.a.mu.Unlock()
		if err := p.begin(ctx, tk, p.a.dir(t)); err != nil {
			return nil, nil, err
		}
		blocks, _ = tk.prompt(t, images)
	}
	return tk, blocks, p.choose(ctx, tk, id)
}

// turn is one prompt under way.
type turn struct {
	// Static after newTurn.
	a       *Agent
	ctx     context.Context // of the run, or ended by limit or end
	cancel  context.CancelCauseFunc
	session model.Session
	talk    *talk
	asked   model.Message
	dir     string
	queue   *queue

	// Owned by the reader of the process.
	tools map[string]*tool
	bytes int
	steps int

	// Owned by run.
	said strings.Builder
}

func newTurn(ctx context.Context, a *Agent, t model.Turn, tk *talk) *turn {
	u := &turn{a: a, session: t.Session, talk: tk, dir: tk.Dir, queue: newQueue(), tools: map[string]*tool{}}
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	if last := lastOf(t.Messages); last >= 0 {
		u.asked = t.Messages[last]
	}
	return u
}

// serve lets what the process says of a talk reach its turn.
func (p *process) serve(u *turn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serving[u.talk.ID] != nil {
		return p.a.fault("answers this session already.")
	}
	p.serving[u.talk.ID] = u
	return nil
}

// leave ends serve: from here on nobody listens.
func (p *process) leave(u *turn) {
	u.cancel(errOver)
	u.queue.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.serving, u.talk.ID)
}

var errOver = errors.New("the turn is over")

// turnOf is the turn that goes on in a talk, nil when none does.
func (p *process) turnOf(id sdk.SessionId) *turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving[id]
}

// ending is how a prompt ended.
type ending struct {
	r   sdk.PromptResponse
	err error
}

// run asks, and yields what the agent says until it has said all, it is gone, or
// nobody wants to hear more.
func (u *turn) run(p *process, blocks []sdk.ContentBlock, yield func(model.Delta, error) bool) error {
	// Not u.ctx: a turn that is cancelled still ends with an answer.
	ctx, giveUp := context.WithCancel(context.WithoutCancel(u.ctx))
	ended := make(chan ending, 1)
	go func() {
		var e ending
		e.err = p.wire.call(ctx, sdk.AgentMethodSessionPrompt, sdk.PromptRequest{SessionId: u.talk.ID, Prompt: blocks}, &e.r)
		ended <- e
		close(ended)
	}()
	defer func() {
		giveUp()
		for range ended { // until the goroutine has ended
		}
	}()
	for {
		select {
		case <-u.queue.wake:
			if !u.pass(yield) {
				u.cancelled(p, ended)
				return nil
			}
		case e := <-ended:
			return u.end(p, e, yield)
		case <-u.ctx.Done():
			u.cancelled(p, ended)
			return u.why()
		}
	}
}

// why is why a turn was cut short: a rule that the agent broke, or the end of the
// run.
func (u *turn) why() error {
	if f, ok := errors.AsType[*model.Fault](context.Cause(u.ctx)); ok {
		return f
	}
	return u.ctx.Err()
}

// pass yields what waits; it reports whether more is wanted.
func (u *turn) pass(yield func(model.Delta, error) bool) bool {
	for _, d := range u.queue.take() {
		u.said.WriteString(d.Text)
		if !yield(d, nil) {
			return false
		}
	}
	return true
}

// end is the end of a prompt that nobody cut short.
func (u *turn) end(p *process, e ending, yield func(model.Delta, error) bool) error {
	if !u.pass(yield) { // all that was said came before the answer
		return nil
	}
	if e.err != nil {
		return p.unanswered(u.ctx, "session/prompt", e.err)
	}
	u.a.answered()
	u.heard()
	stop, err := u.a.stopReason(e.r.StopReason)
	if err != nil {
		return err
	}
	yield(model.Delta{Stop: stop, Usage: usage(e.r.Usage)}, nil)
	return nil
}

// stopReason is why a turn ended, as transcripts have it.
func (a *Agent) stopReason(r sdk.StopReason) (model.StopReason, error) {
	switch r {
	case sdk.StopReasonEndTurn:
		return model.Stop, nil
	case sdk.StopReasonMaxTokens, sdk.StopReasonMaxTurnRequests:
		return model.Length, nil
	case sdk.StopReasonRefusal:
		return "", a.fault("refused to answer.")
	case sdk.StopReasonCancelled:
		return "", a.fault("cancelled its answer itself.")
	}
	return "", a.fault("ended its answer for a reason that is not known: %s", plain(string(r), 100))
}

func usage(u *sdk.Usage) *model.Usage {
	if u == nil {
		return nil
	}
	count := func(n *int) int64 {
		if n == nil {
			return 0
		}
		return max(int64(*n), 0)
	}
	return &model.Usage{
		Input: count(&u.InputTokens), Output: count(&u.OutputTokens) + count(u.ThoughtTokens),
		CacheRead: count(u.CachedReadTokens), CacheWrite: count(u.CachedWriteTokens),
	}
}

// heard notes that the agent knows the conversation up to here.
func (u *turn) heard() {
	u.a.remember(u.talk, heard{At: u.asked.At, Asked: digest(u.asked.Text), Said: digest(u.said.String())}, time.Now().UnixMilli())
}

// cancelled tells the agent to stop, and waits a little for the end of its turn:
// what comes until then goes to nobody. An agent that goes on regardless loses
// the talk; its process takes no more turns, and dies once it has no other one.
func (u *turn) cancelled(p *process, ended <-chan ending) {
	u.cancel(errOver) // requests for permission end
	u.queue.close()
	told := make(chan struct{})
	go func() { // it may not read
		defer close(told)
		_ = p.wire.notify(sdk.AgentMethodSessionCancel, sdk.CancelNotification{SessionId: u.talk.ID})
	}()
	defer func() { <-told }()
	t := time.NewTimer(u.a.limits.cancel)
	defer t.Stop()
	select {
	case e := <-ended:
		if e.err == nil {
			u.a.answered()
			u.heard()
		}
		return
	case <-t.C:
	}
	u.a.o.Log.Warn("agent goes on although its turn was cancelled", "provider", u.a.o.Name, "pid", p.pid, "run", u.session.RunID, "session", u.session.Key)
	u.a.forget(u.talk)
	p.abandon("did not stop when its turn was cancelled")
}

// abandon gives up a process that does not do what it is told. If it is
// answering others that still get through to it, it may end that first.
func (p *process) abandon(why string) {
	p.a.mu.Lock()
	if p.a.current[p.slot] == p {
		delete(p.a.current, p.slot)
	}
	p.a.signal()
	alone := p.turns <= 1 || p.a.closed
	if !alone {
		p.a.goUnlessClosed(p.probe)
	}
	p.a.mu.Unlock()
	if alone {
		p.kill(why)
	}
}

// probe kills a process that gives no sign of life. Any answer is one.
func (p *process) probe() {
	ctx, cancel := context.WithTimeout(context.Background(), p.a.limits.probe)
	defer cancel()
	var r struct{}
	if err := p.wire.call(ctx, "_parley/ping", struct{}{}, &r); err != nil && !refused(err) && !errors.Is(err, errGone) {
		p.kill("did not react any more")
	}
}

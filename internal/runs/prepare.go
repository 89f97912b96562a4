package runs

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/sessions"
)

// lockWait is how long a run waits for the end of another program's run on the
// same transcript.
const lockWait = 10 * time.Second

// prepare writes all that stands before the model is asked: the entry says
// that a run goes on, the transcript is locked and has the user's message.
func (r *run) prepare(wait time.Duration) error {
	var t taken
	err := r.store.Update(r.span.In(context.WithoutCancel(r.ctx)), func(tx *sessions.Tx) (err error) {
		a := arrival{kind: r.turn.Kind, key: r.turn.Key, fresh: r.turn.Fresh, now: time.UnixMilli(r.startedAt)}
		t, err = r.e.take(tx, r.store, a, r.start)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to write the session: %w", err)
	}
	if t.anew {
		r.e.archive(r.store, r.turn.Key, t.retired)
	}
	r.ref = Ref(r.store, r.turn.Key, t.entry)
	r.chooseModel(t.entry)
	if err := r.lock(wait); err != nil {
		return err
	}
	now := time.Now()
	if _, err := r.e.o.Transcripts.Repair(r.ref); err != nil {
		r.e.o.Log.Warn("damaged lines stay in the transcript", "run", r.turn.RunID, "session", r.turn.Key, "err", err)
	}
	lines, err := r.modelLines(now)
	if err != nil {
		return fmt.Errorf("read the transcript: %w", err)
	}
	err = r.append(append(lines, r.turn.userLine(r.lineID, now))...)
	r.kept = err == nil
	return err
}

// lock tells other programs that the run writes to the transcript, from before
// its first line until after its last.
func (r *run) lock(wait time.Duration) (err error) {
	r.unlock, err = r.e.o.Transcripts.Hold(r.ctx, r.ref, wait)
	return err
}

// free ends what lock began. Before lock, and a second time, it does nothing.
func (r *run) free() {
	if r.unlock != nil {
		r.unlock()
	}
}

// chooseModel settles which model is to answer, and how hard it is to think.
func (r *run) chooseModel(e sessions.Entry) {
	r.chosen = r.turn.Model
	if r.chosen == (config.ModelRef{}) {
		r.chosen = r.e.ModelOf(r.turn.Key, e)
	}
	r.level = cmp.Or(r.turn.Thinking, e.Text("thinkingLevel"))
	r.speak(r.chosen)
}

// speak makes ref the model that answers.
func (r *run) speak(ref config.ModelRef) {
	r.spoken = ref
	r.known, _ = r.e.cfg().Model(ref)
	r.api = apiOf(r.e.cfg(), ref)
	r.thinking = cmp.Or(r.level, r.e.cfg().ThinkingDefault(ref))
}

// ModelOf is the model that the runs of a session ask.
func (e *Engine) ModelOf(key string, entry sessions.Entry) config.ModelRef {
	return sessions.SelectedModel(e.cfg(), e.o.Stores.Keys().Agent(key), entry)
}

func (r *run) workspace() string {
	return r.e.cfg().Workspace(r.e.o.Stores.Keys().Agent(r.turn.Key))
}

// anewWait is how long BeginAnew waits for the end of a run.
const anewWait = 15 * time.Second

// BeginAnew gives a session a new transcript and keeps its settings, as a
// person asks for with /new. Its runs are aborted first; the error is
// ErrStillActive when they do not end.
func (e *Engine) BeginAnew(ctx context.Context, kind Kind, key string) error {
	release, err := e.Hold(ctx, key, HoldOptions{Abort: true, Wait: anewWait, sparing: true})
	if err != nil {
		return err
	}
	defer release()
	t, st, err := e.touch(ctx, arrival{kind: kind, key: key, fresh: true, now: time.Now()})
	if err == nil && t.anew {
		e.archive(st, key, t.retired)
	}
	return err
}

// Touch takes a message that starts no run, such as a command, into the
// session's entry, which is made when it is missing.
func (e *Engine) Touch(ctx context.Context, kind Kind, key string) error {
	_, _, err := e.touch(ctx, arrival{kind: kind, key: key, stays: true, now: time.Now()})
	return err
}

func (e *Engine) touch(ctx context.Context, a arrival) (taken, *sessions.Store, error) {
	st, err := e.o.Stores.Store(a.key)
	if err != nil {
		return taken{}, nil, err
	}
	var t taken
	err = st.Update(ctx, func(tx *sessions.Tx) (err error) {
		t, err = e.take(tx, st, a, nil)
		return err
	})
	return t, st, err
}

package runs

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

const requestAborted = "Request was aborted."

// append writes lines to the session's transcript and tells of the messages
// among them.
func (r *run) append(lines ...transcript.Line) error {
	written, err := r.e.o.Transcripts.Append(r.ref, r.workspace(), lines...)
	if err != nil {
		return fmt.Errorf("failed to write transcript: %w", err)
	}
	for _, a := range written {
		if a.Seq > 0 {
			r.e.o.Observer.Appended(r.turn.Key, a)
		}
	}
	return nil
}

// endDone writes the answer, brings entry and key up to date, and tells.
func (r *run) endDone() {
	stop := r.voice.said.stop
	if stop == "" {
		stop = model.Stop
	}
	if err := r.append(r.answerLine(string(stop), r.usage, nil)); err != nil {
		// What is not stored is not shown as an answer that will stay.
		r.endFailed(err)
		return
	}
	r.free()
	text := r.voice.said.visible()
	var before string
	err := r.update(func(fields *rawjson.Object) {
		finish(fields, Done, r.startedAt, r.endedAt)
		r.spent(fields, r.usage)
		before = r.notice(fields)
	})
	r.reportRecovered(before)
	o := r.outcome()
	o.Text = text
	r.conclude(o, err)
	r.reportEnd(Done, "", text)
}

// endFailed writes why there is no answer, or no whole one.
func (r *run) endFailed(fault error) {
	whole, shown := failure(fault)
	if shown == "" {
		shown = whole
	}
	if r.unlock != nil {
		if err := r.append(r.answerLine("error", nil, &whole)); err != nil {
			r.e.o.Log.Error("the failure of a run could not be written", "run", r.turn.RunID, "session", r.turn.Key, "err", err)
		}
	}
	r.free()
	err := r.update(func(fields *rawjson.Object) {
		finish(fields, Failed, r.startedAt, r.endedAt)
		if r.spoken.Model != "" {
			r.spent(fields, nil)
		}
	})
	o := r.outcome()
	o.Error = shown
	if r.kept {
		r.conclude(o, err)
	} else {
		r.leave(o)
	}
	r.e.o.Log.Warn("run failed", "run", r.turn.RunID, "session", r.turn.Key, "model", r.spoken.String(), "err", whole, "cause", errors.Unwrap(fault))
	r.reportEnd(Failed, shown, r.voice.said.shown())
}

// endAborted saves what was said and tells the end once the answer to the abort
// is on its way.
func (r *run) endAborted(why error) {
	<-r.told
	if err := r.savePartial(why); err != nil {
		r.e.o.Log.Error("the text of an aborted run could not be saved", "run", r.turn.RunID, "session", r.turn.Key, "err", err)
	}
	r.free()
	status := Killed
	if reason(why) == "timeout" {
		status = TimedOut
	}
	err := r.update(func(fields *rawjson.Object) { finish(fields, status, r.startedAt, r.endedAt) })
	r.concludeAborted(status, err)
	close(r.saved)
	r.awaitRelease()
	r.reportEnd(status, "", "")
}

// concludeAborted notes the end of an aborted run. One that has not written its
// message, because the transcript was locked or could not be written, leaves it
// to the next start, unless a person wanted it to end.
func (r *run) concludeAborted(status Status, err error) {
	switch {
	case r.kept:
		r.conclude(r.outcome(), err)
	case status == TimedOut:
		r.leave(r.outcome())
	default:
		r.concludeUnasked()
	}
}

// savePartial writes one line for a run that was cut short: what people saw of
// its answer, or that there was nothing.
func (r *run) savePartial(why error) error {
	if r.unlock == nil || r.e.o.Transcripts.HasIdempotency(r.ref, partialKey(r.turn.RunID)) {
		return nil
	}
	if text := r.voice.said.shown(); text != "" {
		return r.append(r.partialLine(text, origin(why), time.Now()))
	}
	r.voice.said = answer{}
	return r.append(r.answerLine("aborted", nil, new(requestAborted)))
}

// awaitRelease waits until the answer to the abort is queued.
func (r *run) awaitRelease() {
	t := time.NewTimer(releaseTimeout)
	defer t.Stop()
	select {
	case <-r.released:
	case <-t.C:
	case <-r.e.ctx.Done():
	}
}

// endUnstarted ends a run that was aborted while it waited for a slot.
func (r *run) endUnstarted() {
	<-r.told
	r.concludeUnasked()
	close(r.saved)
}

// leave ends a run that could not write its message, as on a full disk. For its
// key it has failed, but in the journal it has no end: the message was accepted,
// so the next start writes it down.
func (r *run) leave(o Outcome) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.e.conclude(r.claim, o)
	r.claim.left = true
	r.e.left = append(r.e.left, r)
}

// dropLeft gives up what runs of a session have left to the next start.
func (e *Engine) dropLeft(key string) {
	e.mu.Lock()
	var dropped []*run
	e.left = slices.DeleteFunc(e.left, func(r *run) bool {
		mine := r.turn.Key == key && r.claim.left
		if mine {
			r.claim.left = false
			dropped = append(dropped, r)
		}
		return mine
	})
	e.mu.Unlock()
	for _, r := range dropped {
		if err := e.journal(r.store.Dir()).append(endLine(r.claim.key, e.outcomeOf(r.claim)), true); err != nil {
			e.o.Log.Error("the end of a run could not be noted", "run", r.turn.RunID, "session", key, "err", err)
		}
	}
}

// conclude notes the outcome of the run, for its key and in the journal. err is
// what went wrong with the entry: that is for the log, the run is over anyway.
func (r *run) conclude(o Outcome, err error) {
	if err != nil {
		r.e.o.Log.Error("the session's entry could not be updated", "run", r.turn.RunID, "session", r.turn.Key, "err", err)
	}
	r.e.mu.Lock()
	r.e.conclude(r.claim, o)
	r.noted = true
	r.e.mu.Unlock()
	if err := r.e.journal(r.store.Dir()).append(endLine(r.claim.key, o), true); err != nil {
		r.e.o.Log.Error("the end of a run could not be noted", "run", r.turn.RunID, "session", r.turn.Key, "err", err)
	}
}

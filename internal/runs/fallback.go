package runs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
)

// failedModel is a model that was asked in vain, and why.
type failedModel struct {
	ref config.ModelRef
	err error
}

// ask asks the session's model and, when it fails before it has said anything,
// the models that the configuration names as its fallbacks, one after another.
// Only a fault of the model makes it ask them: where, say, the transcript cannot
// be read, the next model cannot be told the conversation either. Each change of
// the model is told before the next one is asked, and stands in the transcript.
// When all fail, the run is one of the model that was chosen.
func (r *run) ask() error {
	err := r.listen()
	var failed []failedModel
	for _, next := range r.fallbacks() {
		if _, faulty := errors.AsType[*model.Fault](err); !faulty || !r.unanswered() {
			return err
		}
		failed = append(failed, failedModel{r.spoken, err})
		if err := r.turnTo(next, failed); err != nil {
			return err
		}
		err = r.listen()
	}
	if err == nil || len(failed) == 0 || !r.unanswered() {
		return err
	}
	failed = append(failed, failedModel{r.spoken, err})
	r.speak(r.chosen)
	return allFailed(failed)
}

// fallbacks are the models to ask when the chosen one fails: those that are
// configured, and last the default model, where a person chose another one. A
// model of a provider that neither the default nor a fallback is of has none:
// who chose it gets that model or an error.
func (r *run) fallbacks() []config.ModelRef {
	agent := r.e.o.Stores.Keys().Agent(r.turn.Key)
	configured, own := r.e.cfg().Fallbacks(agent), r.e.cfg().DefaultModel(agent)
	if len(configured) == 0 || r.chosen.Provider != own.Provider && !slices.Contains(configured, r.chosen) {
		return nil
	}
	if !slices.Contains(configured, own) {
		configured = append(configured, own)
	}
	return slices.DeleteFunc(configured, func(ref config.ModelRef) bool { return ref == r.chosen })
}

// unanswered reports whether the run goes on and nothing of an answer has come: no
// text, and no tool was used, for another model would use it again.
func (r *run) unanswered() bool {
	r.voice.mu.Lock()
	defer r.voice.mu.Unlock()
	return r.ctx.Err() == nil && r.voice.said.whole.Len() == 0 && !r.voice.said.acted
}

// turnTo makes another model the one that answers.
func (r *run) turnTo(next config.ModelRef, failed []failedModel) error {
	last := failed[len(failed)-1]
	_, r.reason = failure(last.err)
	r.e.o.Log.Warn("a model failed, another one is asked", "run", r.turn.RunID, "session", r.turn.Key,
		"model", last.ref.String(), "next", next.String(), "err", last.err)
	r.speak(next)
	if err := r.noteModel(); err != nil {
		return err
	}
	r.voice.mu.Lock()
	r.voice.said = answer{}
	r.voice.mu.Unlock()
	r.report(func(seq int) { r.e.o.Observer.FellBack(r.fellBack(seq, failed)) })
	return nil
}

// reportRecovered tells that the chosen model answers again, where another one,
// before, did the last time.
func (r *run) reportRecovered(before string) {
	if before == "" || before == r.chosen.String() {
		return
	}
	r.report(func(seq int) {
		r.e.o.Observer.FellBack(Fallback{
			RunID: r.turn.RunID, Key: r.turn.Key, Seq: seq, At: nowMs(), Chosen: r.chosen, Active: r.chosen, Before: before,
		})
	})
}

// noteModel writes which model answers from here on.
func (r *run) noteModel() error {
	lines, err := r.modelLines(time.Now())
	if err != nil {
		return fmt.Errorf("read the transcript: %w", err)
	}
	return r.append(lines...)
}

func (r *run) fellBack(seq int, failed []failedModel) Fallback {
	f := Fallback{RunID: r.turn.RunID, Key: r.turn.Key, Seq: seq, At: nowMs(), Chosen: r.chosen, Active: r.spoken, Reason: r.reason}
	for _, a := range failed {
		_, shown := failure(a.err)
		f.Attempts = append(f.Attempts, Attempt{Model: a.ref, Reason: shown})
	}
	return f
}

// allFailed is the error of a run whose fallbacks failed as well.
func allFailed(failed []failedModel) error {
	wholes, showns := make([]string, len(failed)), make([]string, len(failed))
	for i, a := range failed {
		whole, shown := failure(a.err)
		wholes[i], showns[i] = a.ref.String()+": "+whole, a.ref.String()+": "+shown
	}
	head := fmt.Sprintf("All models failed (%d): ", len(failed))
	return &model.Fault{Text: head + strings.Join(wholes, " | "), Shown: head + strings.Join(showns, " | "), Err: failed[0].err}
}

// The fields by which an entry tells that another model answers than the chosen
// one, as existing clients know them.
const (
	noticeChosen = "fallbackNoticeSelectedModel"
	noticeActive = "fallbackNoticeActiveModel"
	noticeReason = "fallbackNoticeReason"
)

// notice writes into an entry whether a fallback answered. It reports what
// answered before, when the chosen model does so again.
func (r *run) notice(fields *rawjson.Object) (before string) {
	if r.spoken == r.chosen {
		before = fields.Text(noticeActive)
		fields.Delete(noticeChosen, noticeActive, noticeReason)
		return before
	}
	fields.Put(noticeChosen, r.chosen.String())
	fields.Put(noticeActive, r.spoken.String())
	fields.Put(noticeReason, r.reason)
	return ""
}

package runs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// cutLook is how many messages of a transcript are searched for the message of
// a run that a crash cut off.
const cutLook = 1000

// Recover settles what an earlier process left: runs that were cut off become
// killed and keep the text that was noted; messages whose turn had not come
// are written down or, where the configuration says so, started again; keys
// of runs that ended a short while ago are known again. It is called once,
// before anything starts.
func (e *Engine) Recover(ctx context.Context) error {
	files, err := e.journalFiles()
	if err != nil {
		return err
	}
	var errs []error
	textAt := map[string]int64{} // by session: when its last text was noted
	var again []*past
	for _, path := range files {
		more, err := e.recoverJournal(ctx, path, textAt)
		again, errs = append(again, more...), append(errs, err)
	}
	errs = append(errs, e.o.Stores.CloseRunning(ctx, func(key string, _ sessions.Entry) (int64, bool) {
		at, ok := textAt[key]
		return at, ok
	}))
	// Not before: a run that goes again is not one that was cut off.
	errs = append(errs, e.startAgain(again))
	return errors.Join(errs...)
}

// recoverJournal settles the runs of one journal, and says which are to be
// started again. These stay in it until they are, and so do those that cannot be
// settled, for the next time.
func (e *Engine) recoverJournal(ctx context.Context, path string, textAt map[string]int64) (again []*past, err error) {
	dir := filepath.Dir(path)
	runs, err := e.readJournal(dir)
	if err != nil {
		e.journal(dir).keepAsItIs(err)
		return nil, err
	}
	e.mu.Lock()
	for _, p := range runs {
		if p.ended == nil {
			e.unsettled[dir] = append(e.unsettled[dir], p)
		}
	}
	e.mu.Unlock()
	var errs []error
	for _, p := range runs {
		if p.ended != nil {
			e.remember(p, dir)
			continue
		}
		if p.textAt > 0 {
			textAt[p.accepted.Key] = p.textAt
		}
		resume, err := e.settlePast(ctx, dir, p)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("settle run %s of session %s: %w", p.accepted.RunID, p.accepted.Key, err))
		case resume:
			again = append(again, p)
		default:
			e.settled(p.key())
		}
	}
	return again, errors.Join(append(errs, e.journal(dir).rewrite())...)
}

// settled says that no journal needs to know a run of an earlier process any
// more.
func (e *Engine) settled(key claimKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for dir, runs := range e.unsettled {
		e.unsettled[dir] = slices.DeleteFunc(runs, func(p *past) bool { return p.key() == key })
	}
}

// journalFiles are all journals, also of agents that have no store yet.
func (e *Engine) journalFiles() ([]string, error) {
	root := filepath.Join(e.cfg().StateDir, "agents")
	agents, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for journals of runs: %w", err)
	}
	var files []string
	add := func(dir string) {
		path := filepath.Join(dir, journalName)
		_, err := os.Stat(path) // one that cannot be looked at may be there
		if absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR); !absent && !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	for _, a := range agents {
		add(filepath.Join(root, a.Name(), "sessions"))
	}
	for _, st := range e.o.Stores.All() {
		add(st.Dir())
	}
	return files, nil
}

// readJournal reads the journal in a directory and removes what a crash left
// beside it: nobody else writes journals.
func (e *Engine) readJournal(dir string) ([]*past, error) {
	root, err := e.o.Disk.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read the journal of runs: %w", err)
	}
	defer root.Close()
	if err := atomicfile.Sweep(root, journalName, 0); err != nil {
		e.o.Log.Warn("leftovers of a journal could not be removed", "dir", dir, "err", err)
	}
	data, err := root.ReadFile(journalName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the journal of runs: %w", err)
	}
	runs, damaged := parseJournal(data)
	if len(damaged) > 0 {
		e.o.Log.Error("the journal of runs has damaged lines, which are skipped",
			"path", filepath.Join(dir, journalName), "count", len(damaged), "lines", damaged)
	}
	return runs, nil
}

// remember makes the key of an ended run known again, for what is left of its
// time.
func (e *Engine) remember(p *past, dir string) {
	at := time.UnixMilli(p.ended.At)
	if time.Since(at) > claimLife {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := claimKey{p.ended.Kind, p.ended.RunID}
	c := e.claim(key, nil)
	c.dir = dir
	e.conclude(c, Outcome{
		RunID: key.runID, Aborted: p.ended.Aborted, Error: p.ended.Error,
		StartedAt: p.ended.StartedAt, EndedAt: p.ended.EndedAt,
	})
	c.at = at
	close(c.done)
}

// settlePast ends a run that a crash cut off, or reports that its message is to
// be started again. The start does not wait for runs of other programs: what
// is to be written into a transcript that is locked stays for the next time.
func (e *Engine) settlePast(ctx context.Context, dir string, p *past) (resume bool, err error) {
	st, err := e.o.Stores.Store(p.accepted.Key)
	if err != nil {
		return false, err
	}
	t := p.turn()
	r := newRun(e, t, st)
	defer r.cancel(nil)
	defer r.free()
	r.lineID, r.acceptedAt = p.accepted.LineID, p.accepted.At
	answer, begun, err := e.findPast(r)
	if err != nil {
		return false, err
	}
	answered := answer.Len() > 0
	switch {
	case !begun && e.resumes():
		return true, nil
	case !begun:
		err = r.writeUnasked()
	case answered:
		err = r.closeAnswered(answer)
	case p.text != "":
		if err = r.lock(0); err == nil {
			err = r.append(r.partialLine(p.text, "restart", time.UnixMilli(p.textAt)))
		}
	}
	if err != nil {
		return false, err
	}
	e.o.Log.Warn("run was cut off by a restart", "run", t.RunID, "session", t.Key, "begun", begun, "answered", answered)
	ended := record{Op: "ended", At: nowMs(), Kind: t.Kind, RunID: t.RunID}
	ended.Aborted, ended.Error = pastOutcome(answer)
	e.remember(&past{ended: &ended}, dir)
	return false, nil
}

// writeUnasked writes a message whose turn had not come as the message of a
// killed run.
func (r *run) writeUnasked() error {
	r.startedAt = r.acceptedAt
	if err := r.prepare(0); err != nil {
		return err
	}
	return r.update(func(fields *rawjson.Object) { finish(fields, Killed, r.startedAt, r.startedAt) })
}

// closeAnswered brings up to date the entry of a run that had written its
// answer when the crash came.
func (r *run) closeAnswered(answer rawjson.Object) error {
	status := Done
	switch {
	case answer.Text("stopReason") == "error":
		status = Failed
	case answer.Text("stopReason") == "aborted", answer.Has("openclawAbort"):
		status = Killed
	}
	return r.update(func(fields *rawjson.Object) {
		if fields.Text("status") == "running" {
			started, _ := rawjson.Number(fields.Get("startedAt"))
			at, _ := rawjson.Number(answer.Get("timestamp"))
			finish(fields, status, int64(started), max(int64(at), int64(started)))
		}
	})
}

// pastOutcome is what the key of a run answers that was cut off, by what it had
// written last: killed without an answer, failed where the model had.
func pastOutcome(answer rawjson.Object) (aborted bool, fault string) {
	switch {
	case answer.Len() == 0, answer.Text("stopReason") == "aborted", answer.Has("openclawAbort"):
		return true, ""
	case answer.Text("stopReason") == "error":
		return false, model.NewFault(answer.Text("errorMessage")).Shown
	}
	return false, ""
}

func (p *past) turn() Turn {
	a := p.accepted
	t := Turn{
		Kind: a.Kind, Key: a.Key, RunID: a.RunID, Message: a.Message, Thinking: a.Thinking,
		Timeout: time.Duration(a.TimeoutMs) * time.Millisecond, System: a.System, Fresh: a.Fresh,
		Model: config.ModelRef{Provider: a.Provider, Model: a.Model}, Owner: Owner{Device: a.Device},
	}
	for _, m := range a.Media {
		bytes, _ := os.ReadFile(m.Path) // without its bytes a picture is still named
		t.Media = append(t.Media, Media{Path: m.Path, MIME: m.MIME, Base64: base64.StdEncoding.EncodeToString(bytes)})
	}
	return t
}

// resumes reports whether messages whose turn had not come run after a restart.
func (e *Engine) resumes() bool { return e.cfg().Parley.RunsOnRestart == "resume" }

// findPast looks for a run's message in the transcript of its session, and for
// the answer behind it.
func (e *Engine) findPast(r *run) (answer rawjson.Object, begun bool, err error) {
	var entry sessions.Entry
	err = r.store.View(func(v *sessions.Snapshot) error {
		_, entry, _ = v.Find(r.turn.Key)
		return nil
	})
	if err != nil || entry.SessionID() == "" {
		return answer, false, err
	}
	r.ref = Ref(r.store, r.turn.Key, entry)
	r.spoken = r.turn.Model
	if r.spoken == (config.ModelRef{}) {
		r.spoken = e.ModelOf(r.turn.Key, entry)
	}
	messages, err := e.o.Transcripts.Messages(r.ref, cutLook)
	if err != nil {
		return answer, false, err
	}
	for _, m := range messages {
		if m.ID == r.lineID {
			begun = true
			continue
		}
		if o, err := rawjson.Parse(m.Raw); begun && err == nil && r.answeredBy(o) {
			return o, true, nil
		}
	}
	return answer, begun, nil
}

// answeredBy reports whether a message is what the run wrote last.
func (r *run) answeredBy(o rawjson.Object) bool {
	if o.Text("provider") == "openclaw" {
		return o.Text("idempotencyKey") == partialKey(r.turn.RunID)
	}
	return o.Text("role") == "assistant"
}

// startAgain starts what an earlier process had accepted, as accepted then: after
// another crash in the middle of this the order is still the one of the calls.
func (e *Engine) startAgain(runs []*past) error {
	var errs []error
	for _, p := range runs {
		ticket, err := e.startAt(p.turn(), p.accepted.At)
		if err != nil {
			errs = append(errs, fmt.Errorf("start run %s again: %w", p.accepted.RunID, err))
			continue
		}
		ticket.Begin()
	}
	return errors.Join(errs...)
}

package runs

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	journalName = "runs.journal"
	// journalSlack is how much a journal may grow before it is written anew
	// with what still matters.
	journalSlack = 1 << 20
	// noteEvery is the least time between two notes of a run's text.
	noteEvery = time.Second
)

// record is one line of a journal. A run has an accepted line, text lines
// while its model speaks, and an ended line.
type record struct {
	Op    string `json:"op"` // accepted, text, ended
	At    int64  `json:"t"`  // ms
	Kind  Kind   `json:"kind"`
	RunID string `json:"run"`

	// accepted
	Key       string      `json:"key,omitzero"`
	LineID    string      `json:"line,omitzero"`
	Message   string      `json:"message,omitzero"`
	Media     []noteMedia `json:"media,omitzero"`
	Thinking  string      `json:"thinking,omitzero"`
	TimeoutMs int64       `json:"timeoutMs,omitzero"`
	Provider  string      `json:"provider,omitzero"`
	Model     string      `json:"model,omitzero"`
	System    string      `json:"system,omitzero"`
	Fresh     bool        `json:"fresh,omitzero"`
	Device    string      `json:"device,omitzero"`

	// text: what the answer has more than at the last note, which went to byte
	// From. (A journal that is written anew may have it already.)
	Add  string `json:"add,omitzero"`
	From int    `json:"from,omitzero"`

	// ended
	Aborted   bool   `json:"aborted,omitzero"`
	Error     string `json:"error,omitzero"`
	StartedAt int64  `json:"startedAt,omitzero"`
	EndedAt   int64  `json:"endedAt,omitzero"`
}

type noteMedia struct {
	Path string `json:"path"`
	MIME string `json:"mime"`
}

func (r *run) acceptedLine() []byte {
	t := r.turn
	rec := record{
		Op: "accepted", At: r.acceptedAt, Kind: t.Kind, RunID: t.RunID, Key: t.Key, LineID: r.lineID,
		Message: t.Message, Thinking: t.Thinking, TimeoutMs: t.Timeout.Milliseconds(),
		Provider: t.Model.Provider, Model: t.Model.Model, System: t.System, Fresh: t.Fresh, Device: t.Owner.Device,
	}
	if t.Timeout < 0 {
		rec.TimeoutMs = -1
	}
	for _, m := range t.Media {
		rec.Media = append(rec.Media, noteMedia{m.Path, m.MIME})
	}
	return rec.line()
}

func endLine(key claimKey, o Outcome) []byte {
	return record{
		Op: "ended", At: nowMs(), Kind: key.kind, RunID: key.runID,
		Aborted: o.Aborted, Error: o.Error, StartedAt: o.StartedAt, EndedAt: o.EndedAt,
	}.line()
}

// accept makes a run durable. It takes the place of one of an earlier process
// that has the same key and could not be settled.
func (e *Engine) accept(r *run) error {
	wait := e.journal(r.store.Dir()).begin(r.acceptedLine(), true)
	if r.turn.Queued != nil {
		r.turn.Queued()
	}
	err := wait()
	if err == nil {
		e.settled(r.claim.key)
	}
	return err
}

// forgo sees to it that a run which was refused is not in the journal either,
// now that the engine has forgotten it.
func (e *Engine) forgo(r *run) {
	if err := e.journal(r.store.Dir()).mend(); err != nil {
		e.o.Log.Error("the journal of runs could not be written anew", "dir", r.store.Dir(), "err", err)
	}
}

// noteText notes what the answer has more by now, at most once a second. It is
// not synced: it is worth something after a crash of ours, and little after
// one of the machine.
func (r *run) noteText() {
	now := time.Now()
	if now.Sub(r.lastNote) < noteEvery {
		return
	}
	r.lastNote = now
	r.voice.mu.Lock()
	text := r.voice.said.shown()
	add, grown := strings.CutPrefix(text, r.note)
	if !grown || add == "" {
		r.voice.mu.Unlock()
		return
	}
	from := len(r.note)
	r.note = text
	r.voice.mu.Unlock()
	rec := record{Op: "text", At: now.UnixMilli(), Kind: r.turn.Kind, RunID: r.turn.RunID, Add: add, From: from}
	if err := r.e.journal(r.store.Dir()).append(rec.line(), false); err != nil {
		r.e.o.Log.Warn("the text of a run could not be noted", "run", r.turn.RunID, "err", err)
	}
}

// journal is the journal in a store's directory.
func (e *Engine) journal(dir string) *journal {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := e.journals[dir]
	if j == nil {
		j = &journal{disk: e.o.Disk, dir: dir, content: func() []byte { return e.journalContent(dir) }}
		e.journals[dir] = j
	}
	return j
}

// journalContent is what the journal of a directory needs to hold now.
func (e *Engine) journalContent(dir string) []byte {
	var out []byte
	e.mu.Lock()
	for _, c := range e.remembered(dir) {
		out = append(out, endLine(c.key, c.outcome)...)
	}
	for _, p := range e.unsettled[dir] {
		out = append(out, p.lines()...)
	}
	live := e.unended(dir)
	e.mu.Unlock()
	for _, r := range live {
		out = append(out, r.acceptedLine()...)
		r.voice.mu.Lock() // never with the engine's: reports are made under it
		note := r.note
		r.voice.mu.Unlock()
		if note != "" {
			out = append(out, record{Op: "text", At: nowMs(), Kind: r.turn.Kind, RunID: r.turn.RunID, Add: note}.line()...)
		}
	}
	return out
}

// unended are the runs of a directory's sessions whose end is not noted, in the
// order in which they were accepted.
func (e *Engine) unended(dir string) []*run {
	all := slices.Clone(e.left)
	for _, l := range e.lanes {
		if l.active != nil {
			all = append(all, l.active)
		}
		all = append(all, l.waiting...)
	}
	all = slices.DeleteFunc(all, func(r *run) bool { return r.noted || r.store.Dir() != dir })
	slices.SortFunc(all, func(a, b *run) int { return cmp.Compare(a.order, b.order) })
	return all
}

// closeJournals writes every journal anew, with what the next process needs.
func (e *Engine) closeJournals() error {
	e.mu.Lock()
	var all []*journal
	for _, j := range e.journals {
		all = append(all, j)
	}
	e.mu.Unlock()
	var errs []error
	for _, j := range all {
		errs = append(errs, j.close())
	}
	return errors.Join(errs...)
}

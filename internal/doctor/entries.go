package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// entries looks at what the entries of a store say.
func (e *examination) entries(ctx context.Context, s *examined) {
	warn := func(check, what, cure string, keys []string) {
		e.add(Finding{Severity: Warning, Check: check, Path: s.Path(), What: what, Cure: cure, Sessions: named(keys)})
	}
	e.odd(s)
	spellings, labels := map[string]int{}, map[string][]string{}
	var running, outside []string
	for key, entry := range s.content.All() {
		canonical := s.content.Canonical(key)
		spellings[canonical]++
		if label := entry.Text("label"); label != "" {
			labels[label] = append(labels[label], canonical)
		}
		if entry.Text("status") == "running" && e.over(s, canonical) {
			running = append(running, canonical)
		}
		ref := runs.Ref(s.Store, key, entry)
		if e.Transcripts.LeadsOut(ref) {
			outside = append(outside, canonical)
		}
	}
	if many := repeated(spellings); len(many) > 0 {
		e.add(Finding{
			Severity: Info, Check: "entry-spellings", Path: s.Path(), What: plural(len(many), "session stands", "sessions stand") + " in the file under several spellings of the key; the newest one counts",
			Cure: "The next change of the session joins them.", Sessions: named(many),
		})
	}
	for _, label := range sharedLabels(labels) {
		warn("label-twice", fmt.Sprintf("the label %q is used by %d sessions", label, len(labels[label])),
			"Give all but one another label (sessions.patch).", labels[label])
	}
	if len(outside) > 0 {
		warn("session-file-outside", plural(len(outside), "session names", "sessions name")+" a transcript outside the directories for transcripts; it is not used",
			"Move the file into the directory of the store, if it is needed, and mend sessionFile.", outside)
	}
	e.running(ctx, s, running)
	e.transcriptsOf(s)
}

// odd tells of members that are no entries.
func (e *examination) odd(s *examined) {
	if odd := slices.Collect(s.content.Odd()); len(odd) > 0 {
		e.add(Finding{
			Severity: Info, Check: "entry-odd", Path: s.Path(), What: plural(len(odd), "entry that is no object", "entries that are no objects") + ": kept in the file, and seen by nobody",
			Cure: "Nothing needs to be done.", Sessions: named(odd),
		})
	}
}

// over reports whether a session that says it runs does not, and is not settled
// by the next start either.
func (e *examination) over(s *examined, key string) bool {
	return (e.Running == nil || !e.Running(key)) && !s.unended[key]
}

// running closes sessions whose run a crash cut off.
func (e *examination) running(ctx context.Context, s *examined, keys []string) {
	if len(keys) == 0 {
		return
	}
	e.fix(Finding{
		Severity: Warning, Check: "entry-running", Path: s.Path(), What: plural(len(keys), "session is", "sessions are") + " marked as running, and nothing runs",
		Cure: withFix + " marks them as killed, and so does the next start.", Sessions: named(keys),
	}, func() ([]string, error) {
		copies, err := s.Copy()
		if err != nil {
			return copies, err
		}
		ended, err := s.EndRuns(ctx, func(key string) bool { return e.over(s, key) })
		e.report.Ended = append(e.report.Ended, ended...)
		return copies, err
	})
}

// transcriptsOf notes which transcripts the entries of a store have, and which
// are not there.
func (e *examination) transcriptsOf(s *examined) {
	var missing, unreadable []string
	var why error
	for key, entry := range s.content.All() {
		if entry.SessionID() == "" {
			continue
		}
		canonical := s.content.Canonical(key)
		path, err := e.Transcripts.Locate(runs.Ref(s.Store, key, entry))
		switch {
		case err == nil:
			if !slices.Contains(e.used[path], canonical) {
				e.used[path] = append(e.used[path], canonical)
			}
		case !errors.Is(err, transcript.ErrNotFound):
			unreadable, why = append(unreadable, canonical), err
		case spoken(entry):
			missing = append(missing, canonical)
		}
	}
	if len(missing) > 0 {
		e.add(Finding{
			Severity: Warning, Check: "transcript-missing", Path: s.Path(), What: plural(len(missing), "session", "sessions") + " had messages and no transcript is there",
			Cure: "Restore it, or remove such sessions with parley sessions cleanup --fix-missing.", Sessions: named(missing),
		})
	}
	if len(unreadable) > 0 {
		e.add(Finding{
			Severity: Error, Check: "transcript-unreadable", Path: s.Dir(), What: why.Error(),
			Cure: "Give the files back to the user who runs the daemon.", Sessions: named(unreadable),
		})
	}
}

// spoken reports whether an entry tells of messages. One that was just made or
// reset has no transcript yet.
func spoken(e sessions.Entry) bool {
	if sent, _ := e.Bool("systemSent"); sent || e.Text("status") != "" {
		return true
	}
	for _, name := range []string{"inputTokens", "outputTokens", "totalTokens"} {
		if n, ok := e.Number(name); ok && n > 0 {
			return true
		}
	}
	return false
}

// repeated are the keys that were counted more than once.
func repeated(counts map[string]int) (out []string) {
	for key, n := range counts {
		if n > 1 {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// sharedLabels are the labels of more than one session.
func sharedLabels(labels map[string][]string) (out []string) {
	for label, keys := range labels {
		slices.Sort(keys)
		if labels[label] = slices.Compact(keys); len(labels[label]) > 1 {
			out = append(out, label)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

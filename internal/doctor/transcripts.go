package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// transcripts reads every transcript that an entry names.
func (e *examination) transcripts(ctx context.Context) error {
	paths := slices.Sorted(maps.Keys(e.used))
	for i, path := range paths {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e.Progress("transcripts", i, len(paths))
		keys := e.used[path]
		if len(keys) > 1 {
			e.add(Finding{
				Severity: Warning, Check: "transcript-shared", Path: path, What: fmt.Sprintf("%d sessions have the same transcript", len(keys)),
				Cure: "Messages of each are seen in the others: delete or reset all but one.", Sessions: named(keys),
			})
		}
		e.transcript(path, keys[0])
	}
	e.Progress("transcripts", len(paths), len(paths))
	return nil
}

// transcript looks at the transcript at path, of the session with this key.
func (e *examination) transcript(path, key string) {
	ref, ok := e.refOf(path, key)
	if !ok {
		return // the session went meanwhile
	}
	c, err := transcript.Check(path)
	if err != nil {
		e.add(Finding{Severity: Error, Check: "transcript-unreadable", Path: path, What: err.Error(), Cure: "Give the file back to the user who runs the daemon.", Sessions: []string{key}})
		return
	}
	e.report.Checked.Transcripts++
	e.report.Checked.Bytes += c.Size
	active := e.Running != nil && e.Running(key)
	if active {
		c.Torn = false // it is being written
	}
	faults := c.Faults(ref.SessionID)
	if len(faults) == 0 {
		return
	}
	f := Finding{
		Severity: judge(c, ref.SessionID), Check: "transcript-damaged", Path: path, What: strings.Join(faults, "; "),
		Cure: cureOf(c, ref.SessionID), Sessions: []string{key},
	}
	if !mendable(c) {
		e.add(f)
		return
	}
	e.fix(f, func() ([]string, error) {
		if active {
			return nil, errors.New("the session has a run: try again when it is done")
		}
		return e.Transcripts.Mend(ref, e.Config.Workspace(ref.Agent))
	})
}

// mendable reports whether a transcript can be brought into order.
func mendable(c transcript.Condition) bool {
	return c.Lines > 0 && c.Version <= transcript.Version && (!c.Header || c.Version < transcript.Version || c.Bad > 0)
}

// cureOf is what to do about the faults of a transcript.
func cureOf(c transcript.Condition, sessionID string) string {
	switch {
	case c.Version > transcript.Version:
		return "Run the version of the program that wrote it."
	case mendable(c):
		return withFix + " keeps all lines that can be read, and the file as it was beside it."
	case c.Header && c.SessionID != sessionID:
		return "Look whether the session names the right file (sessionId, sessionFile)."
	case c.Torn && c.Repeated+c.Orphans == 0:
		return "The next message ends it."
	}
	return "Readers pass over it; nothing needs to be done."
}

// judge is how bad the faults of a transcript are.
func judge(c transcript.Condition, sessionID string) Severity {
	switch {
	case c.Version > transcript.Version:
		return Error
	case c.Lines > 0 && !c.Header, c.Header && c.SessionID != sessionID, c.Bad > 0 && !(c.Bad == 1 && c.Torn), c.Repeated > 0:
		return Warning
	}
	return Info
}

// refOf is the transcript at path as the entry of a session names it.
func (e *examination) refOf(path, key string) (ref transcript.Ref, ok bool) {
	for _, s := range e.stores {
		for stored, entry := range s.content.Naming(filepath.Base(path)) {
			if ref = runs.Ref(s.Store, stored, entry); s.content.Canonical(stored) == key && e.Transcripts.Reaches(ref, path) {
				return ref, true
			}
		}
	}
	return ref, false
}

// unused tells of transcripts in a directory that no session names.
func (e *examination) unused(dir string) {
	if e.blind {
		return // nobody knows what is named
	}
	names, _ := os.ReadDir(dir)
	var list []string
	var bytes int64
	for _, n := range names {
		if !n.Type().IsRegular() || !strings.HasSuffix(n.Name(), ".jsonl") || e.isNamed(n.Name()) {
			continue
		}
		list = append(list, n.Name())
		if info, err := n.Info(); err == nil {
			bytes += info.Size()
		}
	}
	if len(list) > 0 {
		e.add(Finding{
			Severity: Info, Check: "transcript-unused", Path: dir,
			What: fmt.Sprintf("no session has %s, together %s: %s", plural(len(list), "transcript", "transcripts"), size(bytes), some(list)),
			Cure: "They may be all that is left of lost sessions (doc/operations.md tells how to get one back); else remove them.",
		})
	}
}

func (e *examination) isNamed(file string) bool {
	return slices.ContainsFunc(e.stores, func(s *examined) bool { return names(s.content, file) })
}

func names(v *sessions.Snapshot, file string) bool {
	for range v.Naming(file) {
		return true
	}
	return false
}

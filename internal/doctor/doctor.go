// Package doctor examines a state directory and says what is wrong with it, on
// which file, how bad it is and what to do; and it repairs what can be
// repaired, if asked.
//
// Guarantees:
//   - Without Fix nothing is changed, neither a file nor its times.
//   - With Fix every file that is changed or replaced is kept as a copy first,
//     and the finding tells where.
//   - It works beside a daemon that is running, given that daemon's own parts,
//     and in a process of its own, given parts that nobody else uses.
//
// How a store, a transcript or a journal is repaired is decided by the packages
// that own them; this one knows what to look at and what to tell a person.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Parts are what an examination looks at.
type Parts struct {
	Config      *config.Config
	Stores      *sessions.Stores
	Transcripts *transcript.Library
	Log         *slog.Logger
	// Running reports whether a session has a run. It is nil when no daemon has
	// the state directory: then nothing runs.
	Running func(canonicalKey string) bool
	// Troubles are what the caller found out before.
	Troubles []Finding
}

// Options say how to examine.
type Options struct {
	Fix bool
	// Progress is told now and then what is being looked at; total is 0 when it
	// is not known. It is optional.
	Progress func(what string, done, total int)
}

// Examine looks at everything and, with Fix, repairs what it can. An error says
// that it could not finish; the report then tells how far it came.
func Examine(ctx context.Context, p Parts, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	e := &examination{Parts: p, Options: o, all: p.Stores.All(), used: map[string][]string{}, alike: map[string]*fold{}}
	e.report = Report{StateDir: p.Config.StateDir, Fix: o.Fix, Findings: p.Troubles}
	err := e.run(ctx)
	e.unfold()
	e.report.finish()
	return e.report, err
}

// examination is one Examine under way.
type examination struct {
	Parts
	Options
	report Report
	all    []*sessions.Store

	stores []*examined
	used   map[string][]string // canonical keys by the path of their transcript
	blind  bool                // a store could not be read: what it names is unknown
	alike  map[string]*fold    // by check
}

func (e *examination) run(ctx context.Context) error {
	e.configuration()
	e.place()
	for _, st := range e.all {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		e.Progress("stores", len(e.stores), 0)
		e.store(ctx, st)
	}
	for _, dir := range e.sessionDirs() {
		e.runs(dir)
	}
	for _, s := range e.stores {
		e.entries(ctx, s)
	}
	if err := e.transcripts(ctx); err != nil {
		return err
	}
	for _, dir := range e.sessionDirs() {
		e.unused(dir)
	}
	return nil
}

// maxAlike is how many findings of one check are told one by one.
const maxAlike = 100

// fold stands for the findings of one check beyond maxAlike.
type fold struct {
	told, more int
	worst      Finding
}

// add notes a finding.
func (e *examination) add(f Finding) {
	a := e.alike[f.Check]
	if a == nil {
		a = &fold{}
		e.alike[f.Check] = a
	}
	if a.told < maxAlike {
		a.told++
		e.report.Findings = append(e.report.Findings, f)
		return
	}
	a.more++
	if a.more == 1 || f.worse(a.worst) {
		a.worst = f
	}
}

// unfold tells how many findings were not told, and how bad the worst is.
func (e *examination) unfold() {
	for _, check := range slices.Sorted(maps.Keys(e.alike)) {
		if a := e.alike[check]; a.more > 0 {
			f := a.worst
			f.What = fmt.Sprintf("%d more findings of this kind, among them: %s", a.more, f.What)
			e.report.Findings = append(e.report.Findings, f)
		}
	}
}

// fix notes a finding that can be repaired, after trying to when that is
// wanted. repair gives the paths of the copies that it made.
func (e *examination) fix(f Finding, repair func() (copies []string, err error)) {
	f.Fixable = true
	if e.Fix {
		copies, err := repair()
		f.Copies = copies
		if f.Fixed = err == nil; err != nil {
			f.Failed = err.Error()
		}
	}
	e.add(f)
}

// withFix is the cure of what --fix can do.
const withFix = "parley doctor --fix"

// configuration reports what is wrong with the configuration as it is now; a
// daemon may run with an older one.
func (e *examination) configuration() {
	for _, issue := range e.Config.Current().Issues {
		what := issue.Message
		if issue.Path != "" {
			what = issue.Path + ": " + what
		}
		e.add(Finding{
			Severity: Error, Check: "config", Path: e.Config.Path, What: what,
			Cure: "Mend the file: the next start refuses it.",
		})
	}
}

// sessionDirs are the directories in which sessions lie, or could: those of the
// stores, and those of agents without one.
func (e *examination) sessionDirs() (dirs []string) {
	seen := map[string]bool{}
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	for _, s := range e.stores {
		add(s.Dir())
	}
	found, _ := filepath.Glob(filepath.Join(escape(e.Config.StateDir), "agents", "*", "sessions")) // the pattern is a good one
	for _, dir := range found {
		add(dir)
	}
	return dirs
}

// plural is a count with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package doctor

import (
	"fmt"

	"github.com/parleyd/parley/internal/runs"
)

// runs looks at the journal of runs in a directory. A daemon that runs has
// written it anew at its start.
func (e *examination) runs(dir string) {
	c, err := runs.CheckJournal(dir)
	if err != nil {
		e.add(Finding{Severity: Error, Check: "runs-unreadable", Path: c.Path, What: err.Error(), Cure: "Give the file back to the user who runs the daemon: until then no message is accepted there."})
		return
	}
	if len(c.Damaged) > 0 {
		f := Finding{
			Severity: Warning, Check: "runs-damaged", Path: c.Path,
			What: fmt.Sprintf("%s of the journal of runs cannot be read, the first is line %d; a message may be lost", plural(len(c.Damaged), "line", "lines"), c.Damaged[0]),
			Cure: withFix + " keeps a copy and the lines that can be read; the next start does so without a copy.",
		}
		if e.Running != nil {
			f.Cure = "Stop the daemon, then " + withFix + " keeps a copy and the lines that can be read."
			e.add(f)
		} else {
			e.fix(f, func() ([]string, error) { return runs.MendJournal(dir) })
		}
	}
	if e.Running != nil || len(c.Unended) == 0 {
		return
	}
	var keys []string
	for _, u := range c.Unended {
		keys = append(keys, u.Key)
	}
	for _, s := range e.stores {
		for _, key := range keys {
			s.unended[key] = true
		}
	}
	e.add(Finding{
		Severity: Info, Check: "runs-unended", Path: c.Path, What: plural(len(keys), "message was accepted and its run has", "messages were accepted and their runs have") + " not ended",
		Cure: "The next start settles it: see parley.runs.onRestart.", Sessions: named(keys),
	})
}

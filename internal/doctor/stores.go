package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// examined is a store and its content after a repair, if there was one.
type examined struct {
	*sessions.Store
	content *sessions.Snapshot
	unended map[string]bool // sessions with a run that the next start settles
}

// store looks at the files of a store and repairs them.
func (e *examination) store(ctx context.Context, st *sessions.Store) {
	e.aside(st)
	c, err := st.Condition()
	if err != nil {
		e.blind = true
		e.add(Finding{
			Severity: Error, Check: "store-unreadable", Path: st.Path(), What: err.Error(),
			Cure: "Give the file back to the user who runs the daemon; changes of its sessions fail until then.",
		})
		return
	}
	if c.Exists || c.Journal.Exists {
		e.report.Checked.Stores++
	}
	content := c.Content
	if found := e.storeFindings(st, c); len(found) > 0 {
		repaired := e.repairStore(ctx, st, found, !c.Journal.Later)
		if repaired {
			_ = st.View(func(v *sessions.Snapshot) error { // fn cannot fail
				content = v
				return nil
			})
		}
		e.blind = e.blind || c.Journal.Later || c.Fault != nil && !repaired
	}
	e.stores = append(e.stores, &examined{Store: st, content: content, unended: map[string]bool{}})
	e.report.Checked.Sessions += content.Len()
}

// repairStore notes what was found in the files of a store. One repair sees to
// all of it.
func (e *examination) repairStore(ctx context.Context, st *sessions.Store, found []Finding, fixable bool) (repaired bool) {
	if !fixable {
		for _, f := range found {
			e.add(f)
		}
		return false
	}
	var copies []string
	var err error
	if e.Fix {
		copies, err = st.Repair(ctx)
	}
	for _, f := range found {
		e.fix(f, func() ([]string, error) { return copies, err })
		copies = nil // told once
	}
	return e.Fix && err == nil
}

// storeFindings is what is wrong with the files of a store. The journal of a
// daemon that runs is never complete, and never torn.
func (e *examination) storeFindings(st *sessions.Store, c sessions.Condition) (found []Finding) {
	journal := st.Path() + ".journal"
	add := func(s Severity, check, path, what, cure string) {
		found = append(found, Finding{Severity: s, Check: check, Path: path, What: what, Cure: cure})
	}
	j := c.Journal
	if c.Fault != nil {
		add(Error, "store-damaged", st.Path(), "the file is no JSON object, so its sessions are not shown: "+c.Fault.Error(), damagedCure(st))
	}
	switch {
	case j.Later:
		add(Error, "journal-later", journal, "a later version of parley wrote the journal", "Run that version: this one cannot read the store.")
	case j.Broken():
		add(Error, "journal-damaged", journal, damagedJournal(j), withFix+" keeps all lines that can be read; until then sessions can be read but not changed.")
		found[len(found)-1].Sessions = named(j.Lost)
	case j.Live || c.Fault != nil:
	case j.Torn:
		add(Info, "journal-torn", journal, "the last line cannot be read: a crash cut it off, most likely before anybody was told of it", withFix+" keeps a copy and cuts it; the next start cuts it without a copy.")
	}
	switch {
	case j.Live || j.Pending == 0:
	case j.Foreign:
		add(Info, "journal-foreign", journal, fmt.Sprintf("another program wrote the store; %s of the journal will be merged with it", plural(j.Pending, "session", "sessions")),
			withFix+" does it, and so does the next start; of two versions the newer one stays, the other goes to "+filepath.Base(st.Path())+".conflicts.")
	default:
		add(Info, "store-pending", st.Path(), fmt.Sprintf("a crash left the changes of %s in the journal; other programs do not see them", plural(j.Pending, "session", "sessions")),
			withFix+" writes them into the file, and so does the next start.")
	}
	return found
}

// damagedJournal is what cannot be read. The sessions that it is about, as far as
// that can be made out, are those of which a change is lost.
func damagedJournal(j sessions.JournalCondition) string {
	switch {
	case len(j.Damaged) == 0:
		return "nothing in the journal can be read"
	case j.Headless:
		return fmt.Sprintf("the journal is damaged from its first line on: %s of %d cannot be read", plural(len(j.Damaged), "line", "lines"), len(j.Damaged)+j.Lines)
	}
	return fmt.Sprintf("the journal is damaged at byte %d: %s of %d cannot be read", j.Damaged[0], plural(len(j.Damaged), "line", "lines"), len(j.Damaged)+j.Lines)
}

// damagedCure is what to do about a damaged store. A copy that can be read is
// only named: what became of the sessions since then nobody knows.
func damagedCure(st *sessions.Store) string {
	cure := withFix + " sets it aside and keeps what can be read of it and of the journal, and what a daemon that runs still knows."
	if name, n := newestCopy(st); name != "" {
		cure += fmt.Sprintf(" %s can be read and holds %s: what is missing then can be taken from there by hand.", name, plural(n, "session", "sessions"))
	}
	return cure
}

// newestCopy is the newest file set aside beside a store that can be read.
func newestCopy(st *sessions.Store) (name string, entries int) {
	type copied struct {
		name string
		at   int64
	}
	var all []copied
	names, _ := os.ReadDir(st.Dir())
	for _, n := range names {
		rest, ok := strings.CutPrefix(n.Name(), filepath.Base(st.Path())+".")
		kind, ms, two := strings.Cut(rest, ".")
		at, err := strconv.ParseInt(ms, 10, 64)
		if ok && two && err == nil && slices.Contains([]string{"bak", "corrupt", "doctor"}, kind) {
			all = append(all, copied{n.Name(), at})
		}
	}
	slices.SortFunc(all, func(a, b copied) int { return cmp.Compare(b.at, a.at) })
	for _, c := range all {
		data, err := os.ReadFile(filepath.Join(st.Dir(), c.name))
		if err != nil {
			continue
		}
		n := 0
		err = rawjson.Walk(data, func([]byte, rawjson.Value) error { n++; return nil })
		if err == nil && n > 0 {
			return c.name, n
		}
	}
	return "", 0
}

// aside tells of files that lie about since earlier damage.
func (e *examination) aside(st *sessions.Store) {
	base := filepath.Base(st.Path())
	names, _ := os.ReadDir(st.Dir())
	counts := map[string]int{}
	var bytes int64
	for _, n := range names {
		kind := ""
		switch name := n.Name(); {
		case name == base+".conflicts":
			kind = "conflicts"
		case strings.HasPrefix(name, base+".corrupt."), strings.HasPrefix(name, base+".journal.corrupt."), strings.HasPrefix(name, base+".journal.cut."):
			kind = "corrupt"
		case strings.HasPrefix(name, base+".doctor."), strings.HasPrefix(name, base+".journal.doctor."), strings.HasPrefix(name, "runs.journal.doctor."):
			kind = "doctor"
		default:
			continue
		}
		counts[kind]++
		if info, err := n.Info(); err == nil {
			bytes += info.Size()
		}
	}
	var told []string
	tell := func(kind, one, many string) {
		if n := counts[kind]; n > 0 {
			told = append(told, plural(n, one, many))
		}
	}
	tell("corrupt", "damaged file that was set aside (.corrupt)", "damaged files that were set aside (.corrupt)")
	tell("conflicts", "file of values that lost against another program's (.conflicts)", "")
	tell("doctor", "copy made by a repair (.doctor)", "copies made by repairs (.doctor)")
	if len(told) > 0 {
		e.add(Finding{
			Severity: Info, Check: "set-aside", Path: st.Dir(), What: fmt.Sprintf("%s; together %s", strings.Join(told, ", "), size(bytes)),
			Cure: "Look whether something that is missed is in them, then remove them: nothing else does.",
		})
	}
}

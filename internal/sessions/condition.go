package sessions

import (
	"bytes"
	"iter"
	"log/slog"
	"regexp"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// Condition is what the files of a store look like: what has to be known
// before somebody repairs them.
type Condition struct {
	// Exists is whether the file is there; Fault is why its content is no JSON
	// object, nil when it is one or there is none.
	Exists bool
	Fault  error
	// Journal is the journal beside it.
	Journal JournalCondition
	// Content is the file with the changes of the journal; empty when the file
	// is damaged, and without those of a journal that is of a later version.
	Content *Snapshot
}

// JournalCondition is what the journal of a store looks like.
type JournalCondition struct {
	Exists bool
	// Live is whether this process writes it: then what is Pending will soon be
	// in the file.
	Live bool
	// Later is whether a later version of this program wrote it, which alone can
	// read it.
	Later bool
	// Headless is whether its first line cannot be read, Damaged where in the
	// journal acknowledged lines begin that cannot, Torn whether it ends in
	// something that was never acknowledged.
	Headless bool
	Damaged  []int64
	Torn     bool
	// Lost are the keys that damaged lines seem to be about.
	Lost []string
	// Lines that can be read.
	Lines int
	// Pending is how many sessions are in another state in the file. Foreign is
	// whether the file is not the one that the journal continues, so that
	// another program wrote it.
	Pending int
	Foreign bool
}

// Broken reports whether acknowledged changes cannot be read.
func (j JournalCondition) Broken() bool { return j.Headless || len(j.Damaged) > 0 }

// Odd are the keys of members that are no objects: they are kept in the file,
// and no reader sees them.
func (v *Snapshot) Odd() iter.Seq[string] {
	return func(yield func(string) bool) {
		v.order.Scan(func(r *record) bool { return r.object || yield(r.key) })
	}
}

// Canonical is the key that a stored key of the snapshot means.
func (v *Snapshot) Canonical(storedKey string) string { return stored(storedKey, v.agent) }

// Condition looks at the files of the store. It changes nothing, not even what
// opening a store does: a torn journal stays as it is.
func (s *Store) Condition() (Condition, error) {
	f, err := s.commits.readFiles()
	if err != nil {
		return Condition{}, s.unavailable("read", err)
	}
	c, fault := newContent(f.store, f.at, s.keys, s.agent)
	r := readJournal(f.journal)
	out := Condition{Exists: f.at != (stamp{}), Fault: fault, Content: c.view}
	out.Journal = JournalCondition{
		Exists: f.tail != (stamp{}), Live: f.live, Later: r.foreign != nil, Damaged: r.damaged, Torn: r.torn, Lines: r.newlines,
	}
	if out.Journal.Later {
		return out, nil
	}
	out.Journal.Lost = keysIn(f.journal, r.damaged)
	// The first line takes its place as a whole, so it is never torn.
	out.Journal.Headless = !r.ok && (r.torn || r.newlines > 0)
	out.Journal.Foreign = r.ok && !r.continues(c.base)
	d := s.commits.detached()
	if out.Content, err = d.join(c, f.journal, f.tail); err != nil {
		return Condition{}, s.unavailable("read", err)
	}
	out.Journal.Pending = len(d.dirty)
	return out, nil
}

// firstKey finds the first key that a line of a journal sets.
var firstKey = regexp.MustCompile(`"set":\[\[("(?:[^"\\]|\\.)*"),`)

// keysIn are the keys in the lines of a journal that begin at these places,
// which are damaged: what can be made out of them.
func keysIn(journal []byte, lines []int64) (keys []string) {
	for _, at := range lines {
		line, _, _ := bytes.Cut(journal[at:], []byte{'\n'})
		if m := firstKey.FindSubmatch(line); m != nil {
			if key, ok := rawjson.Text(m[1]); ok && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// detached is a log of the same files that writes nothing: to try out what
// their content comes to.
func (l *fileLog) detached() *fileLog {
	return &fileLog{
		files: l.files, path: l.path, keys: l.keys, agent: l.agent, look: true,
		log: slog.New(slog.DiscardHandler), poke: func() {}, dirty: map[string]change{},
	}
}

// storeFiles are the bytes of a store and its journal at one moment.
type storeFiles struct {
	store, journal []byte
	at, tail       stamp
	live           bool // the journal is ours
}

// readFiles reads both files as they belong together.
func (l *fileLog) readFiles() (f storeFiles, err error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	f.live = l.journal != nil
	for try := 1; ; try++ {
		if f.journal, f.tail, err = readStamped(l.files, l.journalPath()); err != nil {
			return f, err
		}
		if f.store, f.at, err = readStamped(l.files, l.path); err != nil {
			return f, err
		}
		after, err := statFile(l.journalPath())
		if l.owned.Load() || try == 5 || err == nil && after.same(f.tail) {
			return f, nil
		}
	}
}

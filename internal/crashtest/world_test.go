package crashtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// world is what is there when a daemon has been started anew: what it says and
// what lies in its files.
type world struct {
	rows   map[string]row
	heard  map[string][]said // messages by key, as sessions.get tells them
	files  *files
	faults []string // of the whole
}

// observe asks a daemon in which nothing goes on.
func observe(ctx context.Context, c *client.Conn, f *files) (*world, error) {
	w := &world{files: f, heard: map[string][]said{}}
	var err error
	if w.rows, err = rows(ctx, c, ""); err != nil {
		return nil, err
	}
	for key, r := range w.rows {
		var got struct {
			Messages []rawjson.Value `json:"messages"`
		}
		if err := call(ctx, c, "sessions.get", params{"key": key, "limit": 1_000_000}, &got); err != nil {
			return nil, err
		}
		for _, m := range got.Messages {
			if s, ok := ours(m); ok {
				w.heard[key] = append(w.heard[key], s)
			}
		}
		if r.Status == "running" {
			w.faults = append(w.faults, fmt.Sprintf("session %s is running after a restart", key))
		}
	}
	if err := f.read(); err != nil {
		return nil, err
	}
	for name, content := range f.seen {
		if content.fault != "" {
			w.faults = append(w.faults, name+" "+content.fault)
		}
	}
	return w, nil
}

// settle compares a session with what is there. The call without an answer may
// have happened or not; what it was is then known.
func (w *world) settle(s *session) []string {
	if s.pending == nil {
		faults := w.compare(s, s.now, s.past)
		if len(faults) == 0 {
			s.now = w.adopt(s.key, s.now)
		}
		return faults
	}
	without := s.now.disturbed(s.pending)
	faults := w.compare(s, without, s.past)
	if len(faults) == 0 {
		s.now, s.pending = w.adopt(s.key, without), nil
		return nil
	}
	with, ended, _ := s.now.after(s.pending, nil)
	past := slices.Clone(s.past)
	if ended != nil {
		past = append(past, ended)
	}
	others := w.compare(s, with, past)
	if len(others) == 0 {
		s.now, s.past, s.pending = w.adopt(s.key, with), past, nil
		return nil
	}
	return append(append([]string{"if the last call did not happen:"}, faults...), append([]string{"if it did:"}, others...)...)
}

// compare is how a state differs from what is there.
func (w *world) compare(s *session, st state, past []*life) (faults []string) {
	r, there := w.rows[s.key]
	if there != st.exists {
		return []string{fmt.Sprintf("it is there: %v, want %v", there, st.exists)}
	}
	var torn int
	for _, l := range past {
		if l.id == r.SessionID && l.id != "" {
			faults = append(faults, "it has the sessionId of an ended one: "+l.id)
		}
		more, n := w.compareLife(l, l.id, l.setAside)
		faults, torn = append(faults, more...), torn+n
	}
	if !there {
		return w.judgeTorn(s, torn, faults)
	}
	if d := differ(st.settings, r.settings()); d != "" {
		faults = append(faults, d)
	}
	if st.life.id != "" && st.life.id != r.SessionID {
		return append(faults, fmt.Sprintf("sessionId is %s, want %s", r.SessionID, st.life.id))
	}
	if r.UpdatedAt < st.updated {
		faults = append(faults, fmt.Sprintf("updatedAt is %.0f, want at least %.0f", r.UpdatedAt, st.updated))
	}
	more, n := w.compareLife(st.life, r.SessionID, false)
	faults, torn = append(faults, more...), torn+n
	var inFile []said
	if f := w.files.seen[r.SessionID+".jsonl"]; f != nil {
		inFile = f.texts
	}
	if !slices.Equal(inFile, w.heard[s.key]) {
		faults = append(faults, fmt.Sprintf("sessions.get tells %d messages, %s.jsonl has %d, or in another order", len(w.heard[s.key]), r.SessionID, len(inFile)))
	}
	return w.judgeTorn(s, torn, faults)
}

// judgeTorn allows one torn line for each call that a kill cut off.
func (w *world) judgeTorn(s *session, torn int, faults []string) []string {
	if torn > s.cuts {
		faults = append(faults, fmt.Sprintf("%d torn lines after %d calls that were cut off", torn, s.cuts))
	}
	return faults
}

// compareLife looks for the messages of a life in the files of its transcript.
// torn is how many lines there do not parse.
func (w *world) compareLife(l *life, id string, setAside bool) (faults []string, torn int) {
	if id == "" {
		return nil, 0 // it ended before anybody had its name
	}
	live, copies := map[said]int{}, map[said]int{}
	var order []said
	for name, f := range w.files.families[id] {
		switch {
		case isCopy(name):
			for _, s := range f.texts {
				copies[s]++
			}
			continue
		case setAside && name == id+".jsonl":
			faults = append(faults, name+" was set aside, as was answered, and is still there")
		}
		torn += f.torn
		order = append(order, f.texts...)
		for _, s := range f.texts {
			live[s]++
		}
	}
	for _, n := range l.notes {
		if fault := n.judge(live[n.said], copies[n.said]); fault != "" {
			faults = append(faults, fmt.Sprintf("transcript %s: %.60q %s", id, n.text, fault))
		}
	}
	return append(faults, judgeOrder(l, id, order)...), torn
}

// judge looks at how often a message is in the transcript and in copies that
// compaction made.
func (n note) judge(live, copies int) string {
	switch {
	case live > 1:
		return fmt.Sprintf("is there %d times", live)
	case n.sure && n.cut && live+copies == 0:
		return "is lost, also from the copies"
	case n.sure && !n.cut && live == 0:
		return "is lost"
	}
	return ""
}

// judgeOrder: injected messages are in the order of their answers, and so are
// those that were sent; a compaction keeps the last ones; nothing else is there.
func judgeOrder(l *life, id string, order []said) (faults []string) {
	place := map[said]int{}
	for i, n := range l.notes {
		place[n.said] = i
	}
	last := map[bool]int{false: -1, true: -1} // by said.user
	for _, s := range order {
		i, known := place[s]
		if !known {
			faults = append(faults, fmt.Sprintf("transcript %s: %.60q is there, which nobody sent there or which was refused", id, s.text))
			continue
		}
		if i < last[s.user] {
			faults = append(faults, fmt.Sprintf("transcript %s: %.60q stands behind a later message", id, s.text))
		}
		last[s.user] = max(last[s.user], i)
	}
	return faults
}

// adopt is a state that was found to be true, with all that is now known.
func (w *world) adopt(key string, st state) state {
	if !st.exists {
		return st
	}
	st = st.clone()
	r := w.rows[key]
	st.life.id, st.updated = r.SessionID, r.UpdatedAt
	found := map[said]bool{}
	for _, f := range w.files.families[r.SessionID] {
		for _, s := range f.texts {
			found[s] = true
		}
	}
	kept := st.life.notes[:0]
	for _, n := range st.life.notes {
		if found[n.said] {
			n.sure, n.settled = true, true
			kept = append(kept, n)
		}
	}
	st.life.notes = kept
	return st
}

// short is a text as messages of failures show it.
func short(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strings.TrimSpace(s)
}

package crashtest_test

import (
	"fmt"
	"maps"
	"slices"
)

// session is what the one client that changes a session knows of it.
type session struct {
	key     string
	now     state
	past    []*life // transcripts that were reset or deleted
	pending *change // the call that has had no answer
	cuts    int     // calls without an answer so far: each may have torn a line
}

// state is what must be seen of a session.
type state struct {
	exists   bool
	settings map[string]string
	updated  float64 // never goes back while the session exists
	life     *life
}

// life is one transcript of a session.
type life struct {
	id       string // "" until an answer or a list told it
	notes    []note
	setAside bool // a reset or delete was answered: the file has another name
}

// note is a message that was sent or injected.
type note struct {
	said
	run     string // of a sent message
	sure    bool   // must be found; else it may be
	settled bool   // nothing can keep it from being written any more
	cut     bool   // a compaction may have left it in the old file only
}

// change is a call that changes a session.
type change struct {
	method   string
	params   params
	settings map[string]string // that it sets
	said     said              // message that it brings, or none
	run      string
}

// answer is what the calls answer, as far as it is looked at.
type answer struct {
	SessionID  string `json:"sessionId"`
	Entry      row    `json:"entry"`
	Status     string `json:"status"`
	RunStarted bool   `json:"runStarted"`
	Deleted    bool   `json:"deleted"`
}

func (s state) clone() state {
	s.settings = maps.Clone(s.settings)
	if s.life != nil {
		s.life = &life{id: s.life.id, notes: slices.Clone(s.life.notes)}
	}
	return s
}

// after is the state that a change makes, and the life that it ends. Without an
// answer it is the state if the change happened. A fault is an answer that
// cannot be right.
func (s state) after(c *change, a *answer) (next state, ended *life, fault string) {
	next = s.clone()
	switch c.method {
	case "sessions.delete":
		if a != nil && a.Deleted != s.exists && (s.life == nil || s.life.id != "") {
			fault = fmt.Sprintf("deleted is %v", a.Deleted)
		}
		return state{}, next.end(a != nil), fault
	case "sessions.reset":
		ended = next.end(a != nil)
		next.exists, next.life = true, &life{}
	case "sessions.compact":
		next.cut()
	default:
		next.begin()
		if c.said.text != "" {
			sure := a != nil && (c.method != "sessions.create" || a.RunStarted)
			next.life.notes = append(next.life.notes, note{said: c.said, run: c.run, sure: sure, settled: !c.said.user})
		}
	}
	for name, value := range c.settings {
		next.settings[name] = value
	}
	if a != nil {
		fault = next.learn(a)
	}
	return next, ended, fault
}

// disturbed is the state when a change may have begun without having happened.
func (s state) disturbed(c *change) state {
	s = s.clone()
	switch c.method {
	case "sessions.delete", "sessions.reset":
		s.unsettle()
	case "sessions.compact":
		s.cut()
	}
	return s
}

func (s *state) begin() {
	if !s.exists {
		*s = state{exists: true, settings: map[string]string{}, life: &life{}}
	}
}

// end ends the life of a session. Messages whose turn had not come may never
// be written then: their runs are aborted.
func (s *state) end(answered bool) *life {
	if s.settings == nil {
		s.settings = map[string]string{}
	}
	if s.life == nil {
		return nil
	}
	s.unsettle()
	s.updated = 0
	ended := s.life
	ended.setAside = answered
	return ended
}

func (s *state) unsettle() {
	if s.life == nil {
		return
	}
	for i := range s.life.notes {
		if n := &s.life.notes[i]; !n.settled {
			n.sure = false
		}
	}
}

func (s *state) cut() {
	if s.life == nil {
		return
	}
	for i := range s.life.notes {
		// A message whose turn comes after the compaction is not cut by it, but
		// that is not known from outside.
		s.life.notes[i].cut = true
	}
}

// settle notes that the message of a run is written: its run has ended.
func (s *state) settle(run string) {
	if s.life == nil {
		return
	}
	for i := range s.life.notes {
		if n := &s.life.notes[i]; n.run == run {
			n.settled = true
		}
	}
}

// learn compares an answer with the state and takes from it what only the
// daemon knows.
func (s *state) learn(a *answer) (fault string) {
	id := a.SessionID
	if a.Entry.SessionID != "" {
		id = a.Entry.SessionID
		if d := differ(s.settings, a.Entry.settings()); d != "" {
			fault = "the answer's entry: " + d
		}
		if a.Entry.UpdatedAt < s.updated {
			fault = fmt.Sprintf("updatedAt went back from %.0f to %.0f", s.updated, a.Entry.UpdatedAt)
		}
		s.updated = a.Entry.UpdatedAt
	}
	if id == "" {
		return fault
	}
	if s.life.id != "" && s.life.id != id {
		return fmt.Sprintf("sessionId changed from %s to %s", s.life.id, id)
	}
	s.life.id = id
	return fault
}

// settings are the fields that the tests set.
func (r row) settings() map[string]string {
	out := map[string]string{
		"label": r.Label, "thinkingLevel": r.ThinkingLevel, "verboseLevel": r.VerboseLevel,
		"reasoningLevel": r.ReasoningLevel, "elevatedLevel": r.ElevatedLevel,
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}

func differ(want, got map[string]string) string {
	want = maps.Clone(want)
	maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
	if maps.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("settings are %v, want %v", got, want)
}

// String tells a session's model to who reads a failure.
func (s *session) String() string {
	out := fmt.Sprintf("session %s: exists %v, settings %v, updatedAt %.0f\n", s.key, s.now.exists, s.now.settings, s.now.updated)
	for _, l := range slices.Concat(s.past[max(0, len(s.past)-2):], []*life{s.now.life}) {
		if l == nil {
			continue
		}
		out += fmt.Sprintf("  transcript %q, set aside %v\n", l.id, l.setAside)
		for _, n := range l.notes {
			out += fmt.Sprintf("    %.40q user %v sure %v settled %v cut %v\n", n.text, n.user, n.sure, n.settled, n.cut)
		}
	}
	if s.pending != nil {
		out += fmt.Sprintf("  without answer: %s %.300s\n", s.pending.method, fmt.Sprint(s.pending.params))
	}
	return out
}

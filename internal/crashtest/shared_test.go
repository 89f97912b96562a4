package crashtest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/parleyd/parley/client"
)

// shared is a session that all writers change at once.
type shared struct {
	key string

	mu     sync.Mutex // guards all below
	notes  []note
	labels []labelling
}

// labelling is one patch of a label. A patch without an answer never ended.
type labelling struct {
	label       string
	begun, done time.Time
}

// changeShared makes one change of a shared session.
func (w *writer) changeShared(ctx context.Context, g *game, c *client.Conn) bool {
	s := w.shared[w.rng.IntN(len(w.shared))]
	var ch *change
	switch w.rng.IntN(4) {
	case 0:
		ch = &change{method: "sessions.patch", params: params{"key": s.key}}
		w.label(ch)
	case 1:
		ch = w.send("chat.send", "sessionKey", s.key)
	default:
		ch = w.inject(s.key)
	}
	begun := time.Now()
	err := call(ctx, c, ch.method, ch.params, nil)
	done := time.Now()
	refused := refusal(err)
	switch {
	case refused != nil && !g.isOver():
		if !strings.Contains(refused.Message, "too many queued messages") {
			g.t.Errorf("%s of shared session %s was refused: %v", ch.method, s.key, refused)
		}
		return true
	case err != nil && !g.isOver():
		g.t.Errorf("%s had no answer although the daemon lives: %v", ch.method, err)
	}
	s.note(ch, err == nil, begun, done)
	if err != nil {
		return false
	}
	g.answered()
	return true
}

func (s *shared) note(c *change, answered bool, begun, done time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.said.text != "" {
		s.notes = append(s.notes, note{said: c.said, sure: answered})
		return
	}
	l := labelling{label: c.settings["label"], begun: begun}
	if answered {
		l.done = done
	}
	s.labels = append(s.labels, l)
}

// settle compares the session with what is there.
func (w *world) settleShared(s *shared) (faults []string) {
	r, there := w.rows[s.key]
	if !there {
		return []string{"it is gone"}
	}
	times := map[said]int{}
	for name, f := range w.files.families[r.SessionID] {
		if !isCopy(name) {
			for _, s := range f.texts {
				times[s]++
			}
		}
	}
	kept := s.notes[:0]
	for _, n := range s.notes {
		if fault := n.judge(times[n.said], 0); fault != "" {
			faults = append(faults, fmt.Sprintf("%.60q %s", n.text, fault))
		}
		if n.sure = times[n.said] > 0; n.sure {
			kept = append(kept, n)
		}
		delete(times, n.said)
	}
	for what := range times {
		faults = append(faults, fmt.Sprintf("%.60q is there, which nobody sent or which was refused", what.text))
	}
	s.notes = kept
	if !s.possible(r.Label) {
		faults = append(faults, fmt.Sprintf("label %q was replaced by a later answered patch, or never set: %v", r.Label, s.labels))
	}
	s.labels = []labelling{{label: r.Label, begun: time.Now(), done: time.Now()}}
	return faults
}

// possible reports whether a label can be what is left: no patch was answered
// that began after the one that set it had been answered.
func (s *shared) possible(label string) bool {
	var set *labelling
	for i := range s.labels {
		if s.labels[i].label == label {
			set = &s.labels[i]
		}
	}
	if set == nil {
		return false
	}
	for _, l := range s.labels {
		if !set.done.IsZero() && !l.done.IsZero() && l.begun.After(set.done) {
			return false
		}
	}
	return true
}

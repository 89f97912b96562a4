package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/runs"
)

const (
	// readyFor is how long it is believed that the disk can be written, and
	// troubleFor that it cannot: probes of many must not keep it busy.
	readyFor, troubleFor = 5 * time.Second, time.Second
	// probeName is the file that is written to see whether that can be done, and
	// probeSize how large it is: an empty one fits on a full disk.
	probeName, probeSize = ".parley-ready", 4096
	// failuresInARow is how often a model must fail before it is told.
	failuresInARow = 3
)

// The checks of /ready.
const (
	checkDraining = "draining" // the gateway is ending
	checkStore    = "store"    // changes cannot be written
	checkModel    = "model"    // the last runs on a model failed
	checkRecovery = "recovery" // runs of an earlier process are not settled
)

// trouble is one check that fails.
type trouble struct {
	Check  string `json:"check"`
	Name   string `json:"name,omitzero"`
	Reason string `json:"reason"`
}

// readyAnswer is what /ready says to callers on this machine and those who know
// the secret. Details and Degraded are there only when there is something to
// tell, so that probes which know OpenClaw's body see no other.
type readyAnswer struct {
	Ready    bool      `json:"ready"`
	Failing  []string  `json:"failing"`
	UptimeMs int64     `json:"uptimeMs"`
	Details  []trouble `json:"details,omitempty"`
	// Degraded is what does not work while the gateway takes requests all the same.
	Degraded []trouble `json:"degraded,omitempty"`
}

type readyPublic struct {
	Ready bool `json:"ready"`
}

// serveReady tells whether the gateway takes work: 200 or 503.
func (g *Gateway) serveReady(w http.ResponseWriter, r *http.Request) {
	a := readyAnswer{Details: g.troubles(), Failing: []string{}}
	a.Ready = len(a.Details) == 0
	status := http.StatusOK
	if !a.Ready {
		status = http.StatusServiceUnavailable
	}
	if !g.gate.trustsHTTP(r) {
		probe(w, r, status, readyPublic{a.Ready})
		return
	}
	for _, t := range a.Details {
		if !slices.Contains(a.Failing, t.Check) {
			a.Failing = append(a.Failing, t.Check)
		}
	}
	a.Degraded, a.UptimeMs = g.degraded(), time.Since(g.started).Milliseconds()
	probe(w, r, status, a)
}

// troubles is why the gateway should get no work, nil when it should.
func (g *Gateway) troubles() (out []trouble) {
	if g.draining.Load() {
		out = append(out, trouble{Check: checkDraining, Reason: "the gateway is stopping"})
	}
	return append(out, g.ready.disk(g.lookAtDisk)...)
}

// degraded is what does not work, and does not keep the gateway from working.
func (g *Gateway) degraded() []trouble {
	out := g.models.failing()
	if n := g.engine.Unsettled(); n > 0 {
		out = append(out, trouble{Check: checkRecovery, Reason: fmt.Sprintf("the end of %d runs of an earlier process could not be written; parley doctor says more", n)})
	}
	return out
}

// readiness remembers what the disk said. Those who ask at the same time wait
// for one look.
type readiness struct {
	mu    sync.Mutex // held while the disk is looked at; guards the rest
	taken time.Time
	found []trouble
}

func (r *readiness) disk(look func() []trouble) []trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := readyFor
	if r.found != nil {
		keep = troubleFor
	}
	if r.taken.IsZero() || time.Since(r.taken) >= keep {
		r.found = look()
		r.taken = time.Now()
	}
	return r.found
}

// lookAtDisk writes a small file to the state directory, and to that of each
// store whose last change failed: with space again a store works again, but
// nobody would try while we say that we are not ready.
func (g *Gateway) lookAtDisk() (out []trouble) {
	if err := g.tryWrite(g.cfg().StateDir); err != nil {
		out = append(out, trouble{Check: checkStore, Name: g.cfg().StateDir, Reason: err.Error()})
	}
	for _, st := range g.stores.All() {
		err, damaged := st.Trouble()
		if err == nil || !damaged && g.tryWrite(st.Dir()) == nil {
			continue
		}
		out = append(out, trouble{Check: checkStore, Name: st.Path(), Reason: err.Error()})
	}
	return out
}

// tryWrite writes a file in a directory durably, and removes it.
func (g *Gateway) tryWrite(dir string) error {
	root, err := g.disk.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t, err := atomicfile.Create(root, probeName, func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte{'\n'}, probeSize))
		return err
	})
	if err != nil {
		return err
	}
	return t.Discard()
}

// modelStates remembers how the last runs on each model ended. Its keys are
// labels of metrics, so they are few. All methods are safe for concurrent use.
type modelStates struct {
	mu     sync.Mutex // guards states
	states map[string]*modelState
}

type modelState struct {
	failures int // in a row
	last     string
}

// note takes in the end of a run on a model.
func (m *modelStates) note(model string, e runs.End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[model]
	switch {
	case e.Status == runs.Done:
		delete(m.states, model)
	case e.Status != runs.Failed: // ended by somebody
	case s == nil:
		if m.states == nil {
			m.states = map[string]*modelState{}
		}
		m.states[model] = &modelState{1, e.Error}
	default:
		s.failures, s.last = s.failures+1, e.Error
	}
}

// failing are the models whose last runs have all failed.
func (m *modelStates) failing() (out []trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for model, s := range m.states {
		if s.failures >= failuresInARow {
			out = append(out, trouble{checkModel, model, fmt.Sprintf("the last %d runs failed: %s", s.failures, cutText(s.last, chatErrorLimit, "..."))})
		}
	}
	slices.SortFunc(out, func(a, b trouble) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out
}

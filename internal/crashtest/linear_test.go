package crashtest_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/parleyd/parley/client"
)

// TestLinearizable lets clients patch, read, delete and create the same few
// sessions at once: what each of them was answered must be explained by one
// order of all calls of a session, in which a call stands between its being
// sent and its being answered.
func TestLinearizable(t *testing.T) {
	d := newDaemon(t, plain)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	h := newHistory()
	h.play(t, d, newRand(t), max(120, 3**roundsFlag))
	h.judge(t)
	if h.lost > 0 {
		t.Errorf("%d calls had no answer although the daemon lives", h.lost)
	}
}

// TestLinearizableOverAKill kills the daemon in the middle, several times. A
// call without an answer happened before the next start, or never.
func TestLinearizableOverAKill(t *testing.T) {
	d, rng, h := newDaemon(t, plain), newRand(t), newHistory()
	kills := max(3, *roundsFlag/8)
	for range kills {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
		h.starts()
		h.killAfter(50+rng.IntN(100), d.kill)
		h.play(t, d, rng, 1_000_000)
	}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	h.starts()
	h.play(t, d, rng, 5)
	h.judge(t)
	t.Logf("%d kills", kills)
}

// history is the calls of several clients and what they were answered.
type history struct {
	begun time.Time
	keys  []string

	mu    sync.Mutex // guards all below
	calls []porcupine.Operation
	open  []int // calls without an answer, since the last start
	lost  int
	due   int // number of calls after which kill is called
	kill  func()
}

// op is a call on one session.
type op struct {
	key    string
	method string // or "read"
	label  string // that it sets
}

// seen is what a call was answered.
type seen struct {
	unknown bool // there was no answer
	exists  bool // of a read; of a delete, that there was something to delete
	id      string
	label   string
}

func newHistory() *history {
	return &history{begun: time.Now(), keys: []string{"a-session", "b-session", "c-session"}}
}

func (h *history) now() int64 { return int64(time.Since(h.begun)) }

// starts says that the daemon has been started: what has no answer will not
// happen any more.
func (h *history) starts() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.open {
		h.calls[i].Return = h.now()
	}
	h.open = nil
}

// killAfter calls kill when so many more calls have been made.
func (h *history) killAfter(calls int, kill func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.due, h.kill = len(h.calls)+calls, kill
}

// play lets five clients make calls, each so many or until the daemon is gone.
func (h *history) play(t *testing.T, d *daemon, rng *rand.Rand, calls int) {
	var wg sync.WaitGroup
	for id := range 5 {
		rng := rand.New(rand.NewPCG(rng.Uint64(), 0))
		wg.Go(func() {
			c, err := d.dial(t.Context())
			if err != nil {
				return // killed before this client came
			}
			defer c.Close()
			for n := range calls {
				if err := h.call(t.Context(), c, id, rng, n); err != nil {
					if refusal(err) != nil {
						t.Errorf("client %d: %v", id, err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
}

// call makes one call and notes it.
func (h *history) call(ctx context.Context, c *client.Conn, id int, rng *rand.Rand, n int) error {
	o := op{key: h.keys[rng.IntN(len(h.keys))]}
	switch n := rng.IntN(20); {
	case n < 9:
		o.method = "read"
	case n < 16:
		o.method = "sessions.patch"
	case n < 18:
		o.method = "sessions.create"
	default:
		o.method = "sessions.delete"
	}
	if o.method == "sessions.patch" || o.method == "sessions.create" && rng.IntN(2) == 0 {
		o.label = fmt.Sprintf("label %d.%d.%d", id, n, h.now())
	}
	begun := h.now()
	got, err := o.ask(ctx, c)
	done := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if o.method == "read" {
			return err
		}
		got.unknown = true
		h.open = append(h.open, len(h.calls))
		h.lost++
	}
	h.calls = append(h.calls, porcupine.Operation{ClientId: id, Input: o, Call: begun, Output: got, Return: done})
	if len(h.calls) == h.due {
		h.kill()
	}
	return err
}

func (o op) ask(ctx context.Context, c *client.Conn) (seen, error) {
	if o.method == "read" {
		found, err := rows(ctx, c, o.key)
		r, there := found[o.key]
		return seen{exists: there, id: r.SessionID, label: r.Label}, err
	}
	p := params{"key": o.key}
	if o.label != "" {
		p["label"] = o.label
	}
	var a answer
	err := call(ctx, c, o.method, p, &a)
	return seen{exists: a.Deleted, id: a.Entry.SessionID, label: a.Entry.Label}, err
}

// entry is the state of one session in the model: "" as id means that there is
// none, unknownID that a call made it whose answer nobody got.
type entry struct{ id, label string }

const unknownID = "?"

// steps are the states to which an operation can lead from a state, none when
// its answer contradicts the state.
func (e entry) steps(o op, got seen) []any {
	switch {
	case o.method == "read":
		if got.exists != (e.id != "") || got.label != e.label || e.id != got.id && e.id != unknownID {
			return nil
		}
		return []any{entry{got.id, got.label}}
	case o.method == "sessions.delete" && got.unknown:
		return []any{e, entry{}}
	case o.method == "sessions.delete":
		if got.exists != (e.id != "") {
			return nil
		}
		return []any{entry{}}
	case got.unknown:
		return []any{e, e.with(o, unknownID)}
	case e.id != "" && e.id != unknownID && got.id != e.id:
		return nil
	}
	next := e.with(o, got.id)
	if next.id == unknownID {
		next.id = got.id
	}
	if next.label != got.label {
		return nil
	}
	return []any{next}
}

// with is the entry after a patch or create.
func (e entry) with(o op, id string) entry {
	if e.id == "" {
		e = entry{id: id}
	}
	if o.label != "" {
		e.label = o.label
	}
	return e
}

// model is what the history of all sessions has to obey, one by one.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[string][]porcupine.Operation{}
			for _, o := range history {
				key := o.Input.(op).key
				byKey[key] = append(byKey[key], o)
			}
			return slices.Collect(maps.Values(byKey))
		},
		Init: func() []any { return []any{entry{}} },
		Step: func(state, input, output any) []any { return state.(entry).steps(input.(op), output.(seen)) },
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%+v → %+v", input, output)
		},
	}
	return m.ToModel()
}

// judge checks the history. When it cannot be explained a page that shows it
// is kept.
func (h *history) judge(t *testing.T) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(model(), h.calls, 2*time.Minute)
	t.Logf("%d calls on %d sessions, %d without an answer: %s", len(h.calls), len(h.keys), h.lost, result)
	if result == porcupine.Ok {
		if len(h.calls) < 100 {
			t.Errorf("only %d calls were made", len(h.calls))
		}
		return
	}
	page := filepath.Join(t.ArtifactDir(), "history.html")
	if err := porcupine.VisualizePath(model(), info, page); err != nil {
		t.Log(err)
	}
	t.Errorf("the history is not linearizable (%s); see %s", result, page)
}

// TestImpossibleHistoriesAreSeen makes sure that the check can fail.
func TestImpossibleHistoriesAreSeen(t *testing.T) {
	at := func(from, to int64, method, label string, got seen) porcupine.Operation {
		return porcupine.Operation{Input: op{"k", method, label}, Call: from, Return: to, Output: got}
	}
	one, two := seen{id: "1", label: "one"}, seen{id: "1", label: "two"}
	read := func(s seen) seen { s.exists = true; return s }
	set := []porcupine.Operation{at(0, 1, "sessions.patch", "one", one), at(2, 3, "sessions.patch", "two", two)}
	for name, c := range map[string]struct {
		last     []porcupine.Operation
		possible bool
	}{
		"the last patch":           {[]porcupine.Operation{at(4, 5, "read", "", read(two))}, true},
		"a lost patch":             {[]porcupine.Operation{at(4, 5, "read", "", read(one))}, false},
		"a lost session":           {[]porcupine.Operation{at(4, 5, "read", "", seen{})}, false},
		"a patch still on its way": {[]porcupine.Operation{at(4, 9, "sessions.patch", "x", seen{unknown: true}), at(5, 6, "read", "", read(two))}, true},
		"a patch that went back": {[]porcupine.Operation{
			at(4, 9, "sessions.patch", "x", seen{unknown: true}), at(10, 11, "read", "", read(seen{id: "1", label: "x"})), at(12, 13, "read", "", read(two)),
		}, false},
		"a delete that came back": {[]porcupine.Operation{at(4, 5, "sessions.delete", "", seen{exists: true}), at(6, 7, "read", "", read(two))}, false},
		"another session id":      {[]porcupine.Operation{at(4, 5, "sessions.create", "", seen{id: "2", label: "two"})}, false},
		"made by an unknown call": {[]porcupine.Operation{
			at(4, 5, "sessions.delete", "", seen{exists: true}), at(6, 7, "sessions.create", "", seen{unknown: true}), at(8, 9, "read", "", read(seen{id: "2"})),
		}, true},
	} {
		result, _ := porcupine.CheckOperationsVerbose(model(), append(slices.Clone(set), c.last...), time.Minute)
		if (result == porcupine.Ok) != c.possible {
			t.Errorf("%s: %s, want possible %v", name, result, c.possible)
		}
	}
}

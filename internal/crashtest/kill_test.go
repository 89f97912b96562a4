package crashtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
)

// TestKill runs a daemon on one directory again and again, with clients that
// change sessions in all ways, and ends it at any moment: right after an
// answer, between two, while it starts, or in an orderly way. What was
// answered must be there when it starts again; a call without an answer
// happened as a whole or not at all; no file is damaged, nothing is left over.
func TestKill(t *testing.T) {
	k := newKiller(t, *roundsFlag)
	for round := range k.rounds {
		k.round = round
		k.play()
		if t.Failed() {
			t.Fatalf("round %d of %d: see above", round, k.rounds)
		}
	}
	k.d.mustStop(t)
	k.checkStopped()
	t.Logf("%d rounds: %s; %d answered changes checked, of %d sessions and %d ended transcripts; %d calls without an answer; %d temporary files were removed",
		k.rounds, k.ends(), k.game.acked, len(k.sessions()), k.ended(), k.unanswered, k.leftovers)
	if want := 10 * k.rounds; k.game.acked < want {
		t.Errorf("only %d answered changes were checked, want %d or more", k.game.acked, want)
	}
}

// killer is the state of TestKill.
type killer struct {
	t       *testing.T
	d       *daemon
	rng     *rand.Rand
	game    *game
	writers []*writer
	shared  []*shared
	files   *files
	rounds  int
	round   int

	how        map[string]int // how often the daemon ended in which way
	unanswered int
	leftovers  int
}

func newKiller(t *testing.T, rounds int) *killer {
	k := &killer{t: t, rng: newRand(t), d: newDaemon(t, plain), game: &game{t: t}, rounds: rounds, how: map[string]int{}}
	k.files = &files{dir: k.d.sessions()}
	for i := range 4 {
		k.writers = append(k.writers, newWriter(fmt.Sprintf("w%d", i), k.rng))
	}
	if err := k.d.start(); err != nil {
		t.Fatal(err)
	}
	return k
}

// play is one round, on a daemon that has just started.
func (k *killer) play() {
	c, err := k.d.dial(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	if k.round%20 == 0 { // so that no transcript grows for ever
		k.shareAnew(c)
	}
	if err := c.Close(); err != nil {
		k.t.Fatal(err)
	}
	ended := k.arm()
	var wg sync.WaitGroup
	for _, w := range k.writers {
		wg.Go(func() { w.work(k.t.Context(), k.game, k.d) })
	}
	wg.Wait()
	ended()
	if k.t.Failed() {
		return
	}
	k.restart()
	k.check()
}

// shareAnew makes new sessions that all writers change.
func (k *killer) shareAnew(c *client.Conn) {
	k.shared = nil
	for i := range 2 {
		s := &shared{key: fmt.Sprintf("shared-%d-%d", k.round, i), labels: []labelling{{}}}
		mustCall(k.t, c, "sessions.create", params{"key": s.key}, nil)
		k.shared = append(k.shared, s)
	}
	for _, w := range k.writers {
		w.shared = k.shared
	}
}

// arm decides how the daemon ends in this round. The function it returns is
// called when the writers have noticed, and returns when the daemon has ended.
func (k *killer) arm() (ended func()) {
	g := k.game
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over, g.left, g.kill = false, 0, nil
	later := time.Duration(k.rng.IntN(400)) * time.Millisecond
	switch n := k.rng.IntN(10); {
	case n < 5:
		k.how["killed at an answer"]++
		g.left, g.kill = 1+k.rng.IntN(150), k.d.kill
		return k.d.kill
	case n < 8:
		k.how["killed between answers"]++
		return after(later, func() {
			g.end()
			k.d.kill()
		})
	}
	k.how["stopped"]++
	stopped := after(later, func() {
		g.end()
		if code, err := k.d.stop(); err != nil || code != 0 {
			k.t.Errorf("SIGTERM ended the daemon with code %d, %v", code, err)
		}
	})
	return func() {
		stopped()
		k.checkStopped() // the writers have ended
	}
}

// after does something after a while; the function that it returns waits for
// its end.
func after(d time.Duration, do func()) (wait func()) {
	done := make(chan struct{})
	time.AfterFunc(d, func() {
		defer close(done)
		do()
	})
	return func() { <-done }
}

// restart looks at the files of the dead daemon and starts it again; now and
// then it is killed while it starts.
func (k *killer) restart() {
	if _, err := readStore(k.d.store()); err != nil {
		k.t.Errorf("after the end of the daemon: %v", err)
	}
	for k.rng.IntN(4) == 0 {
		k.how["killed at start"]++
		if err := k.d.launch(); err != nil {
			k.t.Fatal(err)
		}
		select {
		case <-time.After(time.Duration(k.rng.IntN(50)) * time.Millisecond):
		case <-k.d.exited:
			k.t.Errorf("the daemon ended by itself at its start with code %d", k.d.code)
		}
		k.d.kill()
	}
	n, err := age(k.d.state)
	if err != nil {
		k.t.Error(err)
	}
	k.leftovers += n
	if err := k.d.start(); err != nil {
		k.t.Fatal(err)
	}
}

// check compares all that was answered with what is there after a restart.
func (k *killer) check() {
	c, err := k.d.dial(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	w, err := observe(k.t.Context(), c, k.files)
	if err != nil {
		k.t.Fatal(err)
	}
	faults := append(w.faults, untidy(k.d.state, time.Now().Add(-30*time.Minute))...)
	for _, s := range k.sessions() {
		if s.pending != nil {
			k.unanswered++
		}
		model := s.String()
		if found := w.settle(s); len(found) > 0 {
			faults = append(faults, "---", strings.Join(found, "\n  "), model, k.about(w, s))
		}
	}
	for _, s := range k.shared {
		for _, fault := range w.settleShared(s) {
			faults = append(faults, "shared session "+s.key+": "+fault)
		}
	}
	if len(faults) > 0 {
		k.t.Errorf("after a restart (%s):\n%s", k.ends(), strings.Join(faults, "\n"))
	}
}

// about is what there is of a session: its row and its files.
func (k *killer) about(w *world, s *session) string {
	out := fmt.Sprintf("  is there: %+v\n", w.rows[s.key])
	for _, l := range slices.Concat(s.past, []*life{s.now.life, {id: w.rows[s.key].SessionID}}) {
		if l == nil || l.id == "" {
			continue
		}
		for name, f := range w.files.families[l.id] {
			out += fmt.Sprintf("  %s: %d bytes, %d torn lines\n", name, f.size, f.torn)
			for _, s := range f.texts {
				out += fmt.Sprintf("    %q user %v\n", short(s.text), s.user)
			}
		}
	}
	return out
}

// checkStopped looks at the files that an orderly end leaves: the store alone
// tells everything.
func (k *killer) checkStopped() {
	entries, err := readStore(k.d.store())
	if err != nil {
		k.t.Error(err)
		return
	}
	for _, suffix := range []string{".journal", ".lock"} {
		if _, err := os.Lstat(k.d.store() + suffix); err == nil {
			k.t.Errorf("%s is there after an orderly end", k.d.store()+suffix)
		}
	}
	if k.game.acked == 0 {
		return
	}
	for _, s := range k.sessions() {
		entry, there := entries["agent:main:"+s.key]
		if s.pending != nil || s.now.exists && s.now.life.id == "" {
			continue
		}
		if there != s.now.exists {
			k.t.Errorf("after an orderly end the store has session %s: %v, want %v", s.key, there, s.now.exists)
			continue
		}
		if !there {
			continue
		}
		if id := entry.Text("sessionId"); id != s.now.life.id {
			k.t.Errorf("after an orderly end session %s has sessionId %s, want %s", s.key, id, s.now.life.id)
		}
		if label := entry.Text("label"); label != s.now.settings["label"] {
			k.t.Errorf("after an orderly end session %s has label %q, want %q", s.key, label, s.now.settings["label"])
		}
	}
}

func (k *killer) sessions() (all []*session) {
	for _, w := range k.writers {
		all = append(all, w.own...)
	}
	return all
}

func (k *killer) ended() (n int) {
	for _, s := range k.sessions() {
		n += len(s.past)
	}
	return n
}

// ends says how often the daemon ended in which way.
func (k *killer) ends() string {
	var out []string
	for how, n := range k.how {
		out = append(out, fmt.Sprintf("%s %d", how, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

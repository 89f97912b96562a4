package crashtest_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
)

// TestKillRuns sends messages to several sessions at once while a model server
// answers slowly, kills the daemon at any moment, also while it starts and while
// it writes a checkpoint, and starts it again. Every message whose call was
// answered stands in its transcript once and in order; what its answer had come
// to is kept and marked; no session runs for ever; whoever sends the message
// again gets the end of the first run and no second one.
func TestKillRuns(t *testing.T) {
	for _, mode := range []string{"close", "resume"} {
		t.Run(mode, func(t *testing.T) { killRuns(t, mode == "resume", max(*roundsFlag/2, 4)) })
	}
}

func killRuns(t *testing.T, resume bool, rounds int) {
	k := &runKiller{t: t, rng: newRand(t), resume: resume, model: startSlowModel(t), how: map[string]int{}}
	mode := "close"
	if resume {
		mode = "resume"
	}
	k.d = newDaemon(t, fmt.Sprintf(`{gateway: {auth: {token: "secret-token"}}, session: {reset: {mode: "idle"}},
		parley: {runs: {onRestart: %q}}, agents: {defaults: {model: {primary: "slow/m"}}},
		models: {providers: {slow: {baseUrl: %q, apiKey: "k", api: "openai-completions", models: [{id: "m", name: "M"}]}}}}`,
		mode, k.model.url))
	if err := k.d.start(); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		k.play(round)
		if t.Failed() {
			t.Fatalf("round %d of %d: see above", round, rounds)
		}
	}
	k.d.mustStop(t)
	t.Logf("%d rounds: %s; %d messages accepted, of which %d were asked, %d partial answers kept, %d had had their answer; %d calls cut off",
		rounds, k.ends(), k.accepted, k.asked, k.partials, k.whole, k.unanswered)
	if k.accepted < 4*rounds || k.asked == 0 || k.partials == 0 {
		t.Errorf("too little happened")
	}
}

// runKiller is the state of one TestKillRuns.
type runKiller struct {
	t      *testing.T
	d      *daemon
	rng    *rand.Rand
	model  *slowModel
	resume bool

	how        map[string]int
	starts     int // of the daemon in this round: each may have cut off one run of each session
	accepted   int
	asked      int
	partials   int
	whole      int
	unanswered int
}

// play is one round, with sessions of its own, on a daemon that runs.
func (k *runKiller) play(round int) {
	var all []*talker
	for i := range 4 {
		all = append(all, newTalker(fmt.Sprintf("r%d-t%d", round, i), k.rng))
	}
	g := &game{t: k.t}
	ended := k.arm(g)
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Go(func() { a.work(k.t.Context(), g, k.d) })
	}
	wg.Wait()
	ended()
	if k.t.Failed() {
		return
	}
	k.restart()
	k.check(all)
}

// arm decides how the daemon ends in this round; see killer.arm.
func (k *runKiller) arm(g *game) (ended func()) {
	later := time.Duration(k.rng.IntN(700)) * time.Millisecond
	switch n := k.rng.IntN(12); {
	case n < 4:
		k.how["killed at an answer"]++
		g.left, g.kill = 1+k.rng.IntN(60), k.d.kill
		return k.d.kill
	case n < 8:
		k.how["killed between answers"]++
	case n < 10:
		k.how["killed in a checkpoint"]++
		return after(later, func() {
			k.awaitCheckpoint()
			g.end()
			k.d.kill()
		})
	case n < 11:
		k.how["killed late"]++ // so that texts are noted a second time
		later += 1500 * time.Millisecond
	default:
		k.how["stopped"]++
		return after(later, func() {
			g.end()
			if code, err := k.d.stop(); err != nil || code != 0 {
				k.t.Errorf("SIGTERM ended the daemon with code %d, %v", code, err)
			}
		})
	}
	return after(later, func() {
		g.end()
		k.d.kill()
	})
}

// awaitCheckpoint waits until the store is being written anew, a while at most:
// a store that nobody changes is not.
func (k *runKiller) awaitCheckpoint() {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		found, _ := filepath.Glob(filepath.Join(k.d.sessions(), "*sessions.json*.tmp")) // the pattern is right
		if len(found) > 0 {
			k.how["(with the checkpoint in view)"]++
			return
		}
	}
}

// restart starts the daemon again; now and then it is killed while it starts,
// also while it settles what the last one left.
func (k *runKiller) restart() {
	k.starts = 1
	for k.rng.IntN(3) == 0 {
		if err := k.d.launch(); err != nil {
			k.t.Fatal(err)
		}
		k.how["killed in recovery"]++
		k.starts++
		pause := time.Duration(k.rng.IntN(80)) * time.Millisecond
		select {
		case <-time.After(pause):
		case <-k.d.exited:
			k.t.Errorf("the daemon ended by itself at its start with code %d", k.d.code)
		}
		k.d.kill()
	}
	if err := k.d.start(); err != nil {
		k.t.Fatal(err)
	}
}

// check looks at every message after a restart.
func (k *runKiller) check(all []*talker) {
	c, err := k.d.dial(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	for _, a := range all {
		for _, m := range a.sent {
			k.settle(c, m)
		}
	}
	// First what there is, then what a repeat makes of it: nothing new.
	for _, a := range all {
		k.checkTalk(c, a)
		k.repeat(c, a)
	}
}

// settle waits for the end of a message's run. One whose call had no answer is
// sent again first, as clients do: whether it had been accepted or not, from
// then on it has to be there once.
func (k *runKiller) settle(c *client.Conn, m *sending) {
	if !m.answered {
		k.unanswered++
		mustCall(k.t, c, "chat.send", params{"sessionKey": m.key, "message": m.text, "idempotencyKey": m.run}, nil)
		m.answered, m.again = true, true
	}
	var got status
	mustCall(k.t, c, "agent.wait", params{"runId": m.run, "timeoutMs": 30_000}, &got)
	if got.Status != "ok" {
		k.t.Errorf("run %s, which was accepted, is %q after the restart", m.run, got.Status)
	}
}

func (k *runKiller) ends() string {
	var out []string
	for how, n := range k.how {
		out = append(out, fmt.Sprintf("%s %d", how, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// slowModelWords is what the model answers to a message, whole.
func slowModelWords(m *sending) string {
	var b strings.Builder
	for i := range m.words {
		fmt.Fprintf(&b, "w%d ", i+1)
	}
	return b.String()
}

package runs

import (
	"context"
	"testing"
	"testing/synctest"
)

// A run that is over answers at once, also to who does not want to wait.
func TestWaitWithoutTimeKnowsWhatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say x]]")
		b.ended("r1")
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		for range 50 {
			if _, err := b.Wait(ctx, "r1"); err != nil {
				t.Fatalf("wait: %v", err)
			}
		}
		if _, err := b.Wait(ctx, "r2"); err == nil {
			t.Error("an unknown run has ended")
		}
	})
}

// What is remembered of a run that is over is its key and its outcome: not the
// run, which holds its pictures and its whole answer.
func TestRunsThatAreOverAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		media := []Media{{MIME: "image/png", Base64: "iVBORw0K"}}
		ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r1", Message: "[[say x]]", Media: media})
		if err != nil {
			t.Fatal(err)
		}
		ticket.Begin()
		b.ended("r1")
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		c := b.claims[claimKey{Chat, "r1"}]
		if c == nil || !c.over {
			t.Fatalf("the key of the run is forgotten: %+v", c)
		}
		if c.run != nil {
			t.Error("the run is kept with its key")
		}
		if l := b.lanes[testKey]; l != nil && (l.active != nil || len(l.waiting) > 0) {
			t.Errorf("the run is kept in its lane: %+v", l)
		}
	})
}

package runs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueKeepsOrderAndHasAnEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		var want []string
		for i := range queueLimit + 1 {
			run := fmt.Sprintf("r%02d", i)
			if ticket := b.send(testKey, run, "[[drip 1 100]] "+run); ticket.State != Started {
				t.Fatalf("%s: %+v", run, ticket)
			}
			want = append(want, "user  [[drip 1 100]] "+run, "assistant stop w1")
		}
		_, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "late", Message: "x"})
		if err == nil || err.Error() != "too many queued messages for this session" {
			t.Errorf("one more: %v", err)
		}
		if _, known := b.Known(Chat, "late"); known {
			t.Error("a refused message has taken its key")
		}
		b.send("agent:main:o", "other", "[[say x]]") // other sessions do not wait
		b.ended("other")
		b.ended(fmt.Sprintf("r%02d", queueLimit))
		equal(t, "messages", b.messages(testKey), want)
	})
}

func TestOneKeyIsOneRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		var mu sync.Mutex
		states := map[State]int{}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ticket, err := b.Start(Turn{Kind: Chat, Key: fmt.Sprintf("agent:main:k%d", i%3), RunID: "same", Message: "[[drip 3 100]]"})
				if err != nil {
					t.Error(err)
				}
				ticket.Begin()
				mu.Lock()
				states[ticket.State]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if states[Started] != 1 || states[InFlight] != 19 {
			t.Errorf("states %v, want one started and 19 in flight", states)
		}
		b.ended("same")
		if ticket := b.send(testKey, "same", "x"); ticket.State != Ended || ticket.Outcome.Failed() {
			t.Errorf("after the end: %+v", ticket)
		}
		// The method agent has keys of its own.
		ticket, err := b.Start(Turn{Kind: Agent, Key: testKey, RunID: "same", Message: "[[say x]]"})
		if err != nil || ticket.State != Started {
			t.Errorf("another kind: %+v, %v", ticket, err)
		}
		ticket.Begin()
		time.Sleep(claimLife - time.Second)
		if ticket := b.send(testKey, "same", "x"); ticket.State != Ended {
			t.Errorf("before its time is over: %+v", ticket)
		}
		time.Sleep(2 * sweepEvery)
		if ticket := b.send(testKey, "same", "[[say x]]"); ticket.State != Started {
			t.Errorf("after its time: %+v", ticket)
		}
		b.ended("same")
	})
}

func TestKeysAreForgottenBeyondALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		for i := range claimLimit + 10 {
			b.mu.Lock()
			b.conclude(b.claim(claimKey{Chat, fmt.Sprint(i)}, nil), Outcome{})
			b.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		b.send(testKey, "goes on", "[[hang]]")
		time.Sleep(sweepEvery)
		synctest.Wait()
		for run, want := range map[string]bool{"0": false, "10": false, "11": true, "1009": true, "goes on": true} {
			if _, known := b.Known(Chat, run); known != want {
				t.Errorf("%s known: %v, want %v", run, known, want)
			}
		}
	})
}

func TestRunsGoSideBySideUpToALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", `{agents:{defaults:{maxConcurrent:2}}}`)
		for i := range 4 {
			b.send(fmt.Sprintf("agent:main:s%d", i), fmt.Sprintf("r%d", i), "[[hang]]")
		}
		time.Sleep(time.Second)
		var waits []string
		for i := range 4 {
			if len(b.heard.of(fmt.Sprintf("r%d", i))) == 0 {
				waits = append(waits, fmt.Sprintf("agent:main:s%d", i))
			}
		}
		if len(waits) != 2 {
			t.Fatalf("%q wait, want 2; told %q", waits, b.heard.take())
		}
		if a, err := b.Abort(t.Context(), AbortRequest{Key: waits[0], Admin: true}); err != nil || len(a.RunIDs) != 1 {
			t.Errorf("abort of one that waits for a slot: %v, %v", a.RunIDs, err)
		}
		equal(t, "messages of what never began", b.messages(waits[0]), nil)
	})
}

func TestRunGoesWhenBegunAndNotBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		first, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r1", Message: "[[say one]]"})
		if err != nil {
			t.Fatal(err)
		}
		b.send(testKey, "r2", "[[say two]]")
		time.Sleep(time.Second)
		equal(t, "messages before", b.messages(testKey), nil)
		first.Begin()
		b.ended("r2")
		equal(t, "messages", b.messages(testKey), []string{"user  [[say one]]", "assistant stop one", "user  [[say two]]", "assistant stop two"})

		// A call that breaks off before its answer holds nobody up for ever.
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r3", Message: "[[say three]]"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		b.ended("r3")
		if took := time.Since(start); took != beginTimeout {
			t.Errorf("the run went after %v", took)
		}
	})
}

func TestWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Wait(ctx, "unknown"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an unknown run: %v", err)
		}
		got := make(chan Outcome)
		go func() {
			o, err := b.Wait(t.Context(), "later")
			if err != nil {
				t.Error(err)
			}
			got <- o
		}()
		time.Sleep(time.Second)
		b.send("agent:main:o", "other", "[[say x]]")
		b.ended("other")
		b.send(testKey, "later", "[[say yes]]")
		if o := <-got; o.Text != "yes" || o.EndedAt == 0 {
			t.Errorf("outcome = %+v", o)
		}
	})
}

func TestDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		ticket, err := b.Do(Chat, testKey, "c", func(context.Context) string { time.Sleep(time.Second); return "no" })
		if err != nil || ticket.State != Started {
			t.Fatalf("ticket %+v, error %v", ticket, err)
		}
		if again, _ := b.Do(Chat, testKey, "c", nil); again.State != InFlight {
			t.Errorf("repeat = %+v", again)
		}
		ticket.Begin()
		ticket.Begin()
		if o := b.ended("c"); o.Error != "no" || o.EndedAt-o.StartedAt != 1000 {
			t.Errorf("outcome = %+v", o)
		}
	})
}

func TestMalformedKeysAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		if _, err := b.Start(Turn{Kind: Chat, Key: "agent::x", RunID: "r", Message: "x"}); err == nil {
			t.Error("a malformed key was accepted")
		}
	})
}

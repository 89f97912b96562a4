package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

var (
	alice = Owner{Conn: "c1", Device: "alice"}
	bob   = Owner{Conn: "c2", Device: "bob"}
)

func TestAbortWhileStreaming(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 100 100]]")
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		b.heard.take()
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Admin: true})
		if err != nil || !slices.Equal(a.RunIDs, []string{"r1"}) {
			t.Fatalf("aborted %v, error %v", a.RunIDs, err)
		}
		equal(t, "told before the answer", b.heard.take(), []string{
			`aborted r1 #5 rpc "w1 w2 w3"`, `appended assistant 2 stop "w1 w2 w3"`,
		})
		e := b.entry(testKey)
		if killed, _ := e.Bool("abortedLastRun"); e.Text("status") != "killed" || !killed {
			t.Errorf("entry = %s", e.Raw())
		}
		if ticket := b.send(testKey, "r1", "again"); ticket.State != Ended || ticket.Outcome.Failed() {
			t.Errorf("repeat = %+v", ticket)
		}
		again, err := b.Abort(t.Context(), AbortRequest{Key: testKey, RunID: "r1", Admin: true})
		if err != nil || len(again.RunIDs) > 0 {
			t.Errorf("second abort: %v, %v", again.RunIDs, err)
		}
		a.Release()
		if o := b.ended("r1"); !o.Aborted || o.Failed() {
			t.Errorf("outcome = %+v", o)
		}
		time.Sleep(time.Minute)
		equal(t, "told behind the answer", b.heard.take(), []string{`finished r1 #5 killed "" ""`})

		// The saved text is part of what the model hears next.
		b.send(testKey, "r2", "[[say more]]")
		b.ended("r2")
		equal(t, "messages", b.messages(testKey), []string{
			"user  [[drip 100 100]]", "assistant stop w1 w2 w3", "user  [[say more]]", "assistant stop more",
		})
	})
}

func TestSavedPartialLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[pieces [[reply_to_current]] hello |[[not a tag]]")
		time.Sleep(50 * time.Millisecond)
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Admin: true, StopPhrase: true})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
		b.ended("r1")
		data, err := os.ReadFile(b.entry(testKey).Text("sessionFile"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		line, err := rawjson.Parse([]byte(lines[len(lines)-1]))
		if err != nil {
			t.Fatal(err)
		}
		message, _ := rawjson.Parse(line.Get("message"))
		message.Delete("timestamp", "usage")
		want := `{"role":"assistant","content":[{"type":"text","text":"hello"}],"stopReason":"stop","api":"openai-responses",` +
			`"provider":"openclaw","model":"gateway-injected","idempotencyKey":"r1:assistant",` +
			`"openclawAbort":{"aborted":true,"origin":"stop-command","runId":"r1"}}`
		if got := string(message.JSON()); got != want {
			t.Errorf("message:\n%s\nwant:\n%s", got, want)
		}
		if got := string(line.Get("run")); got != `{"provider":"echo","model":"echo"}` {
			t.Errorf("beside it: %s", got)
		}
	})
}

func TestAbortWithoutText(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		synctest.Wait()
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, RunID: "r1", Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
		b.ended("r1")
		equal(t, "told", b.heard.take()[2:], []string{
			`aborted r1 #2 rpc ""`, `appended assistant 2 aborted ""`, `finished r1 #2 killed "" ""`,
		})
	})
}

// An abort that comes at any moment of a run ends it, and nothing but the end
// follows.
func TestAbortAtAnyMoment(t *testing.T) {
	for after := range 12 {
		bubble(t, func(t *testing.T) {
			b := newBench(t, "", "")
			n := 0
			aborted := make(chan struct{})
			b.heard.each = func(string) {
				if n++; n == after {
					go func() {
						defer close(aborted)
						a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Admin: true})
						if err != nil {
							t.Error(err)
						}
						a.Release()
					}()
				}
			}
			if after == 0 {
				close(aborted)
			}
			b.send(testKey, "r1", "[[drip 6 10]]")
			o := b.ended("r1")
			if after > 0 && after <= 9 {
				<-aborted
			}
			told := b.heard.of("r1")
			ends := slices.DeleteFunc(slices.Clone(told), func(l string) bool {
				return !strings.HasPrefix(l, "aborted") && !strings.HasPrefix(l, "finished")
			})
			switch last := told[len(told)-1]; {
			case !strings.HasPrefix(last, "finished"):
				t.Errorf("abort after %d: last told is %s", after, last)
			case o.Aborted && (len(ends) != 2 || !strings.HasPrefix(ends[0], "aborted")):
				t.Errorf("abort after %d: ends %q", after, ends)
			case !o.Aborted && len(ends) != 1:
				t.Errorf("no abort: ends %q", ends)
			}
			if i := slices.IndexFunc(told, func(l string) bool { return strings.HasPrefix(l, "aborted") }); i >= 0 && i != len(told)-2 {
				t.Errorf("abort after %d: something followed: %q", after, told[i:])
			}
			if status := b.entry(testKey).Text("status"); status == "running" {
				t.Errorf("abort after %d: the entry says running", after)
			}
		})
	}
}

func TestWhoseRunsMayBeAborted(t *testing.T) {
	for name, tt := range map[string]struct {
		owner Owner
		ask   AbortRequest
		want  []string
		err   string
	}{
		"own device, other connection": {alice, AbortRequest{Key: testKey, Owner: Owner{"c9", "alice"}}, []string{"r1"}, ""},
		"own connection, no device":    {Owner{Conn: "c1"}, AbortRequest{Key: testKey, Owner: Owner{Conn: "c1"}}, []string{"r1"}, ""},
		"nobody's":                     {Owner{}, AbortRequest{Key: testKey, Owner: bob}, []string{"r1"}, ""},
		"stranger":                     {alice, AbortRequest{Key: testKey, Owner: bob}, nil, "unauthorized"},
		"stranger, by run":             {alice, AbortRequest{Key: testKey, RunID: "r1", Owner: bob}, nil, "unauthorized"},
		"admin":                        {alice, AbortRequest{Key: testKey, Owner: bob, Admin: true}, []string{"r1"}, ""},
		"other session":                {alice, AbortRequest{Key: "agent:main:o", RunID: "r1", Owner: alice}, nil, "runId does not match sessionKey"},
		"other session, any":           {alice, AbortRequest{Key: "agent:main:o", RunID: "r1", AnySession: true, Owner: alice}, []string{"r1"}, ""},
		"unknown run":                  {alice, AbortRequest{Key: testKey, RunID: "r2", Owner: bob}, nil, ""},
		"session without runs":         {alice, AbortRequest{Key: "agent:main:o", Owner: bob}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", "")
				b.sendAs(tt.owner, testKey, "r1", "[[hang]]")
				synctest.Wait()
				a, err := b.Abort(t.Context(), tt.ask)
				a.Release()
				if got := fmt.Sprint(err); (err != nil || tt.err != "") && got != tt.err {
					t.Errorf("error %q, want %q", got, tt.err)
				}
				if !slices.Equal(a.RunIDs, tt.want) {
					t.Errorf("aborted %v, want %v", a.RunIDs, tt.want)
				}
				if len(a.RunIDs) > 0 && a.Key != testKey {
					t.Errorf("session %q, want that of the run", a.Key)
				}
			})
		})
	}
}

func TestAbortTakesOnlyOnesOwnOfTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.sendAs(alice, testKey, "a1", "[[hang]]")
		b.sendAs(bob, testKey, "b1", "[[say bob]]")
		b.sendAs(alice, testKey, "a2", "[[say alice]]")
		synctest.Wait()
		b.heard.take()
		a, err := b.Abort(t.Context(), AbortRequest{Key: testKey, Owner: alice})
		if err != nil || !slices.Equal(a.RunIDs, []string{"a1", "a2"}) {
			t.Fatalf("aborted %v, %v", a.RunIDs, err)
		}
		a.Release()
		b.ended("b1")
		equal(t, "of a2", b.heard.of("a2"), []string{`aborted a2 #1 rpc ""`})
		equal(t, "messages", b.messages(testKey), []string{"user  [[hang]]", "assistant aborted", "user  [[say bob]]", "assistant stop bob"})
	})
}

func TestSteer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.sendAs(alice, testKey, "old", "[[drip 100 100]]")
		b.sendAs(bob, testKey, "waits", "[[say never]]")
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		if _, err := b.Steer(t.Context(), AbortRequest{Key: testKey, Owner: Owner{Conn: "x"}}, time.Second); !errors.Is(err, errUnauthorized) {
			t.Errorf("a stranger steers: %v", err)
		}
		a, err := b.Steer(t.Context(), AbortRequest{Key: testKey, Owner: alice}, 15*time.Second)
		if err != nil || !slices.Equal(a.RunIDs, []string{"old", "waits"}) {
			t.Fatalf("ended %v, error %v", a.RunIDs, err)
		}
		b.sendAs(alice, testKey, "new", "[[say steered]]")
		a.Release()
		b.ended("new")
		equal(t, "messages", b.messages(testKey), []string{
			"user  [[drip 100 100]]", "assistant stop w1 w2", "user  [[say steered]]", "assistant stop steered",
		})
		if a, err := b.Steer(t.Context(), AbortRequest{Key: testKey, Owner: bob}, time.Second); err != nil || len(a.RunIDs) > 0 {
			t.Errorf("steering an idle session: %v, %v", a.RunIDs, err)
		}
	})
}

// A run that is just ending, and writes its answer, is soon over: to steer waits
// for that and not for an abort.
func TestSteerWhileARunEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		writing, goOn := make(chan bool), make(chan bool)
		b.heard.each = func(line string) {
			if strings.HasPrefix(line, "appended assistant") {
				close(writing)
				<-goOn
			}
		}
		b.sendAs(alice, testKey, "r1", "[[say one]]")
		<-writing
		start := time.Now()
		time.AfterFunc(time.Second, func() { close(goOn) })
		a, err := b.Steer(t.Context(), AbortRequest{Key: testKey, Owner: alice}, 15*time.Second)
		if err != nil || len(a.RunIDs) > 0 || time.Since(start) != time.Second {
			t.Errorf("ended %v, error %v, after %v", a.RunIDs, err, time.Since(start))
		}
	})
}

// Who may end a waiting run of his own but not the run before it cannot steer.
func TestSteerWaitsForTheRunOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.sendAs(alice, testKey, "a1", "[[hang]]")
		b.sendAs(bob, testKey, "b1", "[[say x]]")
		synctest.Wait()
		start := time.Now()
		_, err := b.Steer(t.Context(), AbortRequest{Key: testKey, Owner: bob}, 15*time.Second)
		if !errors.Is(err, ErrStillActive) || time.Since(start) != 15*time.Second {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestHoldAwaitsTheRunAndHoldsTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 10 100]]")
		b.send(testKey, "r2", "[[say two]]")
		synctest.Wait()
		if _, err := b.Hold(t.Context(), testKey, HoldOptions{Wait: 300 * time.Millisecond}); !errors.Is(err, ErrStillActive) {
			t.Errorf("a short hold: %v", err)
		}
		release, err := b.Hold(t.Context(), testKey, HoldOptions{Wait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		b.send(testKey, "r3", "[[say three]]")
		time.Sleep(time.Minute)
		equal(t, "messages while held", b.messages(testKey), []string{"user  [[drip 10 100]]", "assistant stop w1 w2 w3 w4 w5 w6 w7 w8 w9 w10"})
		if !b.Active(testKey) {
			t.Error("a session with waiting runs is not active")
		}
		release()
		release()
		b.ended("r3")
		if n := len(b.messages(testKey)); n != 6 {
			t.Errorf("%d messages after the hold, want 6", n)
		}
		if b.Active(testKey) {
			t.Error("a session without runs is active")
		}
	})
}

func TestHoldAborts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.sendAs(alice, testKey, "r1", "[[hang]]")
		b.sendAs(alice, testKey, "r2", "[[say x]]")
		synctest.Wait()
		release, err := b.Hold(t.Context(), testKey, HoldOptions{Abort: true, Wait: 15 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if b.Active(testKey) {
			t.Error("runs are left")
		}
		other := make(chan error)
		go func() {
			release, err := b.Hold(t.Context(), testKey, HoldOptions{Wait: time.Hour})
			if err == nil {
				release()
			}
			other <- err
		}()
		synctest.Wait()
		select {
		case err := <-other:
			t.Errorf("a second hold did not wait: %v", err)
		default:
		}
		release()
		if err := <-other; err != nil {
			t.Errorf("the second hold: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.send(testKey, "r3", "[[hang]]")
		if _, err := b.Hold(ctx, testKey, HoldOptions{Wait: time.Hour}); !errors.Is(err, context.Canceled) {
			t.Errorf("hold with an ended context: %v", err)
		}
	})
}

// What waits when the engine is closed is written down at the next start: a
// session that is deleted in between would come back with it.
func TestHoldIsRefusedOnceClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		b.send(testKey, "r2", "queued")
		waiting := make(chan error)
		go func() {
			_, err := b.Hold(context.Background(), testKey, HoldOptions{Wait: time.Hour})
			waiting <- err
		}()
		synctest.Wait()
		if err := b.Engine.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; !errors.Is(err, errClosed) {
			t.Errorf("a hold that waited: %v", err)
		}
		if _, err := b.Hold(t.Context(), testKey, HoldOptions{Abort: true, Wait: time.Hour}); !errors.Is(err, errClosed) {
			t.Errorf("a hold after the close: %v", err)
		}
		after := newBench(t, b.crash(), "")
		equal(t, "messages", after.messages(testKey)[2:], []string{"user  queued"})
	})
}

func TestCloseEndsAllRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 100 100]]")
		b.send(testKey, "r2", "[[say x]]")
		b.send("agent:main:o", "r3", "[[hang]]")
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		start := time.Now()
		if err := b.Engine.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("took %v", took)
		}
		equal(t, "messages", b.messages(testKey), []string{"user  [[drip 100 100]]", "assistant stop w1"})
		for _, key := range []string{testKey, "agent:main:o"} {
			if got := b.entry(key).Text("status"); got != "killed" {
				t.Errorf("%s: status %q", key, got)
			}
		}
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "late", Message: "x"}); err == nil {
			t.Error("a run started after the close")
		}
		equal(t, "of r2", b.heard.of("r2"), []string{`aborted r2 #1 shutdown ""`})
	})
}

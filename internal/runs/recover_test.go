package runs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func journalOf(state string) string {
	return filepath.Join(state, "agents", "main", "sessions", journalName)
}

// readJournal is what the journal of a state directory tells.
func readJournal(t *testing.T, state string) []*past {
	t.Helper()
	data, err := os.ReadFile(journalOf(state))
	if err != nil {
		t.Fatal(err)
	}
	runs, damaged := parseJournal(data)
	if len(damaged) > 0 {
		t.Errorf("damaged lines %v", damaged)
	}
	return runs
}

// What Start has answered is not lost by a kill at that moment.
func TestAcceptedMessagesSurviveAKill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r1", Message: "first"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r2", Message: "second"}); err != nil {
			t.Fatal(err)
		}
		state := b.crash()
		resumed := b.crash()

		after := newBench(t, state, "")
		equal(t, "closed", after.messages(testKey), []string{"user  first", "user  second"})
		if e := after.entry(testKey); e.Text("status") != "killed" {
			t.Errorf("entry = %s", e.Raw())
		}
		if ticket := after.send(testKey, "r2", "second"); ticket.State != Ended {
			t.Errorf("repeat after the kill: %+v", ticket)
		}
		if after.Active(testKey) {
			t.Error("something runs")
		}

		again := newBench(t, resumed, `{parley:{runs:{onRestart:"resume"}}}`)
		again.ended("r2")
		equal(t, "resumed", again.messages(testKey), []string{"user  first", "assistant stop echo: first", "user  second", "assistant stop echo: second"})
	})
}

func TestCutOffRunKeepsItsText(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 100 400]]")
		b.send(testKey, "r2", "queued")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		state := b.crash()

		after := newBench(t, state, "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[drip 100 400]]", "assistant stop w1 w2 w3 w4", "user  queued"})
		e := after.entry(testKey)
		if killed, _ := e.Bool("abortedLastRun"); e.Text("status") != "killed" || !killed {
			t.Errorf("entry = %s", e.Raw())
		}

		// Settling is done once.
		after.stop()
		third := newBench(t, state, "")
		equal(t, "messages after another start", third.messages(testKey), after.messages(testKey))
	})
}

func TestCutOffRunEndsWhenItsTextWasSaved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 100 400]]")
		start := time.Now()
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		after := newBench(t, b.crash(), "")
		e := after.entry(testKey)
		ended, _ := e.Number("endedAt")
		// Pieces come every 400 ms, notes at most once a second: at 0 and 1.2 s.
		if got := int64(ended) - start.UnixMilli(); got != 1200 {
			t.Errorf("ended %d ms after the start, want 1200", got)
		}
		if took, _ := e.Number("runtimeMs"); took != 1200 {
			t.Errorf("entry = %s", e.Raw())
		}
	})
}

// On a full disk a run cannot write the message that it was started with.
func TestMessageThatCouldNotBeWrittenIsWrittenAtTheNextStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say first]]")
		b.ended("r1")
		path := b.block(testKey)
		b.send(testKey, "r2", "second")
		b.send("agent:main:o", "r3", "[[say other]]")
		if o := b.ended("r2"); o.Error == "" {
			t.Errorf("outcome %+v", o)
		}
		b.ended("r3")
		killed := b.crash()
		unblock(t, filepath.Join(killed, "agents", "main", "sessions", filepath.Base(path)))
		after := newBench(t, killed, "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[say first]]", "assistant stop first", "user  second"})

		b.stop()
		unblock(t, path)
		after = newBench(t, b.state, "")
		equal(t, "messages after an orderly end", after.messages(testKey), []string{"user  [[say first]]", "assistant stop first", "user  second"})
		after.stop()
		third := newBench(t, b.state, "")
		equal(t, "messages after another start", third.messages(testKey), after.messages(testKey))
	})
}

func TestMessageThatCouldNotBeWrittenGoesWithItsSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say first]]")
		b.ended("r1")
		path := b.block(testKey)
		b.send(testKey, "r2", "second")
		b.ended("r2")
		unblock(t, path)
		release, err := b.Hold(t.Context(), testKey, HoldOptions{Abort: true, Wait: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		release()
		after := newBench(t, b.crash(), "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[say first]]", "assistant stop first"})
	})
}

// block makes the transcript of a session unwritable; unblock gives it back.
func (b *bench) block(key string) (path string) {
	b.t.Helper()
	path = filepath.Join(b.state, "agents", "main", "sessions", b.entry(key).SessionID()+".jsonl")
	if err := errors.Join(os.Rename(path, path+".aside"), os.Mkdir(path, 0o700)); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func unblock(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.Remove(path), os.Rename(path+".aside", path)); err != nil {
		t.Fatal(err)
	}
}

// What Recover writes is older than what was changed while the run went on.
func TestUpdatedAtDoesNotGoBackInARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 100 400]]")
		b.send(testKey, "r2", "queued")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		patched := time.Now().UnixMilli()
		b.touch(testKey, patched)
		after := newBench(t, b.crash(), "")
		if got := after.entry(testKey).UpdatedAt(); got != patched {
			t.Errorf("updatedAt is %d ms from what it was", got-patched)
		}
	})
}

func TestUpdatedAtDoesNotGoBackWhenARunEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[drip 2 400]]")
		synctest.Wait()
		later := time.Now().Add(time.Minute).UnixMilli() // as after a clock that was set back
		b.touch(testKey, later)
		b.ended("r1")
		b.send(testKey, "r2", "[[say next]]")
		b.ended("r2")
		if got := b.entry(testKey).UpdatedAt(); got != later {
			t.Errorf("updatedAt is %d ms from what it was", got-later)
		}
	})
}

// A kill between the answer and the note of the end does not double the answer.
func TestAnsweredRunIsNotCutOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say fine]]")
		b.ended("r1")
		state := b.crash()
		data, err := os.ReadFile(journalOf(state))
		if err != nil {
			t.Fatal(err)
		}
		torn := withoutEnds(string(data)) + `{"op":"ended","run":"r1","ki`
		if err := os.WriteFile(journalOf(state), []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		after := newBench(t, state, "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[say fine]]", "assistant stop fine"})
		if got := after.entry(testKey).Text("status"); got != "done" {
			t.Errorf("status %q", got)
		}
	})
}

func withoutEnds(journal string) string {
	lines := strings.SplitAfter(journal, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, `"ended"`) }), "")
}

// A kill between the line of a failure and the note of the end does not make a
// success of it.
func TestFailedRunHasFailedAfterAKill(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[fail 429]]")
		before := b.ended("r1")
		state := b.crash()
		data, err := os.ReadFile(journalOf(state))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(journalOf(state), []byte(withoutEnds(string(data))), 0o600); err != nil {
			t.Fatal(err)
		}
		ticket := newBench(t, state, "").send(testKey, "r1", "x")
		if got := ticket.Outcome; ticket.State != Ended || got.Error != before.Error || before.Error == "" {
			t.Errorf("outcome %+v, want the error %q", got, before.Error)
		}
	})
}

// A run that goes again after a restart is none that was cut off.
func TestResumedRunIsRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		b.send(testKey, "r2", "[[hang]]")
		synctest.Wait()
		after := newBench(t, b.crash(), `{parley:{runs:{onRestart:"resume"}}}`)
		synctest.Wait()
		e := after.entry(testKey)
		if aborted, _ := e.Bool("abortedLastRun"); e.Text("status") != "running" || aborted {
			t.Errorf("entry = %s", e.Raw())
		}
	})
}

// A crash while messages are started again does not change their order.
func TestResumedRunsKeepTheirOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		for _, id := range []string{"r1", "r2", "r3"} {
			b.send(testKey, id, "[[hang]]")
			time.Sleep(time.Second)
		}
		after := newBench(t, b.crash(), `{parley:{runs:{onRestart:"resume"}}}`)
		synctest.Wait()
		data, err := os.ReadFile(journalOf(after.state))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
		last := lines[len(lines)-1]
		if !strings.Contains(last, `"run":"r3"`) {
			t.Fatalf("the last line is %s", last)
		}
		runs, _ := parseJournal([]byte(strings.Join(lines[:len(lines)-1], "")))
		var order []string
		for _, p := range runs {
			order = append(order, p.accepted.RunID)
		}
		equal(t, "order", order, []string{"r1", "r2", "r3"})
	})
}

func TestKeysSurviveARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "good", "[[say x]]")
		b.send(testKey, "bad", "[[fail 401]]")
		b.ended("bad")
		b.stop()
		after := newBench(t, b.state, "")
		if ticket := after.send(testKey, "good", "x"); ticket.State != Ended || ticket.Outcome.Failed() {
			t.Errorf("good: %+v", ticket)
		}
		if ticket := after.send(testKey, "bad", "x"); ticket.Outcome.Error != "401 scripted failure 401" {
			t.Errorf("bad: %+v", ticket)
		}
		after.stop()
		time.Sleep(claimLife + time.Second)
		last := newBench(t, b.state, "")
		if _, known := last.Known(Chat, "good"); known {
			t.Error("a key outlived its time")
		}
		last.stop()
		if _, err := os.Stat(journalOf(b.state)); !os.IsNotExist(err) {
			t.Errorf("a journal without content is left: %v", err)
		}
	})
}

func TestJournalStaysSmall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		st, err := b.stores.Store(testKey)
		if err != nil {
			t.Fatal(err)
		}
		b.send(testKey, "live", "[[hang]]")
		synctest.Wait()
		big := record{Op: "text", Kind: Chat, RunID: "gone", Add: strings.Repeat("x", journalSlack/4)}.line()
		for range 20 {
			if err := b.journal(st.Dir()).append(big, false); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(journalOf(b.state))
		if err != nil || info.Size() > 2*journalSlack {
			t.Errorf("journal: %v, %v", info, err)
		}
		runs := readJournal(t, b.state)
		if !slices.ContainsFunc(runs, func(p *past) bool { return p.accepted.RunID == "live" && p.accepted.Message == "[[hang]]" }) {
			t.Error("the run that goes on is no longer in the journal")
		}
	})
}

func TestJournalIsWrittenAnewAfterAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		synctest.Wait()
		st, _ := b.stores.Store(testKey)
		j := b.journal(st.Dir())
		j.writing.Lock()
		_ = j.file.Close() // the next write fails
		j.writing.Unlock()
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r2", Message: "x"}); err == nil {
			t.Error("a message was accepted that is not on disk")
		}
		if _, known := b.Known(Chat, "r2"); known {
			t.Error("a message that was not accepted has taken its key")
		}
		b.send(testKey, "r3", "y")
		runs := readJournal(t, b.state)
		var got []string
		for _, p := range runs {
			got = append(got, p.accepted.RunID)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, []string{"r1", "r3"}) {
			t.Errorf("journal has %v", got)
		}
	})
}

// A key that was used, forgotten and used again is the newer run.
func TestKillAfterAKeyIsUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "same", "[[say x]]")
		b.ended("same")
		time.Sleep(claimLife + 2*sweepEvery)
		if _, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "same", Message: "second"}); err != nil {
			t.Fatal(err)
		}
		after := newBench(t, b.crash(), "")
		equal(t, "messages", after.messages(testKey), []string{"user  [[say x]]", "assistant stop x", "user  second"})
	})
}

// A clean shutdown loses no more than a kill: messages whose turn had not come
// are settled by the next start, in their order.
func TestQueuedMessagesSurviveAShutdown(t *testing.T) {
	tests := map[string]struct {
		settings string
		heard    []string // of b
		want     []string
	}{
		"close": {
			"", []string{`aborted b #1 shutdown ""`},
			[]string{"user  [[hang]]", "assistant aborted", "user  [[say 1]]", "user  [[say 2]]"},
		},
		"resume": {
			`{parley:{runs:{onRestart:"resume"}}}`, nil,
			[]string{"user  [[hang]]", "assistant aborted", "user  [[say 1]]", "assistant stop 1", "user  [[say 2]]", "assistant stop 2"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", tt.settings)
				b.send(testKey, "r1", "[[hang]]")
				b.send(testKey, "b", "[[say 1]]") // accepted first, in the same millisecond
				b.send(testKey, "a", "[[say 2]]")
				synctest.Wait()
				b.stop()
				equal(t, "heard", b.heard.of("b"), tt.heard)
				after := newBench(t, b.state, tt.settings)
				after.ended("a")
				after.ended("b")
				equal(t, "messages", after.messages(testKey), tt.want)
			})
		})
	}
}

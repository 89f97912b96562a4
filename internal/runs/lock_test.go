package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// lockOf is the lock file of a session's transcript.
func (b *bench) lockOf(key string) string {
	b.t.Helper()
	return filepath.Join(b.state, "agents", "main", "sessions", b.entry(key).SessionID()+".jsonl.lock")
}

// locked reports whether the session's transcript is locked.
func (b *bench) locked(key string) bool {
	b.t.Helper()
	_, err := os.Lstat(b.lockOf(key))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Error(err)
	}
	return err == nil
}

// lockedElsewhere gives a session, which is made, the lock of another program's
// run.
func (b *bench) lockedElsewhere(key string) (lock string) {
	b.t.Helper()
	st, err := b.stores.Store(key)
	if err == nil {
		err = st.Update(b.t.Context(), func(tx *sessions.Tx) error {
			tx.Put(key, sessions.NewEntry(rawjson.NewObject(rawjson.Member{Name: "sessionId", Value: rawjson.Value(`"shared"`)})))
			return nil
		})
	}
	lock = b.lockOf(key)
	text := fmt.Sprintf(`{"pid": %d, "createdAt": "%s"}`, os.Getppid(), time.Now().UTC().Format(time.RFC3339))
	if err := errors.Join(err, os.WriteFile(lock, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
	return lock
}

// Other programs must see a run from before its first line until after its
// last, and not longer than clients do.
func TestTranscriptIsLockedWhileARunWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		var seen []string
		b.heard.each = func(line string) {
			what, _, _ := strings.Cut(line, " ")
			seen = append(seen, fmt.Sprintf("%s %v", what, b.locked(testKey)))
		}
		b.send(testKey, "r1", "[[say hey]]")
		b.ended("r1")
		synctest.Wait()
		equal(t, "locked", seen, []string{"appended true", "started true", "said true", "appended true", "finished false"})
	})
}

// However a run ends, its lock goes with it.
func TestTheLockGoesWithTheRun(t *testing.T) {
	for name, end := range map[string]func(b *bench){
		"[[fail 500]]": func(b *bench) {},
		"[[panic]]":    func(b *bench) {},
		"[[hang]] aborted": func(b *bench) {
			a, err := b.Abort(b.t.Context(), AbortRequest{Key: testKey, Admin: true})
			if err != nil {
				b.t.Error(err)
			}
			a.Release()
		},
		"[[hang]] out of time":  func(b *bench) { time.Sleep(2 * time.Minute) },
		"[[hang]] at the close": func(b *bench) { b.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", "")
				ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r1", Message: name, Timeout: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				ticket.Begin()
				time.Sleep(time.Second)
				if strings.Contains(name, "hang") && !b.locked(testKey) {
					t.Error("the transcript is not locked while the run goes on")
				}
				end(b)
				b.ended("r1")
				synctest.Wait()
				if b.locked(testKey) {
					t.Error("the lock is left")
				}
			})
		})
	}
}

func TestRunWaitsForAnotherProgram(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		lock := b.lockedElsewhere(testKey)
		b.send(testKey, "r1", "[[say hey]]")
		time.Sleep(3 * time.Second)
		if got := b.messages(testKey); len(got) > 0 {
			t.Errorf("written beside another program: %q", got)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		if o := b.ended("r1"); o.Failed() || o.Text != "hey" {
			t.Errorf("outcome = %+v", o)
		}
	})
}

// A run that another program does not let write fails, and its message, which
// was accepted, is written at the next start that can.
func TestRunFailsAtTheLockOfAnotherProgram(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		lock := b.lockedElsewhere(testKey)
		b.send(testKey, "r1", "kept")
		want := fmt.Sprintf("session file locked (timeout 10000ms): pid=%d %s", os.Getppid(), lock)
		if o := b.ended("r1"); o.Error != want {
			t.Errorf("error %q, want %q", o.Error, want)
		}
		synctest.Wait()
		equal(t, "told", b.heard.take(), []string{fmt.Sprintf("finished r1 #1 failed %q %q", "", want)})
		if got := b.entry(testKey).Text("status"); got != "failed" {
			t.Errorf("status %s", got)
		}
		equal(t, "messages", b.messages(testKey), nil)
		left := b.crash()
		// The other program still runs: the start neither waits nor writes.
		if err := os.WriteFile(strings.Replace(lock, b.state, left, 1), must(os.ReadFile(lock)), 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		second := newBenchOn(t, left, "", nil)
		if err := second.Recover(t.Context()); err == nil || !strings.Contains(err.Error(), "session file locked") {
			t.Errorf("recover: %v", err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the start took %v", waited)
		}
		equal(t, "messages after the first start", second.messages(testKey), nil)
		third := newBench(t, second.crash(), "")
		equal(t, "messages after the next", third.messages(testKey), []string{"user  kept"})
	})
}

// A person who aborts a run that waits for a lock has an answer at once; the
// shutdown leaves its message to the next start.
func TestEndWhileWaitingForALock(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(b *bench)
		want []string
	}{
		"aborted": {func(b *bench) {
			a, err := b.Abort(b.t.Context(), AbortRequest{Key: testKey, Admin: true})
			if err != nil || len(a.RunIDs) != 1 {
				b.t.Errorf("aborted %v, %v", a.RunIDs, err)
			}
			a.Release()
		}, nil},
		"out of time": {func(b *bench) { time.Sleep(4 * time.Second) }, []string{"user  kept"}},
		"closed": {func(b *bench) {
			if err := b.Engine.Close(context.Background()); err != nil {
				b.t.Error(err)
			}
		}, []string{"user  kept"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", "")
				b.lockedElsewhere(testKey)
				ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r1", Message: "kept", Timeout: 5 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ticket.Begin()
				time.Sleep(2 * time.Second)
				began := time.Now()
				c.end(b)
				synctest.Wait()
				if waited := time.Since(began); waited > 4*time.Second || b.Active(testKey) {
					t.Errorf("after %v it is active: %v", waited, b.Active(testKey))
				}
				equal(t, "messages", b.messages(testKey), nil)
				after := newBench(t, b.crash(), "")
				equal(t, "messages after the next start", after.messages(testKey), c.want)
			})
		})
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

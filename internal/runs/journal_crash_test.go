package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

// elsewhere are the files of a state directory that are changed past the FS of
// the journals.
var elsewhere = []string{"sessions.json*", "*.jsonl", "*.tmp"}

// found are the runs that the journal of a state directory tells of, and
// whether each has ended. A directory without one tells of none.
func found(state string) (map[string]bool, error) {
	data, err := os.ReadFile(journalOf(state))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	runs, _ := parseJournal(data)
	out := map[string]bool{}
	for _, p := range runs {
		out[p.key().runID] = p.ended != nil
	}
	return out, nil
}

// accept starts runs that do not go yet, and says which were accepted.
func (b *bench) accept(runs ...string) (accepted []string, err error) {
	var errs []error
	for _, run := range runs {
		_, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: run, Message: strings.Repeat(run, 20)})
		if errs = append(errs, err); err == nil {
			accepted = append(accepted, run)
		}
	}
	return accepted, errors.Join(errs...)
}

// Whatever fails, what Start has accepted is in the journal, and in the
// transcript after the next start; what it has refused is not, unless the disk
// is dead. After the fault messages are accepted again.
func TestFaultsKeepWhatWasAccepted(t *testing.T) {
	var accepted []string
	var left string
	disktest.EachFault(t, func(t *testing.T, fs *disk.FS, state string) (err error) {
		left = t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			b := newBenchOn(t, state, "", fs)
			b.dying = true
			accepted, err = b.accept("r1", "r2", "r3")
			b.crashInto(left)
		})
		return err
	}, func(t *testing.T, state string, workErr error) {
		dead := strings.Contains(t.Name(), "ever_after")
		if got := len(accepted); !dead && got < 2 {
			t.Errorf("one fault kept %d messages from being accepted", 3-got)
		}
		if (workErr == nil) != (len(accepted) == 3) {
			t.Errorf("accepted %v, error %v", accepted, workErr)
		}
		holdsAccepted(t, left, accepted, dead)
		synctest.Test(t, func(t *testing.T) {
			after := newBench(t, left, "")
			var want []string
			for _, run := range accepted {
				want = append(want, "user  "+strings.Repeat(run, 20))
			}
			if got := after.messages(testKey); dead && len(got) < len(want) || !dead && !slices.Equal(got, want) {
				t.Errorf("messages %q, want %q", got, want)
			}
		})
	})
}

func holdsAccepted(t *testing.T, state string, accepted []string, dead bool) {
	t.Helper()
	runs, err := found(state)
	if err != nil {
		t.Error(err)
	}
	for _, run := range accepted {
		if ended, ok := runs[run]; !ok || ended {
			t.Errorf("%s was accepted and is in the journal %t, ended %t", run, ok, ended)
		}
	}
	if !dead && len(runs) != len(accepted) {
		t.Errorf("the journal has %v, accepted were %v", runs, accepted)
	}
}

// grow appends a line to the journal which makes it so long that it is written
// anew.
func (b *bench) grow() error {
	b.t.Helper()
	st, err := b.stores.Store(testKey)
	if err != nil {
		b.t.Fatal(err)
	}
	j := b.journal(st.Dir())
	j.writing.Lock()
	j.limit = 0
	j.writing.Unlock()
	return j.append(record{Op: "text", Kind: Chat, RunID: "gone", Add: "x"}.line(), false)
}

// A fault while the journal is written anew, because it has grown or at the
// shutdown, loses nothing.
func TestFaultsWhileAJournalIsRenewed(t *testing.T) {
	for name, renew := range map[string]func(b *bench) error{
		"grown":  func(b *bench) error { return b.grow() },
		"closed": func(b *bench) error { return b.closeJournals() },
	} {
		var left string
		t.Run(name, func(t *testing.T) {
			disktest.EachFaultAfter(t, func(t *testing.T, fs *disk.FS, state string, arm func()) (err error) {
				left = t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					b := newBenchOn(t, state, "", fs)
					b.dying = true
					if _, err := b.accept("r1", "r2"); err != nil {
						t.Fatal(err)
					}
					arm()
					err = renew(b)
					b.crashInto(left)
				})
				return err
			}, func(t *testing.T, _ string, workErr error) {
				holdsAccepted(t, left, []string{"r1", "r2"}, false)
			})
		})
	}
}

// On a full disk no journal can be written anew: then what was refused is cut.
func TestRefusedMessageIsCutOnAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := false
		b := newBenchOn(t, "", "", disk.New(func(op disk.Op) (int, error) {
			if full && op.Kind == disk.Write {
				return len(op.Data), syscall.ENOSPC
			}
			return 0, nil
		}))
		if _, err := b.accept("r1"); err != nil {
			t.Fatal(err)
		}
		full = true
		if accepted, err := b.accept("r2", "r3"); err == nil || len(accepted) > 0 {
			t.Errorf("accepted %v, error %v", accepted, err)
		}
		holdsAccepted(t, b.state, []string{"r1"}, false)
		full = false
		if _, err := b.accept("r2"); err != nil {
			t.Error(err)
		}
		holdsAccepted(t, b.state, []string{"r1", "r2"}, false)
	})
}

// kept reports whether the marks made before a power cut hold afterwards:
// "accepted r" that the run is found, "refused r" that it is not, "ended r"
// that it has ended.
func kept(state string, marks []any) error {
	runs, err := found(state)
	if err != nil {
		return err
	}
	for _, m := range marks {
		what, run, _ := strings.Cut(m.(string), " ")
		ended, ok := runs[run]
		if ok == (what == "refused") || what == "ended" && !ended {
			return fmt.Errorf("%s: found %t, ended %t", m, ok, ended)
		}
	}
	return nil
}

// lives records an engine that accepts two messages, answers the first, takes a
// third, and is shut down.
func lives(t *testing.T, rec *disktest.Recorder) {
	t.Helper()
	b := newBenchOn(t, rec.Dir(), "", rec.FS())
	accept := func(run, message string) Ticket {
		ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: run, Message: message})
		if err != nil {
			t.Fatal(err)
		}
		rec.Mark("accepted " + run)
		return ticket
	}
	first, second := accept("r1", "[[drip 4 400]]"), accept("r2", "[[hang]]")
	first.Begin()
	second.Begin()
	b.ended("r1")
	rec.Mark("ended r1")
	time.Sleep(time.Second)
	accept("r3", strings.Repeat("long ", 2000)).Begin()
	b.stop()
	rec.Mark("ended r2")
}

// After a power cut at any time of an engine's life each message that it
// accepted is found, and each end that it has noted.
func TestPowerCutsKeepWhatWasAccepted(t *testing.T) {
	for _, o := range []disktest.Options{{}, {AnyOrder: true}, {Sectors: true}} {
		bubble(t, func(t *testing.T) {
			rec := disktest.Record(t, t.TempDir())
			lives(t, rec)
			o.Ignore = elsewhere
			if n := disktest.PowerCuts(t, rec, o, kept); n < 50 {
				t.Errorf("only %d states", n)
			}
		})
	}
}

// The same after a start that found the runs of a process that was killed.
func TestPowerCutsDuringRecovery(t *testing.T) {
	for _, onRestart := range []string{"close", "resume"} {
		bubble(t, func(t *testing.T) {
			b := newBench(t, "", "")
			if _, err := b.accept("r1", "r2"); err != nil {
				t.Fatal(err)
			}
			state := b.crash()
			rec := disktest.Record(t, state)
			rec.Mark("accepted r1")
			rec.Mark("accepted r2")
			after := newBenchOn(t, state, `{parley:{runs:{onRestart:"`+onRestart+`"}}}`, rec.FS())
			if err := after.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			after.ended("r1")
			after.ended("r2")
			rec.Mark("ended r2")
			after.stop()
			disktest.PowerCuts(t, rec, disktest.Options{AnyOrder: true, Ignore: elsewhere}, kept)
		})
	}
}

// failing lets the next operation of a kind fail, a write when half of it is
// written.
func failing(rec *disktest.Recorder, kind disk.Kind) {
	rec.Fault = func(op disk.Op) (int, error) {
		if op.Kind != kind {
			return 0, nil
		}
		rec.Fault = nil
		return len(op.Data) / 2, syscall.EIO
	}
}

// After an operation that failed, what is refused is gone and what is accepted
// next is safe, although the syncs that follow on it seem to work.
func TestPowerCutsAfterAFault(t *testing.T) {
	for _, kind := range []disk.Kind{disk.Open, disk.Write, disk.Sync, disk.SyncDir} {
		bubble(t, func(t *testing.T) {
			rec := disktest.Record(t, t.TempDir())
			if err := rec.FS().MkdirAll(filepath.Dir(journalOf(rec.Dir()))); err != nil {
				t.Fatal(err)
			}
			failing(rec, kind)
			b := newBenchOn(t, rec.Dir(), "", rec.FS())
			if _, err := b.accept("r1"); err == nil {
				t.Errorf("%s: a message was accepted although it failed", kind)
			}
			rec.Mark("refused r1")
			b.acceptMarked(rec, "r2", "r3")
			b.stop()
			disktest.PowerCuts(t, rec, disktest.Options{AnyOrder: true, Ignore: elsewhere}, kept)
		})
	}
}

// The same where it was to be written anew because it had grown.
func TestPowerCutsAfterAFaultInRenewing(t *testing.T) {
	for _, kind := range []disk.Kind{disk.Open, disk.Write, disk.Sync, disk.Rename, disk.SyncDir} {
		bubble(t, func(t *testing.T) {
			rec := disktest.Record(t, t.TempDir())
			b := newBenchOn(t, rec.Dir(), "", rec.FS())
			b.acceptMarked(rec, "r1")
			failing(rec, kind)
			if err := b.grow(); err != nil && kind != disk.Write {
				t.Errorf("%s: %v", kind, err)
			}
			b.acceptMarked(rec, "r2", "r3")
			if rec.Fault != nil {
				t.Errorf("%s did not fail", kind)
			}
			disktest.PowerCuts(t, rec, disktest.Options{AnyOrder: true, Ignore: elsewhere}, kept)
		})
	}
}

// acceptMarked is accept of runs that must be accepted, and says so.
func (b *bench) acceptMarked(rec *disktest.Recorder, runs ...string) {
	b.t.Helper()
	for _, run := range runs {
		if _, err := b.accept(run); err != nil {
			b.t.Fatal(err)
		}
		rec.Mark("accepted " + run)
	}
}

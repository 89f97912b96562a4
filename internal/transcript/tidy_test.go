package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func lockText(pid int, age time.Duration) string {
	return fmt.Sprintf(`{"pid": %d, "createdAt": "%s"}`, pid, time.Now().Add(-age).UTC().Format("2006-01-02T15:04:05.000Z"))
}

// deadPID is the number of no process: it is above the system's limit.
const deadPID = 1 << 22

func TestTidyRemovesWhatACrashLeft(t *testing.T) {
	f := newFixture(t)
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	outside := filepath.Join(t.TempDir(), "outside")
	link := filepath.Join(f.state, "agents", "linked")
	if err := os.MkdirAll(link, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(link, "sessions")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for name, text := range map[string]string{
		"dead.jsonl.lock":    lockText(deadPID, time.Second),
		"old.jsonl.lock":     lockText(os.Getppid(), 31*time.Minute),
		"live.jsonl.lock":    lockText(os.Getppid(), 29*time.Minute),
		"empty.jsonl.lock":   "",
		"sessions.json.lock": lockText(deadPID, time.Hour),
		"s.jsonl":            testHeader,
		filepath.Join(f.state, "agents/ops/sessions/dead.jsonl.lock"): lockText(deadPID, 0),
		filepath.Join(elsewhere, "dead.jsonl.lock"):                   lockText(deadPID, 0),
		filepath.Join(outside, "dead.jsonl.lock"):                     lockText(deadPID, 0),
		"s.jsonl.abc.tmp":      "old",
		"s.jsonl.lock.abc.tmp": "old",
		"s.jsonl.young.tmp":    "young",
		"sessions.json.x.tmp":  "of the store",
	} {
		path := f.write(t, name, text)
		if strings.HasSuffix(name, ".tmp") && text != "young" {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.Tidy(elsewhere, filepath.Join(f.state, "absent"))
	want := []string{"live.jsonl.lock", "s.jsonl", "s.jsonl.young.tmp", "sessions.json.lock", "sessions.json.x.tmp"}
	if diff := cmp.Diff(want, f.ls(t)); diff != "" {
		t.Error(diff)
	}
	for dir, want := range map[string]int{elsewhere: 0, outside: 1, filepath.Join(f.state, "agents/ops/sessions"): 0} {
		if left, err := os.ReadDir(dir); len(left) != want || err != nil {
			t.Errorf("%d files in %s, %v, want %d", len(left), dir, err, want)
		}
	}
	for _, want := range []string{
		"removed stale session lock: " + f.path("dead") + ".lock (dead pid)",
		"removed stale session lock: " + f.path("old") + ".lock (too old)",
		"removed stale session lock: " + f.path("empty") + ".lock (missing pid)",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log.String())
		}
	}
}

// While another program's run writes to a transcript nothing may replace it,
// but a line can be appended.
func TestForeignRunKeepsTheFile(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", append(chain(3), "junk")...)
	f.write(t, "old.jsonl", `{"type":"session","id":"old"}`, `{"type":"message","message":{"role":"user","content":"a"}}`)
	for _, id := range []string{"s", "old"} {
		f.write(t, id+".jsonl.lock", lockText(os.Getppid(), time.Minute))
	}
	before := f.read(t, f.path("old"))
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		if _, err := f.Compact(f.ref("s"), 2); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getppid())) {
			t.Errorf("compacted: %v", err)
		}
		if waited := time.Since(started); waited < 9*time.Second || waited > claimWait {
			t.Errorf("waited %v", waited)
		}
		if _, err := f.Repair(f.ref("s")); !errors.Is(err, ErrLocked) {
			t.Errorf("repaired: %v", err)
		}
		if _, err := f.Append(f.ref("old"), "/", messageLine("user", "b")); !errors.Is(err, ErrLocked) {
			t.Errorf("upgraded: %v", err)
		}
		if _, err := f.Append(f.ref("s"), "/", messageLine("user", "b")); err != nil {
			t.Errorf("appended: %v", err)
		}
		if _, err := f.Compact(f.ref("s"), 100); err != nil {
			t.Errorf("nothing to compact: %v", err)
		}
	})
	if got := f.read(t, f.path("old")); got != before {
		t.Errorf("the old file is %q", got)
	}
	// The run ends while a compaction waits for it.
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(3*time.Second, func() {
			if err := os.Remove(f.path("s") + ".lock"); err != nil {
				t.Error(err)
			}
		})
		if got, err := f.Compact(f.ref("s"), 2); !got.Compacted || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
	if _, err := os.Lstat(f.path("s") + ".lock"); !os.IsNotExist(err) {
		t.Errorf("our lock is left: %v", err)
	}
}

package lockfile

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testLock(t *testing.T) Lock {
	t.Helper()
	return Lock{Path: filepath.Join(t.TempDir(), "f.lock"), Stale: 30 * time.Second, Stuck: 5 * time.Minute}
}

// A lock without an owner can be taken by nobody for half a minute, so there
// must be no moment in which a crash could leave one.
func TestLockNamesItsOwnerFromTheFirstMoment(t *testing.T) {
	l := testLock(t)
	var seen int
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if data, err := os.ReadFile(l.Path); err == nil {
				seen++
				if o, _, ok := l.read(); len(data) == 0 || ok && o.PID != int64(os.Getpid()) {
					t.Errorf("lock file holds %q", data)
					return
				}
			}
		}
	})
	for range 300 {
		release, err := l.Acquire(t.Context(), time.Now().Add(time.Second))
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.create(); !os.IsExist(err) {
			t.Errorf("a second owner got the lock (%v)", err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if seen == 0 {
		t.Error("the lock file was never seen")
	}
	if left, _ := os.ReadDir(filepath.Dir(l.Path)); len(left) != 0 {
		t.Errorf("%d files are left behind, such as %s", len(left), left[0].Name())
	}
}

func iso(age time.Duration) string {
	return time.Now().Add(-age).UTC().Format("2006-01-02T15:04:05.000Z")
}

func TestFaults(t *testing.T) {
	now := time.Now()
	self, parent := int64(os.Getpid()), int64(os.Getppid())
	start, known := startTime(self)
	l := testLock(t)
	for _, tt := range []struct {
		name     string
		owner    owner
		readable bool
		age      time.Duration
		want     []string
		linux    bool
	}{
		{name: "unreadable, fresh", age: time.Second},
		{name: "unreadable, old", age: time.Minute, want: []string{missingPID, tooOld}},
		{name: "no pid, old", readable: true, age: time.Minute, want: []string{missingPID, tooOld}},
		{name: "dead", owner: owner{PID: 1 << 22, CreatedAt: iso(0)}, readable: true, want: []string{deadPID}},
		{name: "recycled", owner: owner{PID: self, CreatedAt: iso(0), StartTime: start + 1}, readable: true, want: []string{recycledPID}, linux: true},
		{name: "alive, known", owner: owner{PID: self, CreatedAt: iso(time.Minute), StartTime: start}, readable: true, linux: true},
		{name: "alive, stuck", owner: owner{PID: self, CreatedAt: iso(6 * time.Minute), StartTime: start}, readable: true, want: []string{tooOld}, linux: true},
		{name: "ours, not by us", owner: owner{PID: self, CreatedAt: iso(0)}, readable: true, want: []string{recycledPID}},
		{name: "another, fresh", owner: owner{PID: parent, CreatedAt: iso(time.Second)}, readable: true},
		{name: "another, old", owner: owner{PID: parent, CreatedAt: iso(time.Minute)}, readable: true, want: []string{tooOld}},
		{name: "no time, fresh", owner: owner{PID: parent}, readable: true, age: time.Second},
		{name: "no time, old", owner: owner{PID: parent}, readable: true, age: time.Minute, want: []string{badCreatedAt, tooOld}},
	} {
		if tt.linux && !known {
			continue
		}
		if diff := cmp.Diff(tt.want, l.faults(tt.owner, tt.readable, now.Add(-tt.age), now)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// write makes the lock file with an owner's words, or just text.
func (l Lock) write(t *testing.T, content any) {
	t.Helper()
	text, ok := content.(string)
	if !ok {
		b, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	if err := os.WriteFile(l.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCleanRemovesWhatWasLeftBehind(t *testing.T) {
	parent := int64(os.Getppid())
	for _, tt := range []struct {
		name    string
		content any
		want    string // reasons; empty when the lock stays
	}{
		{"alive", owner{PID: parent, CreatedAt: iso(time.Second)}, ""},
		{"dead", owner{PID: 1 << 22, CreatedAt: iso(time.Second)}, "dead pid"},
		{"old", owner{PID: parent, CreatedAt: iso(time.Hour)}, "too old"},
		{"no owner", `{"createdAt": "` + iso(0) + `"}`, "missing pid"},
		{"empty", "", "missing pid"},
		{"no JSON", "{", "missing pid"},
		{"no time", owner{PID: parent, CreatedAt: "yesterday"}, "bad createdAt"},
	} {
		l := testLock(t)
		l.write(t, tt.content)
		reasons, err := l.Clean()
		if got := strings.Join(reasons, ", "); got != tt.want || err != nil {
			t.Errorf("%s: reasons %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if _, err := os.Lstat(l.Path); os.IsNotExist(err) != (tt.want != "") {
			t.Errorf("%s: afterwards the lock is there: %v", tt.name, err == nil)
		}
	}
	if reasons, err := testLock(t).Clean(); reasons != nil || err != nil {
		t.Errorf("without a lock: %v, %v", reasons, err)
	}
}

// A lock that another process made between the look and the removal stays.
func TestRemoveKeepsAnotherLock(t *testing.T) {
	l := testLock(t)
	l.write(t, owner{PID: int64(os.Getppid()), CreatedAt: iso(0)})
	_, before, _ := l.read()
	if l.remove("what was there when it was looked at") {
		t.Error("the lock was removed")
	}
	if _, after, _ := l.read(); after != before {
		t.Errorf("the lock holds %q, want %q", after, before)
	}
}

func TestHeld(t *testing.T) {
	l := testLock(t)
	if err := l.Held(); err != nil {
		t.Errorf("without a lock: %v", err)
	}
	l.write(t, owner{PID: 1 << 22, CreatedAt: iso(0)})
	if err := l.Held(); err != nil {
		t.Errorf("lock of a dead process: %v", err)
	}
	parent := int64(os.Getppid())
	l.write(t, owner{PID: parent, CreatedAt: iso(0)})
	held, ok := errors.AsType[*HeldError](l.Held())
	if !ok || held.PID != parent {
		t.Errorf("lock of a living process: %v", held)
	}
	if _, err := l.Acquire(t.Context(), time.Now()); !errors.As(err, &held) {
		t.Errorf("acquired in vain: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Acquire(ended, time.Now().Add(time.Minute)); !errors.Is(err, context.Canceled) {
		t.Errorf("acquired by somebody who no longer wants it: %v", err)
	}
	l.write(t, "")
	if err := l.Held(); err == nil || l.Owner() != 0 {
		t.Errorf("a lock that is just being written: %v", err)
	}
}

func TestLeftTellsALockThatNobodyNeeds(t *testing.T) {
	parent := int64(os.Getppid())
	for _, tt := range []struct {
		name    string
		content any
		want    bool
	}{
		{"alive", owner{PID: parent, CreatedAt: iso(time.Second)}, false},
		{"dead", owner{PID: 1 << 22, CreatedAt: iso(time.Second)}, true},
		{"old", owner{PID: parent, CreatedAt: iso(time.Hour)}, true},
		{"being written", "", false},
	} {
		l := testLock(t)
		l.write(t, tt.content)
		if got := l.Left(); got != tt.want {
			t.Errorf("%s: left behind %v, want %v", tt.name, got, tt.want)
		}
		if _, err := os.Lstat(l.Path); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if l := testLock(t); l.Left() {
		t.Error("no lock was left behind")
	}
}

// A lock that is held for long must not grow old.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLock(t)
		release, err := l.Acquire(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(4 * time.Minute)
			if err := l.Refresh(); err != nil {
				t.Fatal(err)
			}
			if o, _, _ := l.read(); o.CreatedAt != iso(0) || o.PID != int64(os.Getpid()) {
				t.Errorf("after Refresh the owner is %+v", o)
			}
			if l.Break() {
				t.Error("a lock that was refreshed could be taken")
			}
		}
		if err := os.Remove(l.Path); err != nil {
			t.Fatal(err)
		}
		if err := l.Refresh(); err != nil || l.Owner() != int64(os.Getpid()) {
			t.Errorf("after it was removed: %v, owner %d", err, l.Owner())
		}
		l.write(t, owner{PID: int64(os.Getppid()), CreatedAt: iso(0)})
		held, ok := errors.AsType[*HeldError](l.Refresh())
		if !ok || held.PID != int64(os.Getppid()) {
			t.Errorf("after another took it: %v", held)
		}
		if err := release(); err != nil || l.Owner() != int64(os.Getppid()) {
			t.Errorf("released: %v, owner %d", err, l.Owner())
		}
		names, err := os.ReadDir(filepath.Dir(l.Path))
		if err != nil || len(names) != 1 {
			t.Errorf("%d files are there, %v", len(names), err)
		}
	})
}

func TestTold(t *testing.T) {
	for pid, want := range map[int64]string{
		7: "session file locked (timeout 10000ms): pid=7 /x.lock",
		0: "session file locked (timeout 10000ms): unknown /x.lock",
	} {
		if got := (&HeldError{Path: "/x.lock", PID: pid}).Told(10 * time.Second); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

package crashtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parleyd/parley/client"
)

// TestDiskFull takes the disk away from a daemon that runs and gives it back.
// Changes are refused with the reason, or made and kept; what was there stays
// readable, no file is torn, and with space again all works without a restart.
func TestDiskFull(t *testing.T) {
	t.Run("no file may grow", func(t *testing.T) {
		d := newDaemon(t, plain)
		newSqueeze(t, d).play("file too large", func() { limitFiles(t, d, 64) }, func() { limitFiles(t, d, math.MaxUint64) })
	})
	// Only an administrator may mount; the first form is for everybody.
	dir, ok := mountSmall(t)
	if !ok {
		t.Log("no file system can be mounted here: a full one was not tried")
		return
	}
	t.Run("no space left", func(t *testing.T) {
		d := newDaemon(t, plain)
		d.state = filepath.Join(dir, "state")
		filler := filepath.Join(dir, "filler")
		newSqueeze(t, d).play("no space left on device", func() { fill(t, filler) }, func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// TestStoreNotReadable puts something that cannot be read in the place of the
// store. That must not count as empty: the sessions stay, changes are refused,
// and with the store back in its place all goes on.
func TestStoreNotReadable(t *testing.T) {
	d := newDaemon(t, plain)
	aside := d.store() + ".aside"
	s := newSqueeze(t, d)
	s.storeOnly = true
	s.play("is a directory", func() {
		awaitFile(t, d.store()) // it comes soon after the changes, which a journal has before
		if err := errors.Join(os.Rename(d.store(), aside), os.Mkdir(d.store(), 0o700)); err != nil {
			t.Fatal(err)
		}
	}, func() {
		if err := errors.Join(os.Remove(d.store()), os.Rename(aside, d.store())); err != nil {
			t.Fatal(err)
		}
	})
}

// awaitFile waits until there is a file of this name.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(10 * time.Millisecond) {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come in 10 s", path)
		}
	}
}

// TestStoreNotReadableAtStart is the same for a daemon that has not seen the
// store before: reading goes on without it, as with any store that is not
// there, but nothing may be written in its place.
func TestStoreNotReadableAtStart(t *testing.T) {
	d := newDaemon(t, plain)
	aside := d.store() + ".aside"
	mustCall(t, d.mustStart(t), "sessions.create", params{"key": "there"}, nil)
	d.mustStop(t)
	if err := errors.Join(os.Rename(d.store(), aside), os.Mkdir(d.store(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := d.start(); err == nil { // not to start at all is right, too
		c := d.mustDial(t)
		err = call(t.Context(), c, "sessions.create", params{"key": "new"}, nil)
		if e := refusal(err); e == nil || e.Code != "UNAVAILABLE" {
			t.Errorf("sessions.create: %v, want UNAVAILABLE", err)
		}
		d.kill()
	}
	if err := errors.Join(os.Remove(d.store()), os.Rename(aside, d.store())); err != nil {
		t.Fatal(err)
	}
	if _, there := mustRows(t, d.mustStart(t), "")["there"]; !there {
		t.Error("the session is gone")
	}
}

// TestDirectoryNotWritable makes the directory of the sessions read-only while
// the daemon runs.
func TestDirectoryNotWritable(t *testing.T) {
	d := newDaemon(t, plain)
	s := newSqueeze(t, d)
	s.namesOnly = true
	if os.Getuid() != 0 {
		mode := func(m os.FileMode) {
			if err := os.Chmod(d.sessions(), m); err != nil {
				t.Fatal(err)
			}
		}
		s.play("permission denied", func() { mode(0o500) }, func() { mode(0o700) })
		return
	}
	if !mayMount(t) {
		t.Log("an administrator who may not mount can write everywhere: nothing was tried")
		return
	}
	s.play("read-only file system", func() { mountReadOnly(t, d.sessions()) }, func() { unmount(t, d.sessions()) })
}

// squeeze is a daemon to which something is done that makes its writes fail.
type squeeze struct {
	t       *testing.T
	d       *daemon
	c       *client.Conn
	w       *writer
	files   *files
	full    bool           // writes fail
	refused map[string]int // calls by method
	made    map[string]int

	sent     *session // gets messages while writes fail
	accepted []said

	storeOnly bool // only changes of the store fail
	namesOnly bool // files that are open can be written
}

func newSqueeze(t *testing.T, d *daemon) *squeeze {
	s := &squeeze{t: t, d: d, w: newWriter("full", newRand(t)), refused: map[string]int{}, made: map[string]int{}}
	s.files = &files{dir: d.sessions()}
	s.sent = &session{key: "sent"}
	return s
}

// play runs the story; reason is what refusals have to say.
func (s *squeeze) play(reason string, take, give func()) {
	s.c = s.d.mustStart(s.t)
	for _, x := range s.w.own {
		s.must(x, &change{method: "sessions.create", params: params{"key": x.key}})
		s.must(x, s.w.inject(x.key))
		s.must(x, s.send(x))
	}
	s.must(s.sent, &change{method: "sessions.create", params: params{"key": s.sent.key}})
	s.check("before")

	take()
	s.full = true
	was := s.transcripts()
	s.fail(reason)
	s.check("while nothing can be written")
	s.unchanged(was)
	give()
	s.full = false

	s.work()
	s.check("when all can be written again")
	s.d.kill()
	s.c = s.d.mustStart(s.t)
	s.check("after a restart")
	s.checkAccepted()
	s.t.Logf("refused %v, made all the same %v", s.refused, s.made)
}

// fail makes changes of each kind until one is refused. What still fits in,
// such as a short line in a block that is not full, may be made.
func (s *squeeze) fail(reason string) {
	x := slices.Clone(s.w.own)
	s.refuse(reason, func() (*session, *change) {
		made := &session{key: fmt.Sprintf("new-%d", len(s.w.own))}
		s.w.own = append(s.w.own, made)
		return made, &change{method: "sessions.create", params: params{"key": made.key}}
	})
	patch := func() (*session, *change) { return x[0], s.w.patch(x[0].key) }
	if s.namesOnly {
		// The store's journal is open, so its changes go on; what reset and delete
		// do to transcripts cannot be done, which they only log.
		s.attempt(reason, patch)
	} else {
		s.refuse(reason, patch)
		s.refuse(reason, func() (*session, *change) {
			return x[2], &change{method: "sessions.reset", params: params{"key": x[2].key}}
		})
		s.refuse(reason, func() (*session, *change) {
			return x[3], &change{method: "sessions.delete", params: params{"key": x[3].key}}
		})
	}
	if !s.storeOnly {
		s.refuse(reason, func() (*session, *change) { return x[1], s.w.inject(x[1].key) })
	}
	for range 5 { // accepted or not: the journal of runs may have room, or be open
		if c := s.send(s.sent); !s.try(s.sent, c, reason) {
			s.accepted = append(s.accepted, c.said)
		}
	}
}

// checkAccepted: a message that was accepted while its run could not write it
// is written at the next start.
func (s *squeeze) checkAccepted() {
	w, err := observe(s.t.Context(), s.c, s.files)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.accepted {
		times := 0
		for _, heard := range w.heard[s.sent.key] {
			if heard == m {
				times++
			}
		}
		if times != 1 {
			s.t.Errorf("%.60q was accepted and is there %d times", m.text, times)
		}
	}
}

// refuse makes changes until one is refused.
func (s *squeeze) refuse(reason string, next func() (*session, *change)) {
	for range 300 {
		if x, c := next(); s.try(x, c, reason) {
			return
		}
	}
	s.t.Errorf("no call was refused with %q, of %v", reason, s.made)
}

// attempt makes a few changes, which may be refused.
func (s *squeeze) attempt(reason string, next func() (*session, *change)) {
	for range 3 {
		x, c := next()
		s.try(x, c, reason)
	}
}

// try makes a change. When it is refused it must be for the reason.
func (s *squeeze) try(x *session, c *change, reason string) (refused bool) {
	err := s.do(x, c)
	if err == nil {
		s.made[c.method]++
		return false
	}
	s.refused[c.method]++
	e := refusal(err)
	if e == nil {
		s.t.Fatalf("%s: %v", c.method, err)
	}
	if e.Code != "UNAVAILABLE" || !strings.Contains(e.Message, reason) {
		s.t.Errorf("%s was refused with %s %q, want UNAVAILABLE and %q", c.method, e.Code, e.Message, reason)
	}
	return true
}

// work makes changes of all kinds, which must succeed.
func (s *squeeze) work() {
	for _, x := range s.w.own {
		s.must(x, s.w.create(x.key))
		s.must(x, s.w.patch(x.key))
		s.must(x, s.w.inject(x.key))
		s.must(x, s.send(x))
		s.must(x, &change{method: "sessions.compact", params: params{"key": x.key, "maxLines": 4}})
	}
	s.must(s.w.own[0], &change{method: "sessions.reset", params: params{"key": s.w.own[0].key}})
	s.must(s.w.own[1], &change{method: "sessions.delete", params: params{"key": s.w.own[1].key}})
}

func (s *squeeze) send(x *session) *change {
	return s.w.send("chat.send", "sessionKey", x.key)
}

// do makes a change; a refused one must not have happened.
func (s *squeeze) do(x *session, c *change) error {
	var a answer
	if err := call(s.t.Context(), s.c, c.method, c.params, &a); err != nil {
		return err
	}
	next, ended, fault := x.now.after(c, &a)
	if fault != "" {
		s.t.Errorf("%s: %s", c.method, fault)
	}
	if ended != nil {
		x.past = append(x.past, ended)
	}
	x.now = next
	if c.run != "" {
		return call(s.t.Context(), s.c, "agent.wait", params{"runId": c.run, "timeoutMs": 10_000}, nil)
	}
	return nil
}

func (s *squeeze) must(x *session, c *change) {
	s.t.Helper()
	if err := s.do(x, c); err != nil {
		s.t.Fatal(err)
	}
}

// check compares all that was answered with what is there.
func (s *squeeze) check(when string) {
	s.t.Helper()
	w, err := observe(s.t.Context(), s.c, s.files)
	if err != nil {
		s.t.Fatalf("%s: %v", when, err)
	}
	faults := w.faults
	for _, x := range s.w.own {
		if found := w.settle(x); len(found) > 0 {
			faults = append(faults, strings.Join(found, "\n  "), x.String())
		}
	}
	if _, err := readStore(s.d.store()); err != nil && !(s.full && s.storeOnly) {
		faults = append(faults, err.Error())
	}
	left := untidy(s.d.sessions(), time.Now())
	for deadline := time.Now().Add(3 * time.Second); len(left) > 0 && time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		left = untidy(s.d.sessions(), time.Now()) // it may just be writing a file
	}
	faults = append(faults, left...)
	if len(faults) > 0 {
		s.t.Errorf("%s:\n%s", when, strings.Join(faults, "\n"))
	}
}

// transcripts are the contents of all transcripts, by name.
func (s *squeeze) transcripts() map[string][]byte {
	names, err := filepath.Glob(filepath.Join(s.d.sessions(), "*.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		if out[name], err = os.ReadFile(name); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// unchanged: transcripts begin as they did and end with a whole line. A
// session that could be reset or deleted all the same has its file elsewhere.
func (s *squeeze) unchanged(was map[string][]byte) {
	for name, data := range s.transcripts() {
		if !bytes.HasPrefix(data, was[name]) {
			s.t.Errorf("%s has changed from %q to %q", name, was[name], data)
		}
		if !bytes.HasSuffix(data, []byte("\n")) {
			s.t.Errorf("%s ends in the middle of a line", name)
		}
	}
}

// limitFiles sets how large a file may become that the daemon writes.
func limitFiles(t *testing.T, d *daemon, size uint64) {
	t.Helper()
	if err := unix.Prlimit(d.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: math.MaxUint64}, nil); err != nil {
		t.Fatal(err)
	}
}

// fill writes a file until there is no space left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// mayMount reports whether this process may mount file systems.
func mayMount(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k")
	if err == nil {
		unmount(t, dir)
	}
	return err == nil
}

// mountSmall mounts a file system of 8 MiB until the test ends.
func mountSmall(t *testing.T) (dir string, ok bool) {
	t.Helper()
	if !mayMount(t) {
		return "", false
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir, true
}

// mountReadOnly makes all names below a directory read-only. Files that are
// open already stay as they are.
func mountReadOnly(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // usually done by then
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

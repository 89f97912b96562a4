package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serviceManager is the socket of one.
func serviceManager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotify(t *testing.T) {
	names := []string{filepath.Join(t.TempDir(), "s")}
	if runtime.GOOS == "linux" {
		names = append(names, "@parley-test-"+strconv.Itoa(os.Getpid()))
	}
	for _, name := range names {
		c := serviceManager(t, name)
		n := notifierOf(func(v string) string { return map[string]string{"NOTIFY_SOCKET": name}[v] })
		if err := n.tell("READY=1", "", "STATUS=x"); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, c); got != "READY=1\nSTATUS=x\n" {
			t.Errorf("%s heard %q", name, got)
		}
	}
	if err := (notifier{}).tell("READY=1"); err != nil {
		t.Errorf("nobody to tell: %v", err)
	}
	if err := (notifier{socket: filepath.Join(t.TempDir(), "none")}).tell("READY=1"); err == nil {
		t.Error("a socket that is not there gives no error")
	}
}

func TestWatchdogOfTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"x", "", 0}, {"30000000", "", 30 * time.Second},
		{"30000000", strconv.Itoa(os.Getpid()), 30 * time.Second}, {"30000000", "1", 0},
	} {
		n := notifierOf(func(v string) string { return map[string]string{"WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}[v] })
		if n.watchdog != c.want {
			t.Errorf("%+v: %v", c, n.watchdog)
		}
	}
}

// A gateway whose locks cannot be had tells nothing more.
func TestWatchdogStopsWithTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told, beats, hangs := 0, 0, make(chan struct{})
		pulse := func() {
			if beats++; beats == 3 {
				<-hangs
			}
		}
		ended := make(chan struct{})
		go func() { watchdog(ctx, time.Second, pulse, func() { told++ }); close(ended) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if told != 2 {
			t.Errorf("told %d times", told)
		}
		cancel()
		close(hangs)
		<-ended
	})
}

// A file that is renamed into place, one that comes later, and what else lies in
// the directory.
func TestWatchFiles(t *testing.T) {
	dir := t.TempDir()
	main, included := filepath.Join(dir, "parley.json"), filepath.Join(dir, "sub", "more.json")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}, 10), make(chan struct{})
	files := func() []string { return []string{main, included} }
	go func() {
		watchFiles(ctx, files, func() { changed <- struct{}{} }, slog.New(slog.DiscardHandler))
		close(ended)
	}()
	defer func() { cancel(); <-ended }()
	await := func(what string, c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s is not noticed", what)
		}
	}
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.Repeat("x", 10)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	await("what there was before", changed)
	write(main)
	await("a new file", changed)
	write(main + ".tmp")
	if err := os.Rename(main+".tmp", main); err != nil {
		t.Fatal(err)
	}
	await("a file renamed into place", changed)
	write(included)
	await("another directory's file", changed)
	if !watched([]string{main}, filepath.Join(dir, "..data")) || watched([]string{main}, filepath.Join(dir, "parley.lock")) {
		t.Error("what counts as a change is wrong")
	}
}

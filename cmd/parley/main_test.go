package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"parley": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"PORT", "OTHER"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				e.Setenv(name, strconv.Itoa(port))
			}
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"listening": listening,
			"occupy":    occupy,
			"mode":      mode,
			"await":     await,
			"term":      sends(syscall.SIGTERM),
			"hup":       sends(syscall.SIGHUP),
			"exits":     exits,
			"get":       get,
			"manager":   manager,
		},
	})
}

// freePort is a port of this machine that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// listening waits until a daemon accepts connections on a port.
func listening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening port")
	}
	poll(ts, "a listener on port "+args[0], func() bool {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+args[0], time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// await waits until a file that a process in the background writes, named by a
// pattern, has a text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await file text")
	}
	poll(ts, args[1]+" in "+args[0], func() bool {
		files, _ := filepath.Glob(ts.MkAbs(args[0])) // the name of a day's log is not known
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), args[1]) {
				return true
			}
		}
		return false
	})
}

// sends sends a signal to the daemon of a state directory.
func sends(sig syscall.Signal) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: term or hup state-dir")
		}
		o, ok := readOwner(ts.MkAbs(args[0]))
		if !ok {
			ts.Fatalf("nobody serves %s", args[0])
		}
		ts.Check(syscall.Kill(o.PID, sig))
	}
}

// exits runs a program that must end with a code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program args...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = ended.ExitCode()
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("%s ended with code %s, want %s", args[1], got, args[0])
	}
}

// manager is a service manager's socket: what it hears stands in a file.
func manager(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: manager socket file")
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { _ = c.Close() })
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	go func() {
		defer f.Close()
		for b := make([]byte, 4096); ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			_, _ = f.Write(b[:n]) // who waits for it fails
		}
	}()
}

// get asks over HTTP, with headers "Name=value", and wants a status; the answer
// becomes the output.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: get status url [Name=value...]")
	}
	r, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	for _, header := range args[2:] {
		name, value, _ := strings.Cut(header, "=")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", body)
	if got := strconv.Itoa(res.StatusCode); got != args[0] {
		ts.Fatalf("%s answers %s, want %s: %s", args[1], got, args[0], body)
	}
}

// poll asks until it is so: of another process nothing else tells.
func poll(ts *testscript.TestScript, what string, so func() bool) {
	for deadline := time.Now().Add(10 * time.Second); !so(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not come in 10 s", what)
		}
	}
}

// occupy listens on a port until the script ends.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy port")
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}

// mode checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode octal file")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

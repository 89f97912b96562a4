package realclients

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a program in a pseudo-terminal, and the person before it.
type terminal struct {
	t      testing.TB
	cmd    *exec.Cmd
	tty    *os.File
	out    *output
	seen   int // how much of what can be read await has passed
	exited chan struct{}
}

// inTerminal starts the program that start makes; it ends with the test.
func inTerminal(t testing.TB, columns uint16, start func(context.Context) *exec.Cmd) *terminal {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := start(ctx)
	cmd.SysProcAttr = nil // the terminal's own group, which pty.Start makes
	cmd.Cancel = nil
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: columns})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	x := &terminal{t: t, cmd: cmd, tty: tty, out: &output{}, exited: make(chan struct{})}
	go func() {
		defer close(x.exited)
		_, _ = x.out.copyFrom(tty) // ends with an error when the program does
		_ = cmd.Wait()             // killed, most often
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		cancel()
		<-x.exited
		tty.Close()
		if t.Failed() {
			t.Logf("the terminal showed:\n%s", plain(x.out.String()))
		}
	})
	return x
}

// keys types.
func (x *terminal) keys(keys string) {
	x.t.Helper()
	if _, err := x.tty.WriteString(keys); err != nil {
		x.t.Fatalf("type %q: %v", keys, err)
	}
}

// line types a line, as one that was typed and not pasted.
func (x *terminal) line(text string) {
	x.t.Helper()
	x.keys(text)
	x.keys("\r")
}

// await waits until something that was not passed yet matches, passes it, and
// returns the match and its groups.
func (x *terminal) await(expression string) []string {
	x.t.Helper()
	re := regexp.MustCompile(expression)
	timeout := time.After(patience)
	for {
		ended := x.ended()
		all, more := x.out.next()
		fresh := plain(all)[x.seen:]
		if at := re.FindStringSubmatchIndex(fresh); at != nil {
			x.seen += at[1]
			return re.FindStringSubmatch(fresh)
		}
		if ended {
			x.t.Fatalf("the program ended before it showed %s; it showed:\n%s", expression, fresh)
		}
		select {
		case <-more:
		case <-x.exited:
		case <-timeout:
			x.t.Fatalf("no %s; it showed:\n%s", expression, fresh)
		}
	}
}

// ended reports whether the program has said its last words.
func (x *terminal) ended() bool {
	select {
	case <-x.exited:
		return true
	default:
		return false
	}
}

var (
	// moved is what takes the cursor elsewhere.
	moved = regexp.MustCompile(`\x1b\[[0-9;]*[A-HJf]|\r\n?`)
	// control is what else sets colours and modes, or names the window.
	control = regexp.MustCompile(`\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b[\]_P^][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Z]|\x1b[=>78cDEHM]`)
)

// plain is what can be read of what a program wrote to a terminal, a line for
// each piece that it wrote in one place.
func plain(s string) string {
	return control.ReplaceAllString(moved.ReplaceAllString(s, "\n"), "")
}

package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// plain is a configuration under which no session is reset by its age.
const plain = `{gateway: {auth: {token: "secret-token"}}, session: {reset: {mode: "idle"}}}`

// daemon is `parley serve` as a child process, on a directory that outlives it.
type daemon struct {
	program string
	dir     string // has the configuration, the log and, unless moved, the state
	state   string
	port    int

	cmd    *exec.Cmd
	exited chan struct{}
	code   int // how it ended; read after exited is closed
}

// newDaemon is a daemon that does not run yet. When the test fails its
// directory is kept and the end of its log is shown.
func newDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	port, err := gatewaytest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &daemon{program: path, dir: dir, state: filepath.Join(dir, "state"), port: port}
	if err := os.WriteFile(d.configPath(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			d.keep(t)
		}
	})
	return d
}

func (d *daemon) configPath() string { return filepath.Join(d.dir, "parley.json") }
func (d *daemon) logPath() string    { return filepath.Join(d.dir, "log") }

// sessions is the directory of the store and the transcripts.
func (d *daemon) sessions() string { return filepath.Join(d.state, "agents", "main", "sessions") }

// store is the path of sessions.json.
func (d *daemon) store() string { return filepath.Join(d.sessions(), "sessions.json") }

// keep copies the directory to where test artifacts go and shows the log.
func (d *daemon) keep(t *testing.T) {
	to := filepath.Join(t.ArtifactDir(), filepath.Base(d.dir))
	err := os.CopyFS(to, os.DirFS(d.dir))
	if rel, in := strings.CutPrefix(d.state, d.dir); !in || rel == "" {
		err = errors.Join(err, os.CopyFS(filepath.Join(to, "state"), os.DirFS(d.state)))
	}
	if err != nil {
		t.Logf("the directory of the daemon cannot be kept: %v", err)
	}
	t.Logf("the directory of the daemon is %s (stays there with -artifacts)", to)
	text, _ := os.ReadFile(d.logPath())
	lines := strings.Split(string(text), "\n")
	t.Logf("the end of its log:\n%s", strings.Join(lines[max(0, len(lines)-20):], "\n"))
}

// launch starts the process and returns at once.
func (d *daemon) launch() error {
	log, err := os.OpenFile(d.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(d.program, "serve", "--config", d.configPath(), "--state-dir", d.state, "--port", fmt.Sprint(d.port))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	d.cmd, d.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // the state says how it ended
		d.code = cmd.ProcessState.ExitCode()
		close(exited)
	}()
	return nil
}

// start starts the daemon and waits until it accepts connections.
func (d *daemon) start() error {
	if err := d.launch(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
		if err == nil {
			return c.Close()
		}
		select {
		case <-d.exited:
			return fmt.Errorf("the daemon ended at its start with code %d", d.code)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("the daemon does not listen after 30 s")
		}
	}
}

// kill ends the daemon with SIGKILL, at once, and waits for its end. It may be
// called when it does not run.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.exited
}

// stop ends the daemon with SIGTERM and returns its exit code.
func (d *daemon) stop() (int, error) {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-d.exited:
		return d.code, nil
	case <-time.After(15 * time.Second):
		d.kill()
		return 0, errors.New("the daemon did not end within 15 s of SIGTERM")
	}
}

// dial connects a client that may do everything.
func (d *daemon) dial(ctx context.Context) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return client.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d", d.port), client.Options{
		Token: "secret-token", Scopes: []string{"operator.admin"},
	})
}

// mustStart starts the daemon and connects to it until the test ends.
func (d *daemon) mustStart(t *testing.T) *client.Conn {
	t.Helper()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	return d.mustDial(t)
}

func (d *daemon) mustDial(t *testing.T) *client.Conn {
	t.Helper()
	c, err := d.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// mustStop ends the daemon in an orderly way.
func (d *daemon) mustStop(t *testing.T) {
	t.Helper()
	if code, err := d.stop(); err != nil || code != 0 {
		t.Fatalf("the daemon ended on SIGTERM with code %d, %v", code, err)
	}
}

// params are those of a call.
type params map[string]any

// call asks for a method and decodes the answer into result, unless it is nil.
func call(ctx context.Context, c *client.Conn, method string, p params, result any) error {
	payload, err := c.Call(ctx, method, p)
	if err != nil {
		return fmt.Errorf("%s %v: %w", method, p, err)
	}
	if result == nil {
		return nil
	}
	return rawjson.Unmarshal(payload, result)
}

// mustCall is call for a method that has to succeed.
func mustCall(t *testing.T, c *client.Conn, method string, p params, result any) {
	t.Helper()
	if err := call(t.Context(), c, method, p, result); err != nil {
		t.Fatal(err)
	}
}

// refusal is the gateway's own error in err, nil when the call had no answer.
func refusal(err error) *client.Error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e
	}
	return nil
}

// row is what sessions.list shows of a session.
type row struct {
	Key            string  `json:"key"`
	SessionID      string  `json:"sessionId"`
	UpdatedAt      float64 `json:"updatedAt"`
	Status         string  `json:"status"`
	Label          string  `json:"label"`
	ThinkingLevel  string  `json:"thinkingLevel"`
	VerboseLevel   string  `json:"verboseLevel"`
	ReasoningLevel string  `json:"reasoningLevel"`
	ElevatedLevel  string  `json:"elevatedLevel"`
}

// rows are the sessions that a search finds ("" finds all), by key.
func rows(ctx context.Context, c *client.Conn, search string) (map[string]row, error) {
	var list struct {
		Sessions []row `json:"sessions"`
	}
	if err := call(ctx, c, "sessions.list", params{"search": search}, &list); err != nil {
		return nil, err
	}
	out := map[string]row{}
	for _, r := range list.Sessions {
		out[strings.TrimPrefix(r.Key, "agent:main:")] = r
	}
	return out, nil
}

func mustRows(t *testing.T, c *client.Conn, search string) map[string]row {
	t.Helper()
	out, err := rows(t.Context(), c, search)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

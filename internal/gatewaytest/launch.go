package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Launch says where a gateway is to run and what it is to read.
type Launch struct {
	StateDir   string
	ConfigPath string
	Port       int // on 127.0.0.1
	Home       string
	Log        io.Writer // what the gateway logs
}

// Env is the environment that a gateway under test sees.
func (l Launch) Env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.Home, "TZ=UTC",
		"OPENCLAW_STATE_DIR=" + l.StateDir, "OPENCLAW_CONFIG_PATH=" + l.ConfigPath,
	}
}

// A Starter starts a gateway and returns once it accepts connections. The
// function it returns stops it and waits: gracefully, or with kill as
// `kill -9` would. It may be called more than once.
type Starter func(ctx context.Context, l Launch) (stop func(kill bool), err error)

// Process is a Starter that runs the program at path as a child process.
func Process(path string) Starter {
	return func(ctx context.Context, l Launch) (func(kill bool), error) {
		cmd := exec.Command(path, "serve", "--config", l.ConfigPath, "--state-dir", l.StateDir, "--port", fmt.Sprint(l.Port))
		cmd.Env = l.Env()
		cmd.Stdout, cmd.Stderr = l.Log, l.Log
		// A process group of its own, so that stopping ends its children too.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		exited := make(chan struct{})
		go func() {
			_ = cmd.Wait() // how it ended is in its log
			close(exited)
		}()
		stop := func(kill bool) { stopProcess(cmd.Process.Pid, exited, kill) }
		if err := awaitPort(ctx, l.Port, exited); err != nil {
			stop(true)
			return nil, err
		}
		return stop, nil
	}
}

// stopProcess signals a process group and waits; who does not end within five
// seconds is killed.
func stopProcess(pid int, exited <-chan struct{}, kill bool) {
	select {
	case <-exited:
		return
	default:
	}
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	_ = syscall.Kill(-pid, signal) // it may have ended meanwhile
	select {
	case <-exited:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-exited
	}
}

var errExited = errors.New("the gateway exited at start")

// awaitPort waits until something accepts connections on the port.
func awaitPort(ctx context.Context, port int, exited <-chan struct{}) error {
	for range 3000 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("nothing listens on port %d after a minute", port)
}

// Build builds the program cmd/parley of this module into dir.
func Build(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "parley")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/parleyd/parley/cmd/parley")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/parley: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// FreePort finds a port that nobody listens on. It stays below the range from
// which the system takes the ports of outgoing connections, so that none of
// these can take it before the gateway does, also over a restart.
func FreePort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(16000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 15000 and 31000")
}

func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }

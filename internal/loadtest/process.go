package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const token = "load-token"

// process is a process under test.
type process struct {
	name   string
	url    string
	admin  string // where its profiles are, of a gateway
	pid    int
	began  time.Time
	exited chan struct{}
	log    *os.File
}

// startGateway starts a gateway on a state directory and returns at once.
func startGateway(binary, state, config string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(state, "parley.json")
	if config == "" {
		config = `{}`
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	inner, err := freePort()
	if err != nil {
		return nil, err
	}
	admin := fmt.Sprintf("127.0.0.1:%d", inner)
	p, err := start("parley", state, port, binary, "serve", "--state-dir", state, "--config", path, "--port", fmt.Sprint(port), "--token", token, "--admin", admin)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	return p, nil
}

// start starts a program that will listen on a port.
func start(name, dir string, port int, program string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".out"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+dir)
	p := at(name, port)
	p.log = log
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p, nil
}

// at is what listens on a port of this machine, from now on.
func at(name string, port int) *process {
	return &process{name: name, url: fmt.Sprintf("ws://127.0.0.1:%d", port), exited: make(chan struct{}), began: time.Now()}
}

// ready waits until the process lets a client in, and returns how long that took
// from its start on.
func (p *process) ready(ctx context.Context) (time.Duration, error) {
	for {
		c, err := open(ctx, p.url, nil)
		if err == nil {
			took := time.Since(p.began)
			c.close()
			return took, nil
		}
		select {
		case <-p.exited:
			out, _ := os.ReadFile(p.log.Name())
			return 0, fmt.Errorf("%s ended at its start: %s", p.name, out)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
		if time.Since(p.began) > wait {
			return 0, fmt.Errorf("%s does not let anybody in: %w", p.name, err)
		}
	}
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM) // it may be gone
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.exited
	}
	_ = p.log.Close() // nobody writes to it any more
}

// freePort is a port that nobody listens on, below those of outgoing connections.
func freePort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(16000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 15000 and 31000")
}

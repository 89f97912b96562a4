package realclients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// home is where a client keeps what it knows: its device key, its configuration.
type home struct {
	t   testing.TB
	dir string
}

func newHome(t testing.TB) home { return home{t, t.TempDir()} }

// configure writes OpenClaw's configuration.
func (h home) configure(config string) home {
	h.t.Helper()
	put(h.t, filepath.Join(h.dir, ".openclaw", "openclaw.json"), config)
	return h
}

// env is all that a client sees of its surroundings.
func (h home) env() []string {
	return []string{
		"PATH=" + filepath.Join(modules, "node", "bin") + ":" + os.Getenv("PATH"),
		"HOME=" + h.dir, "OPENCLAW_STATE_DIR=" + filepath.Join(h.dir, ".openclaw"),
		"TMPDIR=" + os.TempDir(), "NODE_COMPILE_CACHE=" + compileCache,
		"NO_COLOR=1", "TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC", "COLUMNS=200",
		"OPENCLAW_HIDE_BANNER=1", "OPENCLAW_DISABLE_BONJOUR=1", "OPENCLAW_NO_RESPAWN=1",
		"NODE_PATH=" + modules,
	}
}

// node is a program for Node, with a process group of its own, which ends with
// the context.
func (h home) node(ctx context.Context, script string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(modules, "node", "bin", "node"), append([]string{script}, args...)...)
	cmd.Env, cmd.Dir = h.env(), h.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// openclaw is OpenClaw's program with these arguments.
func (h home) openclaw(ctx context.Context, args ...string) *exec.Cmd {
	return h.node(ctx, filepath.Join(modules, "openclaw", "openclaw.mjs"), args...)
}

// run runs OpenClaw's program to its end.
func (h home) run(args ...string) (printed string, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := h.openclaw(ctx, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		h.t.Fatalf("openclaw %s: %v, printed:\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

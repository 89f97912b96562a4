//go:build unix

package acp

import (
	"os/exec"
	"syscall"
)

// inGroup makes a program the leader of a process group, so that it can be ended
// together with all that it starts.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals a process and all of its group. That it has none any more
// is no error.
func signalGroup(pid int, force bool) {
	s := syscall.SIGTERM
	if force {
		s = syscall.SIGKILL
	}
	_ = syscall.Kill(-pid, s)
}

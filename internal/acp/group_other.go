//go:build !unix

package acp

import (
	"os"
	"os/exec"
)

// inGroup does nothing: there are no process groups here. What a program has
// started outlives it.
func inGroup(*exec.Cmd) {}

// signalGroup ends the process alone.
func signalGroup(pid int, _ bool) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

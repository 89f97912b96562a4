//go:build !unix

package gateway

import (
	"errors"
	"syscall"
)

// canTry: on these systems a write may wait.
const canTry = false

type attempt struct {
	write func(fd uintptr) bool
}

func (*attempt) of(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func (*attempt) once(uintptr) bool { return true }

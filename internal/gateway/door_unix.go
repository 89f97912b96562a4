//go:build unix

package gateway

import (
	"errors"
	"syscall"
)

// canTry: a socket of these systems never makes a write wait by itself.
const canTry = true

// attempt is one write to a socket. It keeps the function that the runtime calls,
// so that a write allocates nothing; doorConn's mutex guards it.
type attempt struct {
	write func(fd uintptr) bool // once
	b     []byte
	n     int
	err   error
}

// of writes what the socket takes of b at once, perhaps nothing.
func (a *attempt) of(raw syscall.RawConn, b []byte) (n int, err error) {
	a.b, a.n, a.err = b, 0, nil
	err = raw.Write(a.write)
	a.b = nil
	if err == nil {
		err = a.err
	}
	return a.n, err
}

func (a *attempt) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), a.b)
		switch {
		case err == nil:
			a.n = n
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EAGAIN):
			a.err = err
		}
		return true // the rest waits elsewhere
	}
}

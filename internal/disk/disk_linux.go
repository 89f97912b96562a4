package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (r *Root) exchange(a, b string) error {
	d, err := r.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close() // only read
	err = unix.Renameat2(int(d.Fd()), a, int(d.Fd()), b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("exchange %s and %s: %w", a, b, errors.ErrUnsupported)
	}
	return err
}

func (f *File) datasync() error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	if err := c.Control(func(fd uintptr) {
		for {
			if fault = unix.Fdatasync(int(fd)); !errors.Is(fault, unix.EINTR) {
				return
			}
		}
	}); err != nil {
		return err
	}
	return fault
}

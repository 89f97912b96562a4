package loadtest

import (
	"os"
	"syscall"
)

// syncData makes what was written durable, as databases do.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

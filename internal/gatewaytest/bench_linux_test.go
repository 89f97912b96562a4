package gatewaytest_test

import (
	"os"
	"syscall"
)

// syncData makes what was written durable.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

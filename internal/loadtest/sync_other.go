//go:build !linux

package loadtest

import "os"

func syncData(f *os.File) error { return f.Sync() }

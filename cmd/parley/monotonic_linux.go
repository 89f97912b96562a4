package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is the line by which systemd tells one reload from the next.
func monotonic() string {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return ""
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", t.Nano()/1000)
}

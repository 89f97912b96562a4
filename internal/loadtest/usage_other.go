//go:build !linux

package loadtest

import (
	"errors"
	"time"
)

type usage struct {
	cpu                   time.Duration
	rss, private, written int64
	files, threads        int
}

func usageOf(int) (usage, error) {
	return usage{}, errors.New("what a process uses can be measured on Linux only")
}

package main

import (
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for _, c := range []struct {
		name    string
		gap     time.Duration
		percent int
		live    uint64
		want    int
	}{
		{"idle", 2 * time.Minute, usual, 8 << 20, usual},
		{"idle again", 2 * time.Minute, 400, 8 << 20, usual},
		{"busy", 20 * time.Millisecond, usual, 8 << 20, 400},
		{"still busy, by the usual measure", time.Second, 400, 8 << 20, 400},
		{"no longer", 3 * time.Second, 400, 8 << 20, usual},
		{"busy with much in it", 20 * time.Millisecond, usual, 400 << 20, usual},
		{"busy with next to nothing in it", 20 * time.Millisecond, usual, 1 << 20, 800},
		{"nothing known", 20 * time.Millisecond, usual, 0, usual},
	} {
		if got := percentFor(c.gap, c.percent, c.live); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

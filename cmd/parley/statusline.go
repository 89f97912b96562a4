package main

import (
	"fmt"
	"os"
	"time"
)

// statusEvery is the least time between two texts of a status line.
const statusEvery = 100 * time.Millisecond

// statusLine is a line on a terminal that says how far long work has come, and
// is gone afterwards. On anything else it is not there.
type statusLine struct {
	out  *os.File // nil when no person reads it
	last time.Time
	on   bool
}

func newStatusLine(out *os.File) *statusLine {
	if !isTerminal(out) {
		return &statusLine{}
	}
	return &statusLine{out: out}
}

// show says that done of total are done; total is 0 when it is not known.
func (l *statusLine) show(what string, done, total int) {
	if l.out == nil || time.Since(l.last) < statusEvery {
		return
	}
	l.last, l.on = time.Now(), true
	text := fmt.Sprintf("%s: %d", what, done)
	if total > 0 {
		text = fmt.Sprintf("%s: %d of %d", what, done, total)
	}
	fmt.Fprintf(l.out, "\r\x1b[K%s", text)
}

// clear removes the line.
func (l *statusLine) clear() {
	if l.on {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

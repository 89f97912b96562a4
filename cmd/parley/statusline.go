package main

import (
	"fmt"
	"os"
	"strings"
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
	fmt.Fprintf(l.out, "\r\x1b[K%s", progress(what, done, total, lookOf(l.out).width))
}

// barWidth is how long the bar is at most.
const barWidth = 30

// progress is how far something has come, in a width: with a bar, where the end
// is known and there is room.
func progress(what string, done, total, width int) string {
	if total <= 0 {
		return shorten(fmt.Sprintf("%s: %d", what, done), width, fromEnd)
	}
	text := fmt.Sprintf("%s: %d of %d", what, done, total)
	room := min(barWidth, width-columns(text)-len(" []")-1)
	if room < narrowest {
		return shorten(text, width, fromEnd)
	}
	full := min(room, room*done/total)
	return text + " [" + strings.Repeat("#", full) + strings.Repeat("-", room-full) + "]"
}

// clear removes the line.
func (l *statusLine) clear() {
	if l.on {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

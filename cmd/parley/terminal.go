package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal reports whether a person reads f.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// usualWidth is the width of a terminal that does not say.
const usualWidth = 80

// look is how output may look: on a terminal it keeps to the width and may be
// coloured; anything else gets plain lines of any length. The zero value is for
// anything else.
type look struct {
	width int // 0 for no limit
	color bool
}

// lookOf is how output to f may look.
func lookOf(f *os.File) look {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return look{}
	}
	l := look{width: int(size.Col), color: coloured(os.Getenv)}
	if l.width == 0 {
		l.width = usualWidth
	}
	return l
}

// coloured reports whether a terminal may be sent colours (see no-color.org).
func coloured(env func(string) string) bool { return env("NO_COLOR") == "" && env("TERM") != "dumb" }

// paint is one way to emphasise a text: the parameter of an SGR sequence.
type paint string

const (
	plain  paint = ""
	bold   paint = "1"
	dim    paint = "2"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
	cyan   paint = "36"
)

// in is text in a paint, where that is wanted.
func (l look) in(p paint, text string) string {
	if !l.color || p == plain || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

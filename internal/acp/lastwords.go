package acp

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/model"
)

const (
	maxWords   = 1000 // characters of a line that are kept or logged
	keptLines  = 5    // lines that are kept
	loggedLine = 20   // lines a second that are logged
	minSecret  = 6    // shorter values are words, not secrets
)

// lastWords is what a process writes beside the protocol: for the log, and at
// its end for people.
type lastWords struct {
	a *Agent

	mu      sync.Mutex // guards all below
	lines   []string
	second  time.Time // in which logged lines are counted
	logged  int
	skipped int
}

func newLastWords(a *Agent) *lastWords { return &lastWords{a: a} }

// read takes in the standard error of a process until it ends.
func (l *lastWords) read(r io.Reader) {
	b := bufio.NewReaderSize(r, 4<<10)
	for {
		line, whole, err := b.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		for whole && err == nil { // the rest of a long line is not kept
			_, whole, err = b.ReadLine()
		}
		l.log(text, "stderr")
	}
}

// log keeps a line, and writes it to the log unless there are too many.
func (l *lastWords) log(line, where string) {
	line = l.a.hide(plain(line, maxWords))
	if line == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if where == "stderr" {
		l.lines = append(l.lines, line)
		if len(l.lines) > keptLines {
			l.lines = l.lines[1:]
		}
	}
	if now := time.Now(); now.Sub(l.second) >= time.Second {
		l.second, l.logged = now, 0
	}
	if l.logged++; l.logged > loggedLine {
		l.skipped++
		return
	}
	l.a.o.Log.Debug("agent says", "provider", l.a.o.Name, "on", where, "text", line, "leftOut", l.skipped)
	l.skipped = 0
}

// text is the last lines, "" when there are none.
func (l *lastWords) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cut(strings.Join(l.lines, "\n"), maxWords)
}

// hide removes from a text of the program what must not be shown.
func (a *Agent) hide(text string) string {
	for _, secret := range a.o.Secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return model.MaskCredentials(text)
}

// plain is a text of the program in one line, without what a terminal or a page
// would act on, at most n characters.
func plain(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text)
	return cut(strings.TrimSpace(text), n)
}

// visible is a text that somebody is to judge: what cannot be seen in it, or turns
// it around, is spelled out. A longer text than may be judged is cut behind that.
func visible(text string) string {
	var b strings.Builder
	for _, r := range jstext.Cut(strings.TrimSpace(text), maxCommand+1) {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			fmt.Fprintf(&b, "\\u{%x}", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// cut cuts a text that is longer than n characters and marks the cut.
func cut(text string, n int) string {
	if jstext.Len(text) <= n {
		return text
	}
	return jstext.Cut(text, n) + "…"
}

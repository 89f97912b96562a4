package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/parleyd/parley/client"
)

// lineLimit is the longest line that is taken from the keyboard.
const lineLimit = 1 << 20

// dialogue talks line by line, until the end of the input, /quit, or Ctrl-C while
// nothing goes on.
func (t *talk) dialogue(in *os.File, h client.ChatHistoryResult) error {
	t.greet(h)
	go t.tellOfLosses()
	lines := readLines(in)
	for {
		fmt.Fprint(t.out, t.look.in(green, "> "))
		var text string
		select {
		case line, ok := <-lines:
			if !ok {
				fmt.Fprintln(t.out)
				return nil
			}
			text = line
		case <-t.signals:
			fmt.Fprintln(t.out)
			return nil
		case <-t.conn.Done():
			fmt.Fprintln(t.out)
			return t.conn.Err()
		}
		switch strings.TrimSpace(text) {
		case "":
			continue
		case "/quit", "/exit":
			return nil
		}
		switch err := t.say(text); {
		case errors.Is(err, errLeft):
			return nil
		case errors.Is(err, client.ErrClosed), t.conn.Err() != nil:
			return err
		case err != nil:
			fmt.Fprintln(t.out, t.look.in(red, oneLine(err.Error())))
		}
	}
}

// greet shows where one is and what was said before.
func (t *talk) greet(h client.ChatHistoryResult) {
	fmt.Fprintln(t.out, t.look.in(bold, oneLine(t.key)))
	fmt.Fprintln(t.out, t.look.in(dim, "/help lists commands, /quit or Ctrl-D leaves, Ctrl-C ends an answer. A line that ends with \\ goes on in the next."))
	messages := h.Messages
	if n := len(messages) - t.command.History; n > 0 {
		messages = messages[n:]
	}
	var b strings.Builder
	for _, m := range messages {
		b.WriteByte('\n')
		messageText(&b, t.look, m)
	}
	fmt.Fprintln(t.out, b.String())
}

// tellOfLosses says when the connection is lost and when it is back. It ends with
// the connection.
func (t *talk) tellOfLosses() {
	for e, err := range t.conn.Events(context.Background()) {
		switch {
		case err != nil:
			return
		case e.Name == client.Disconnected:
			fmt.Fprintf(t.err, "\n%s\n", t.look.in(yellow, "The connection was lost; trying to get it back: "+oneLine(e.Gap.Reason.Error())))
		case e.Name == client.Reconnected:
			fmt.Fprintln(t.err, t.look.in(yellow, "Connected again."))
		}
	}
}

// readLines hands out the lines of in; those that end with a backslash go on in
// the next. The goroutine that reads cannot be ended, and ends with the process.
func readLines(in *os.File) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(in)
		scan.Buffer(nil, lineLimit)
		text := ""
		for scan.Scan() {
			line, more := strings.CutSuffix(scan.Text(), `\`)
			if text += line; more {
				text += "\n"
				continue
			}
			lines <- text
			text = ""
		}
	}()
	return lines
}

package model

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
)

// Echo is the built-in model: it answers "echo: " and the message, word by
// word. Directives in the message make it do what tests and demonstrations
// need, wherever they stand:
//
//	[[say TEXT]]     answer TEXT instead
//	[[drip N MS]]    answer "w1 w2 …", N words, MS milliseconds apart
//	[[fail CODE]]    fail like a server that answers HTTP CODE
//	[[hang]]         never answer
//	[[cut]]          answer two words, then fail like a broken connection
type Echo struct{}

var (
	failDirective = regexp.MustCompile(`\[\[fail (\d+)\]\]`)
	sayDirective  = regexp.MustCompile(`\[\[say ([^\]]*)\]\]`)
	dripDirective = regexp.MustCompile(`\[\[drip (\d+) (\d+)\]\]`)
)

// script is how Echo answers one message.
type script struct {
	words     []string
	gap       time.Duration // after each word
	fail      int           // HTTP status, 0 for none
	hang, cut bool
}

// dripLimit bounds a [[drip]]: it is a demonstration, not a way to fill a disk.
const dripLimit = 100_000

func readScript(text string) script {
	if m := failDirective.FindStringSubmatch(text); m != nil {
		code, _ := strconv.Atoi(m[1])
		return script{fail: code}
	}
	if strings.Contains(text, "[[hang]]") {
		return script{hang: true}
	}
	s := script{words: strings.SplitAfter("echo: "+jstext.Trim(text), " ")}
	if m := sayDirective.FindStringSubmatch(text); m != nil {
		s.words = strings.SplitAfter(m[1], " ")
	}
	if m := dripDirective.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		gap, _ := strconv.Atoi(m[2])
		s.words, s.gap = nil, time.Duration(gap)*time.Millisecond
		for i := range min(n, dripLimit) {
			s.words = append(s.words, fmt.Sprintf("w%d ", i+1))
		}
	}
	if strings.Contains(text, "[[cut]]") {
		s.words, s.cut = []string{"cut ", "short"}, true
	}
	return s
}

// Stream answers the last message of the user.
func (Echo) Stream(ctx context.Context, t Turn) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		s := readScript(lastUserText(t))
		if s.fail != 0 {
			yield(Delta{}, httpFault(s.fail, fmt.Sprintf("scripted failure %d", s.fail)))
			return
		}
		if s.hang {
			<-ctx.Done()
			yield(Delta{}, ctx.Err())
			return
		}
		if !s.speak(ctx, yield) {
			return
		}
		if s.cut {
			yield(Delta{}, &Fault{Text: "the connection was cut", Shown: shownNetwork})
			return
		}
		yield(Delta{Stop: Stop, Usage: &Usage{Input: 100, Output: int64(len(s.words))}}, nil)
	}
}

// speak yields the words; it reports whether the answer is to go on.
func (s script) speak(ctx context.Context, yield func(Delta, error) bool) bool {
	for _, w := range s.words {
		if err := ctx.Err(); err != nil {
			yield(Delta{}, err)
			return false
		}
		if !yield(Delta{Text: w}, nil) {
			return false
		}
		if err := sleep(ctx, s.gap); err != nil {
			yield(Delta{}, err)
			return false
		}
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func lastUserText(t Turn) string {
	for i := len(t.Messages) - 1; i >= 0; i-- {
		if t.Messages[i].Role == User {
			return t.Messages[i].Text
		}
	}
	return ""
}

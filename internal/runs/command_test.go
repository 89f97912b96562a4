package runs

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// command sends a command and lets it go.
func (b *bench) command(run string, f func(ctx context.Context) string) {
	b.t.Helper()
	ticket, err := b.Do(Chat, testKey, run, f)
	if err != nil {
		b.t.Fatalf("command %s: %v", run, err)
	}
	ticket.Begin()
}

// What is sent behind a command finds its effect, however long it takes.
func TestCommandsKeepTheirPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		note := func(text string, takes time.Duration) func(context.Context) string {
			return func(context.Context) string {
				time.Sleep(takes) // in a bubble
				b.heard.add("did %s", text)
				return ""
			}
		}
		b.command("c1", note("first", time.Second))
		b.command("c2", note("second", 0))
		b.send(testKey, "r1", "[[say x]]")
		b.ended("r1")
		var got []string
		for _, l := range b.heard.take() {
			if strings.HasPrefix(l, "did") || strings.HasPrefix(l, "started") {
				got = append(got, l)
			}
		}
		equal(t, "order", got, []string{"did first", "did second", "started r1 #1"})
	})
}

// A command does not wait for the run that goes on.
func TestCommandDuringARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		synctest.Wait()
		b.command("c1", func(context.Context) string { return "" })
		if o := b.ended("c1"); o.Failed() {
			t.Errorf("outcome %+v", o)
		}
		if !b.Active(testKey) {
			t.Error("the run has ended")
		}
	})
}

// A new beginning ends what was sent before it, not what was sent behind it.
func TestNewBeginningSparesWhatFollows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[hang]]")
		b.send(testKey, "r2", "[[say before]]")
		synctest.Wait()
		b.command("c1", func(ctx context.Context) string {
			time.Sleep(time.Second) // in a bubble
			if err := b.BeginAnew(ctx, Chat, testKey); err != nil {
				return err.Error()
			}
			return ""
		})
		b.send(testKey, "r3", "[[say behind]]")
		if o := b.ended("r3"); o.Aborted || o.Failed() {
			t.Errorf("behind the command: %+v", o)
		}
		if o := b.ended("r2"); !o.Aborted {
			t.Errorf("before the command: %+v", o)
		}
		equal(t, "messages", b.messages(testKey), []string{"user  [[say behind]]", "assistant stop behind"})
	})
}

func TestCommandThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.command("c1", func(context.Context) string { panic("lost") })
		if o := b.ended("c1"); o.Error != "internal error: lost" {
			t.Errorf("outcome %+v", o)
		}
		b.send(testKey, "r1", "[[say x]]")
		b.ended("r1")
	})
}

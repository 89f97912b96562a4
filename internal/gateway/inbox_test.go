package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func held() bool { return true }

func (b *inbox) putText(t *testing.T, tn *turn, text string, hold func() bool) (mine bool) {
	t.Helper()
	mine, ok := b.put(t.Context(), tn, message{text: []byte(text)}, hold)
	if !ok {
		t.Errorf("%s was not taken in", text)
	}
	return mine
}

// A reader handles what it reads, one message after the other, and writes at the
// end of each turn what was queued.
func TestTurnOfTheReader(t *testing.T) {
	b, tn := newInbox(100), new(turn)
	for range 3 {
		if !b.putText(t, tn, "m", held) {
			t.Fatal("the message is not the reader's to handle")
		}
		if reads, write := b.end(tn); !reads || !write {
			t.Errorf("at the end: reads %v, writes %v; want both", reads, write)
		}
	}
	if lent, _ := b.lend(func() {}); lent {
		t.Error("reading was lent though nobody handles anything")
	}
}

// What is read while a turn takes long waits for its goroutine, in order, and no
// more than there is room for.
func TestLentTurnKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first := newInbox(2*message{text: []byte("00")}.cost()), new(turn)
		b.putText(t, first, "first", held)
		if lent, write := b.lend(func() {}); !lent || !write {
			t.Errorf("lent %v, write %v; want both", lent, write)
		}
		if lent, _ := b.lend(func() {}); lent {
			t.Error("reading was lent twice")
		}
		read, mine := 0, false
		go func() { // the second reader
			tn := new(turn)
			for i := range 5 {
				mine = b.putText(t, tn, fmt.Sprint(i, i)[:2], held)
				read++
			}
		}()
		synctest.Wait()
		if read == 0 || read > 2 {
			t.Errorf("%d messages were taken in, want as many as there is room for", read)
		}
		if reads, write := b.end(first); reads || write {
			t.Errorf("the first goroutine: reads %v, writes %v; want neither", reads, write)
		}
		var got []string
		for {
			m, ok := b.next(first)
			if !ok {
				break
			}
			got = append(got, string(m.text))
			synctest.Wait()
		}
		if diff := cmp.Diff([]string{"0 ", "1 ", "2 ", "3 ", "4 "}, got); diff != "" || mine {
			t.Errorf("handled (-want +got), the last one by its reader: %v\n%s", mine, diff)
		}
		if !b.putText(t, new(turn), "after", held) {
			t.Error("the order is not the second reader's once nothing waits")
		}
	})
}

// A message that others need not wait for holds up nobody, whether it takes long
// or not.
func TestLooseTurn(t *testing.T) {
	b, first, second := newInbox(100), new(turn), new(turn)
	b.putText(t, first, "first", held)
	if !b.loosen() {
		t.Fatal("the turn cannot be loosened")
	}
	if lent, write := b.lend(func() {}); !lent || !write {
		t.Errorf("lent %v, write %v; want both", lent, write)
	}
	if !b.putText(t, second, "second", notHeld) {
		t.Error("the second message waits for the first")
	}
	if reads, _ := b.end(first); reads {
		t.Error("two goroutines read")
	}
	if m, ok := b.next(first); ok {
		t.Errorf("the first goroutine handles %s", m.text)
	}
	if b.lend(func() {}); b.loosen() {
		t.Error("a turn that takes long already was loosened: what is behind it could not be handled in order")
	}
	if _, ok := b.next(second); ok {
		t.Error("a message came from nowhere")
	}
	if b.loosen() {
		t.Error("loosened outside of any turn")
	}
}

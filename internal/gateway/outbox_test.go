package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/hub"
)

func frame(name string, p hub.Policy, numbered bool) *hub.Frame {
	return &hub.Frame{Name: name, Open: []byte(`{"event":"` + name + `"`), Policy: p, Numbered: numbered}
}

func deliver(o *outbox, f *hub.Frame) { o.event(f, f.Open) }

func taken(o *outbox) []string {
	b, _ := o.take()
	return messagesOf(b.frames)
}

func messagesOf(frames []outFrame) (all []string) {
	for _, f := range frames {
		text := string(f.appendText(nil))
		if len(text) != f.size() {
			text += fmt.Sprintf(" is %d bytes, said to be %d", len(text), f.size())
		}
		all = append(all, text)
	}
	return all
}

func TestOutboxNumbersBroadcastsOnly(t *testing.T) {
	o := newOutbox(1000)
	o.hello([]byte("hello"))
	deliver(o, frame("a", hub.Must, true))
	deliver(o, frame("b", hub.Must, false))
	deliver(o, frame("c", hub.Must, true))
	want := []string{"hello", `{"event":"a","seq":1}`, `{"event":"b"}`, `{"event":"c","seq":2}`}
	if diff := cmp.Diff(want, taken(o)); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

func TestOutboxHoldsEventsUntilHello(t *testing.T) {
	o := newOutbox(1000)
	o.answer([]byte("challenge"))
	deliver(o, frame("health", hub.Must, true))
	if diff := cmp.Diff([]string{"challenge"}, taken(o)); diff != "" {
		t.Errorf("before hello (-want +got):\n%s", diff)
	}
	o.hello([]byte("hello"))
	if diff := cmp.Diff([]string{"hello", `{"event":"health","seq":1}`}, taken(o)); diff != "" {
		t.Errorf("hello must come first (-want +got):\n%s", diff)
	}
}

func TestOutboxSlowConsumer(t *testing.T) {
	o := newOutbox(10)
	o.hello([]byte(strings.Repeat("x", 11)))
	deliver(o, frame("tick", hub.DropIfSlow, true))
	deliver(o, frame("note", hub.Must, true))
	o.answer([]byte("reply"))
	if got := dropsOf(o); got != 1 {
		t.Errorf("%d events dropped, want 1", got)
	}
	deliver(o, frame("final", hub.CloseIfSlow, true))
	o.answer([]byte("after the end"))

	b, _ := o.take()
	end := b.end
	if end == nil || end.status != websocket.StatusPolicyViolation || end.reason != "slow consumer" {
		t.Fatalf("end = %+v, want 1008 slow consumer", end)
	}
	got := messagesOf(b.frames[1:])
	// The dropped tick used number 1, answers are never dropped, and what was
	// queued before the end is still delivered.
	if diff := cmp.Diff([]string{`{"event":"note","seq":2}`, "reply"}, got); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

func TestOutboxCountsWhatIsTakenUntilItIsWritten(t *testing.T) {
	o := newOutbox(10)
	o.hello([]byte(strings.Repeat("x", 20)))
	o.take()
	deliver(o, frame("a", hub.DropIfSlow, false))
	if dropsOf(o) != 1 {
		t.Error("an event was queued although what was taken is not written yet")
	}
	o.written(20)
	deliver(o, frame("b", hub.DropIfSlow, false))
	if got := taken(o); len(got) != 1 {
		t.Errorf("after writing, queue = %v, want event b", got)
	}
}

func TestOutboxFirstCloseCounts(t *testing.T) {
	o := newOutbox(10)
	o.close(websocket.StatusServiceRestart, "service restart")
	o.close(websocket.StatusPolicyViolation, "other")
	if b, _ := o.take(); b.end.reason != "service restart" || b.end.abrupt {
		t.Errorf("end = %+v, want the first close", b.end)
	}
	select {
	case <-o.ended.Done():
	default:
		t.Error("ended is not done after close")
	}
	o.drop()
	if b, _ := o.take(); !b.end.abrupt {
		t.Error("a peer that is gone is still said goodbye to")
	}
}

// dropsOf is how many events an outbox has dropped.
func dropsOf(o *outbox) (n int64) {
	_, dropped := o.totals()
	for _, d := range dropped {
		n += d
	}
	return n
}

// What is queued during a pause is written when the last one ends, by a writer that
// may have given up in between.
func TestOutboxPause(t *testing.T) {
	o, started := newOutbox(1000), 0
	o.start = func() { started++ }
	o.pause()
	o.pause()
	o.answer([]byte("a"))
	if b, ok := o.take(); ok || started != 0 {
		t.Errorf("%d frames are taken and %d writers begun during a pause", len(b.frames), started)
	}
	o.resume()
	o.close(websocket.StatusNormalClosure, "")
	if started != 0 {
		t.Error("a writer begins before the last pause ends")
	}
	o.resume()
	if started != 1 {
		t.Errorf("%d writers begin at the end of the pause, want 1", started)
	}
	if b, ok := o.take(); !ok || len(b.frames) != 1 || b.end == nil {
		t.Errorf("took %+v, want the frame and the end", b)
	}
}

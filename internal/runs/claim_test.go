package runs

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"
)

// A run that is over answers at once, also to who does not want to wait.
func TestWaitWithoutTimeKnowsWhatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say x]]")
		b.ended("r1")
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		for range 50 {
			if _, err := b.Wait(ctx, "r1"); err != nil {
				t.Fatalf("wait: %v", err)
			}
		}
		if _, err := b.Wait(ctx, "r2"); err == nil {
			t.Error("an unknown run has ended")
		}
	})
}

// What is remembered of a run that is over is its key and its outcome: not its
// pictures.
func TestPicturesAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		picture := startWithPicture(b, "r1")
		b.ended("r1")
		time.Sleep(time.Second) // stopped timers of the run are let go
		runtime.GC()
		if picture.Value() != nil {
			t.Error("the pictures of a run that is over are kept")
		}
		if _, known := b.Known(Chat, "r1"); !known {
			t.Error("the key of the run is forgotten")
		}
	})
}

// startWithPicture starts a run and keeps nothing of its turn.
func startWithPicture(b *bench, run string) weak.Pointer[Media] {
	b.t.Helper()
	media := []Media{{MIME: "image/png", Base64: "iVBORw0K"}}
	ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: run, Message: "[[say x]]", Media: media})
	if err != nil {
		b.t.Fatal(err)
	}
	ticket.Begin()
	return weak.Make(&media[0])
}

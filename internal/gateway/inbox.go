package gateway

import (
	"context"
	"sync"
)

// inbox is what a connection's reader has read and its dispatcher has not yet
// handled. It is bounded in bytes: a client that sends faster than its calls
// are answered is not read any further, instead of filling memory.
type inbox struct {
	limit int
	room  chan struct{} // a token when something was taken
	ready chan struct{} // a token when something was put

	mu    sync.Mutex // guards all below
	queue []message
	bytes int
	done  bool
}

// message is one frame from the client, as text.
type message struct {
	text []byte
}

// cost is the memory that the message takes, about: empty ones are not free.
func (m message) cost() int { return cap(m.text) + 64 }

func newInbox(limit int) *inbox {
	return &inbox{limit: limit, room: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
}

// put adds a message, waiting for room. It reports false when ctx ended first.
func (b *inbox) put(ctx context.Context, m message) bool {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 || b.bytes+m.cost() <= b.limit {
			b.queue = append(b.queue, m)
			b.bytes += m.cost()
			b.mu.Unlock()
			token(b.ready)
			return true
		}
		b.mu.Unlock()
		select {
		case <-b.room:
		case <-ctx.Done():
			return false
		}
	}
}

// next is the oldest message; it waits for one. It reports false when the
// reader has ended and all is handled, or when ctx ended.
func (b *inbox) next(ctx context.Context) (message, bool) {
	for {
		b.mu.Lock()
		if len(b.queue) > 0 {
			m := b.queue[0]
			b.queue[0] = message{}
			b.queue = b.queue[1:]
			b.bytes -= m.cost()
			b.mu.Unlock()
			token(b.room)
			return m, true
		}
		done := b.done
		b.mu.Unlock()
		if done {
			return message{}, false
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return message{}, false
		}
	}
}

// end tells that nothing more will be put.
func (b *inbox) end() {
	b.mu.Lock()
	b.done = true
	b.mu.Unlock()
	token(b.ready)
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package gateway

import (
	"context"
	"sync"
)

// inbox is whose turn it is to handle the messages of one connection. The
// goroutine that reads a message handles it as well: handing it over would cost
// more than most calls do. When that takes long, another goroutine reads on
// (late), and what it reads waits here for the first one, in order. What waits is
// bounded in bytes: a client that sends faster than its calls are answered is
// not read any further, instead of filling memory.
type inbox struct {
	limit int
	room  chan struct{} // a token when something was taken

	mu    sync.Mutex // guards all below, and every turn
	queue []message
	bytes int
	busy  bool  // messages are being handled, in order, by one goroutine
	turn  *turn // of the goroutine that reads, while it handles a message
}

// turn is a reader's handling of one message. Guarded by the inbox's mutex.
type turn struct {
	loose bool // what comes behind the message need not wait for its end
	lent  bool // it took long: another goroutine reads
	held  bool // what was queued meanwhile is written at its end
}

// message is one frame from the client, as text.
type message struct {
	text []byte
}

// cost is the memory that the message takes, about: empty ones are not free.
func (m message) cost() int { return cap(m.text) + 64 }

func newInbox(limit int) *inbox {
	return &inbox{limit: limit, room: make(chan struct{}, 1)}
}

// put takes in a message that has just been read. It becomes the caller's to
// handle, in turn t, when nothing before it is being handled; hold tells whether
// the caller writes at the end what is queued meanwhile. Otherwise it waits for
// the goroutine that handles those before it; put waits for room, and reports
// that it is not ok when ctx ended first.
func (b *inbox) put(ctx context.Context, t *turn, m message, hold func() bool) (mine, ok bool) {
	for {
		if mine, ok = b.tryPut(t, m, hold); ok {
			return mine, true
		}
		select {
		case <-b.room:
		case <-ctx.Done():
			return false, false
		}
	}
}

func (b *inbox) tryPut(t *turn, m message, hold func() bool) (mine, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.busy:
		*t = turn{held: hold()}
		b.busy, b.turn = true, t
		return true, true
	case len(b.queue) == 0 || b.bytes+m.cost() <= b.limit:
		b.queue = append(b.queue, m)
		b.bytes += m.cost()
		return false, true
	}
	return false, false
}

// loosen lets the messages behind the one whose turn it is be handled beside it,
// should it take long. It reports false when it takes long already, or when it
// is no reader's turn.
func (b *inbox) loosen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.turn == nil || b.turn.lent {
		return false
	}
	b.turn.loose, b.busy = true, false
	return true
}

// lend takes reading away from the goroutine whose turn it is, and calls lending
// before that can notice. It reports whether there is one, and whether somebody
// has to write now in its place.
func (b *inbox) lend(lending func()) (lent, write bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.turn
	if t == nil || t.lent {
		return false, false
	}
	write, t.held = t.held, false
	t.lent = true
	lending()
	if t.loose {
		b.turn = nil
	}
	return true, write
}

// end ends a turn. The caller goes on reading, unless reading was lent: then it
// handles what waits, if it may (next), and is done.
func (b *inbox) end(t *turn) (reads, write bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.lent {
		return false, false
	}
	b.busy, b.turn = false, nil
	return true, t.held
}

// next is the oldest message, for a goroutine that has lent reading. It reports
// false when none waits: then the turn is over.
func (b *inbox) next(t *turn) (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.loose { // others may have their turn already
		return message{}, false
	}
	if len(b.queue) == 0 {
		b.busy, b.turn, b.queue = false, nil, nil
		token(b.room)
		return message{}, false
	}
	m := b.queue[0]
	b.queue[0] = message{}
	b.queue = b.queue[1:]
	b.bytes -= m.cost()
	token(b.room)
	return m, true
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package acp

import (
	"sync"

	"github.com/parleyd/parley/internal/model"
)

const (
	// queueRoom is how many bytes may wait in a queue before who puts waits.
	queueRoom = 1 << 20
	// queuePiece is up to where pieces of text become one.
	queuePiece = 4 << 10
)

// queue holds what an agent has said until its turn takes it. Text that waits
// becomes one piece, so that one who falls behind catches up.
type queue struct {
	wake chan struct{} // has a token when something waits
	over chan struct{} // closed when nobody takes any more

	mu    sync.Mutex // guards all below
	items []model.Delta
	size  int
	room  chan struct{} // closed and replaced when items are taken
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), over: make(chan struct{}), room: make(chan struct{})}
}

// put appends d, whose message had size bytes. It waits for room, and so holds up
// the process that says so much.
func (q *queue) put(d model.Delta, size int) {
	q.mu.Lock()
	for q.size >= queueRoom {
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-q.over:
			return
		}
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	q.size += size
	if !q.join(d) {
		q.items = append(q.items, d)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// join adds a piece of text or thought to the one that waits last.
func (q *queue) join(d model.Delta) bool {
	if len(q.items) == 0 || d.Tool != nil {
		return false
	}
	last := &q.items[len(q.items)-1]
	if last.Tool != nil || len(last.Text)+len(last.Thinking) > queuePiece || (last.Text == "") != (d.Text == "") {
		return false
	}
	last.Text += d.Text
	last.Thinking += d.Thinking
	return true
}

// take is all that waits.
func (q *queue) take() []model.Delta {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.size = nil, 0
	close(q.room)
	q.room = make(chan struct{})
	return items
}

// close lets nobody wait any more. It may be called again.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.over:
	default:
		close(q.over)
	}
}

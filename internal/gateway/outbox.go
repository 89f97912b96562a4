package gateway

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/hub"
)

// outbox is what waits to be written to one connection, bounded in bytes.
// Anyone may add; one at a time writes. Answers always queue. An event that finds
// more than limit bytes waiting is dropped or ends the connection, as its
// policy says (spec: protocol, slow consumers). All methods are safe for
// concurrent use; none but waitForRoom blocks.
type outbox struct {
	limit int
	rpc   bool            // events are JSON-RPC notifications; set before the first one
	start func()          // begins a writer; nil where nobody writes; set before the first frame
	room  chan struct{}   // holds one token once less than limit waits again
	ended context.Context // done once ending is set
	stop  context.CancelFunc

	mu      sync.Mutex // guards all below
	queue   []outFrame
	spare   []outFrame // a queue that was written
	writing bool       // somebody writes, or will when their turn ends
	paused  int        // how many want that nothing is taken for a moment
	bytes   int        // in queue, and taken but not yet written
	owing   int        // of those: with the socket, which did not take all yet
	sent    int64      // bytes written
	seq     int64
	greeted bool       // hello is queued: events may follow
	held    []outFrame // events that came before hello, which must be first
	said    *ending    // how we chose to end, whether the peer stayed for it or not
	ending  *ending    // no frame is taken in any more; close when queue is empty
	dropped map[string]int64
	pongs   [][]byte // payloads; they count for nothing, there are maxPongs at most
}

// maxPongs is how many pings are answered at once; of more the newest.
const maxPongs = 16

// ending is how a connection is to be closed.
type ending struct {
	status websocket.StatusCode
	reason string
	// abrupt closes drop what waits: there is nobody to read it.
	abrupt bool
}

func newOutbox(limit int) *outbox {
	o := &outbox{limit: limit, room: make(chan struct{}, 1)}
	o.ended, o.stop = context.WithCancel(context.Background())
	return o
}

// answer queues a response frame, or the challenge.
func (o *outbox) answer(text []byte) { o.put(outFrame{text: text}) }

// put queues a frame that is no event.
func (o *outbox) put(f outFrame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(f)
}

// hello queues the answer to connect, and behind it the events that were
// delivered since the connection joined the hub.
func (o *outbox) hello(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(outFrame{text: text})
	o.greeted = true
	for _, f := range o.held {
		o.push(f)
	}
	o.held = nil
}

// event queues an event frame, as open says it without its closing brace, or
// drops it, or ends the connection.
func (o *outbox) event(f *hub.Frame, open []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil {
		return
	}
	out := outFrame{text: open, form: event}
	if o.rpc {
		out.form = rpcEvent
	}
	if f.Numbered {
		// A dropped frame uses up its number: clients take the gap as a hint.
		o.seq++
		out.seq = o.seq
	}
	if o.bytes > o.limit && f.Policy != hub.Must {
		if f.Policy == hub.DropIfSlow {
			if o.dropped == nil {
				o.dropped = map[string]int64{}
			}
			o.dropped[f.Name]++
			return
		}
		o.end(ending{status: websocket.StatusPolicyViolation, reason: "slow consumer"})
		return
	}
	if !o.greeted {
		o.held = append(o.held, out)
		return
	}
	o.push(out)
}

func (o *outbox) push(f outFrame) {
	if o.ending != nil {
		return
	}
	o.queue = append(o.queue, f)
	o.bytes += f.size()
	o.signal()
}

// signal has what waits written.
func (o *outbox) signal() {
	if !o.writing && o.paused == 0 && o.start != nil {
		o.writing = true
		o.start()
	}
}

// hold makes the caller the writer of what is queued from now on; it reports
// false when there is one.
func (o *outbox) hold() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || o.start == nil {
		return false
	}
	o.writing = true
	return true
}

// close takes nothing in any more; the writer closes the socket with status
// and reason once everything that was queued is written. The first close
// counts.
func (o *outbox) close(status websocket.StatusCode, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(ending{status: status, reason: reason})
}

// drop ends the connection without a word: the peer is gone.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil && !o.ending.abrupt {
		// What was to be said last can no longer be read by anybody. The writer
		// may be looking at the old value.
		o.ending, o.queue, o.bytes = &ending{abrupt: true}, nil, 0
		o.signal()
		return
	}
	o.end(ending{abrupt: true})
}

func (o *outbox) end(e ending) {
	if o.ending != nil {
		return
	}
	o.ending = &e
	if e.abrupt {
		o.queue, o.bytes = nil, 0
	} else {
		o.said = &e
	}
	o.held = nil
	o.stop()
	o.signal()
}

// take is everything that waits, and how to end once it is written, for the
// writer. It reports false when there is nothing: the caller is writer no more.
func (o *outbox) take() (batch, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all()
}

func (o *outbox) all() (batch, bool) {
	if !o.waits() {
		o.writing = false
		return batch{}, false
	}
	b := batch{pongs: o.pongs, frames: o.queue, end: o.ending}
	o.pongs, o.queue, o.spare = nil, o.spare, nil
	return b, true
}

// What takeQuick found.
type waiting uint8

const (
	nothing   waiting = iota // the caller is writer no more
	little                   // one write will do
	needsTime                // nothing is taken: the connection ends, or much waits
)

// takeQuick is take for a writer that does not want to stay.
func (o *outbox) takeQuick() (batch, waiting) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil || o.bytes > batchLimit && len(o.queue) > 1 {
		return batch{}, needsTime
	}
	if b, ok := o.all(); ok {
		return b, little
	}
	return batch{}, nothing
}

// finished tells that frames, n bytes, have left. It reports whether more waits,
// and the caller has to go on; else it is writer no more.
func (o *outbox) finished(frames []outFrame, n int) (more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left(n)
	o.keep(frames)
	o.writing = o.waits()
	return o.writing
}

// waits reports whether there is something to take.
func (o *outbox) waits() bool {
	return o.paused == 0 && (len(o.queue) > 0 || len(o.pongs) > 0 || o.ending != nil)
}

// pause keeps what is queued from being written until resume, a moment later.
func (o *outbox) pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused++
}

// resume undoes pause.
func (o *outbox) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused--; o.waits() {
		o.signal()
	}
}

// written tells that n bytes of what was taken have left.
func (o *outbox) written(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left(n)
}

func (o *outbox) left(n int) {
	o.bytes -= n
	o.sent += int64(n)
	if o.bytes <= o.limit {
		token(o.room)
	}
}

// recycle takes back the queue of a batch that is written.
func (o *outbox) recycle(frames []outFrame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep(frames)
}

// spareLimit is the longest queue that is kept for the next time.
const spareLimit = 64

func (o *outbox) keep(frames []outFrame) {
	if cap(frames) > spareLimit || cap(frames) < cap(o.spare) {
		return
	}
	clear(frames)
	o.spare = frames[:0]
}

// owe tells that the socket did not take all of what was given to it, n bytes in
// all. The next writer has to see to it first.
func (o *outbox) owe(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.owing = n
}

// owed is what owe was told, once.
func (o *outbox) owed() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.owing
	o.owing = 0
	return n
}

// waitForRoom returns when no more than limit bytes wait, or the connection is
// to end. Only who handles messages in order may wait: a client that reads no answers gets no
// more calls handled, instead of filling memory.
func (o *outbox) waitForRoom() {
	for {
		o.mu.Lock()
		ready := o.bytes <= o.limit || o.ending != nil
		o.mu.Unlock()
		if ready {
			return
		}
		select {
		case <-o.room:
		case <-o.ended.Done():
		}
	}
}

// pong queues the answer to a ping.
func (o *outbox) pong(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending != nil {
		return
	}
	if len(o.pongs) == maxPongs {
		o.pongs = o.pongs[1:]
	}
	o.pongs = append(o.pongs, bytes.Clone(payload))
	o.signal()
}

// isClosing reports whether the connection is about to be closed by us.
func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ending != nil && !o.ending.abrupt
}

// isAbrupt reports whether the peer is gone.
func (o *outbox) isAbrupt() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ending != nil && o.ending.abrupt
}

// totals are how many bytes have been written, and how many events of each name
// were dropped.
func (o *outbox) totals() (sent int64, dropped map[string]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent, maps.Clone(o.dropped)
}

// lastWord is how we ended the connection, if it was us.
func (o *outbox) lastWord() (ending, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.said == nil {
		return ending{}, false
	}
	return *o.said, true
}

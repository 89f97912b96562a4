package gateway

import (
	"bytes"
	"context"
	"maps"
	"strconv"
	"sync"

	"github.com/coder/websocket"
	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
)

// outbox is what waits to be written to one connection, bounded in bytes.
// Anyone may add; one writer takes. Answers always queue. An event that finds
// more than limit bytes waiting is dropped or ends the connection, as its
// policy says (spec: protocol, slow consumers). All methods are safe for
// concurrent use; none blocks.
type outbox struct {
	limit int
	rpc   bool            // events are JSON-RPC notifications; set before the first one
	wake  chan struct{}   // holds one token while there is something to take
	room  chan struct{}   // holds one token once less than limit waits again
	ended context.Context // done once ending is set
	stop  context.CancelFunc

	mu      sync.Mutex // guards all below
	queue   [][]byte
	bytes   int   // in queue, and taken but not yet written
	sent    int64 // bytes written
	seq     int64
	greeted bool     // hello is queued: events may follow
	held    [][]byte // events that came before hello, which must be first
	said    *ending  // how we chose to end, whether the peer stayed for it or not
	ending  *ending  // no frame is taken in any more; close when queue is empty
	dropped map[string]int64
	pongs   [][]byte // payloads; they count for nothing, there are maxPongs at most
}

// notification is what stands before an event in JSON-RPC, in place of
// protocol.EventLead.
const notification = `{"jsonrpc":"2.0","method":"event","params":{`

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
	o := &outbox{limit: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	o.ended, o.stop = context.WithCancel(context.Background())
	return o
}

// answer queues a response frame, or the challenge.
func (o *outbox) answer(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(frame)
}

// hello queues the answer to connect, and behind it the events that were
// delivered since the connection joined the hub.
func (o *outbox) hello(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.push(frame)
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
	if f.Numbered {
		// A dropped frame uses up its number: clients take the gap as a hint.
		o.seq++
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
	frame := make([]byte, 0, len(open)+len(notification)+28)
	if o.rpc {
		frame = append(append(frame, notification...), open[len(protocol.EventLead):]...)
	} else {
		frame = append(frame, open...)
	}
	if f.Numbered {
		frame = append(frame, `,"seq":`...)
		frame = strconv.AppendInt(frame, o.seq, 10)
	}
	if frame = append(frame, '}'); o.rpc {
		frame = append(frame, '}')
	}
	if !o.greeted {
		o.held = append(o.held, frame)
		return
	}
	o.push(frame)
}

func (o *outbox) push(frame []byte) {
	if o.ending != nil {
		return
	}
	o.queue = append(o.queue, frame)
	o.bytes += len(frame)
	o.signal()
}

func (o *outbox) signal() { token(o.wake) }

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

// take is everything that waits, and how to end once it is written. Empty and
// nil mean that there is nothing to do.
func (o *outbox) take() ([][]byte, *ending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue = nil
	return q, o.ending
}

// written tells that n bytes of what was taken have left.
func (o *outbox) written(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= n
	o.sent += int64(n)
	if o.bytes <= o.limit {
		token(o.room)
	}
}

// waitForRoom returns when no more than limit bytes wait, or the connection is
// to end. Only the dispatcher may wait: a client that reads no answers gets no
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

// takePongs is the payloads of all pongs that wait.
func (o *outbox) takePongs() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.pongs
	o.pongs = nil
	return p
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

package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// frame is a frame that a wire sent or received.
type frame struct {
	out   bool
	value any    // a string for raw text that was sent
	raw   []byte // as received
}

// wire is one connection of the scenario player: it records every frame, in
// order, and matches answers to calls.
type wire struct {
	sock   *socket
	ended  chan struct{} // closed when the connection has ended
	end    closing       // set before ended is closed
	pongs  chan []byte
	device *Device
	answer any // what connect was answered; undefined without connect

	quit    <-chan struct{} // closed by cancel
	cancel  context.CancelFunc
	done    sync.WaitGroup // reader and writer
	reading chan struct{}  // full while nothing may be read; not a mutex, which would stall a synctest bubble

	// Owned by the player.
	calls int
	seen  int // frames that an order step has looked at

	mu      sync.Mutex // guards the fields below
	frames  []*frame
	pending map[string]chan *frame
	changed chan struct{} // closed and replaced when a frame comes
	bad     error         // a message that is not JSON
}

// dialWire opens a connection without a handshake.
func dialWire(ctx context.Context, to endpoint, path string, headers *object) (*wire, error) {
	sock, err := dialSocket(ctx, to, path, headers)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &wire{
		sock: sock, ended: make(chan struct{}), pongs: make(chan []byte, 16), answer: undefined,
		quit: ctx.Done(), cancel: cancel, reading: make(chan struct{}, 1), pending: map[string]chan *frame{}, changed: make(chan struct{}),
	}
	w.done.Go(func() { sock.write(ctx) })
	w.done.Go(func() {
		w.end = sock.read(w.receive, w.pong)
		close(w.ended)
	})
	return w, nil
}

// terminate ends the connection at once and waits for its goroutines.
func (w *wire) terminate() {
	w.cancel()
	w.sock.conn.Close()
	w.done.Wait()
}

// close ends the connection with an empty close frame.
func (w *wire) close() {
	w.sock.send(opClose, nil)
	select {
	case <-w.ended:
	case <-time.After(30 * time.Second):
	}
	w.terminate()
}

func (w *wire) pong(payload []byte) {
	select {
	case w.pongs <- payload:
	default:
	}
}

func (w *wire) receive(message []byte) {
	select {
	case w.reading <- struct{}{}:
		<-w.reading
	case <-w.quit:
	}
	v, err := parseJSON(message)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.bad = errors.Join(w.bad, err)
		return
	}
	f := &frame{value: v, raw: message}
	w.frames = append(w.frames, f)
	if id, ok := member(v, "id").(string); ok && member(v, "type") != any("event") && w.pending[id] != nil {
		w.pending[id] <- f
		delete(w.pending, id)
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// sendText sends a text message and records it.
func (w *wire) sendText(v any, text string) {
	w.mu.Lock()
	w.frames = append(w.frames, &frame{out: true, value: v})
	w.mu.Unlock()
	w.sock.send(opText, wellFormed(text))
}

// call sends a request and waits for the first answer to it.
func (w *wire) call(ctx context.Context, method string, params any, limit time.Duration) (*frame, error) {
	answered := w.begin(method, params)
	select {
	case f := <-answered:
		return f, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(limit):
		return nil, fmt.Errorf("%s: no answer in %d ms", method, limit.Milliseconds())
	}
}

// begin sends a request.
func (w *wire) begin(method string, params any) (answered chan *frame) {
	w.calls++
	id := fmt.Sprintf("r%d", w.calls)
	answered = make(chan *frame, 1)
	w.mu.Lock()
	w.pending[id] = answered
	w.mu.Unlock()
	req := newObject()
	req.set("type", "req")
	req.set("id", id)
	req.set("method", method)
	req.set("params", params)
	w.sendText(req, compact(req))
	return answered
}

// wait returns what find makes of the frames so far, as soon as it is not nil
// or when the limit is over.
func (w *wire) wait(ctx context.Context, limit time.Duration, find func([]*frame) *frame) *frame {
	timeout := time.After(limit)
	for last := false; ; {
		w.mu.Lock()
		hit, changed := find(w.frames), w.changed
		w.mu.Unlock()
		if hit != nil || last {
			return hit
		}
		select {
		case <-changed:
		case <-timeout:
			last = true
		case <-ctx.Done():
			return nil
		}
	}
}

// all is the frames so far.
func (w *wire) all() []*frame {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.frames)
}

// event reports whether a frame is a received event.
func (f *frame) event() bool { return !f.out && member(f.value, "type") == any("event") }

// wellFormed is s as a WebSocket library sends it: lone surrogates as U+FFFD.
func wellFormed(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if _, ok := surrogateAt(s[i:]); ok {
			out = append(out, "\uFFFD"...)
			i += 3
			continue
		}
		out = append(out, s[i])
		i++
	}
	return out
}

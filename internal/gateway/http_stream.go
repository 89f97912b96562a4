package gateway

import (
	"errors"
	"sync"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
)

// streamLimit is how many bytes may wait for a client of an event stream.
const streamLimit = 8 << 20

var (
	errStopping = errors.New("the gateway stops")
	errSlow     = errors.New("slow consumer")
)

// stream hears the messages of one session for a client that follows them over
// HTTP. It is a hub.Sink: what it hears waits, bounded in bytes, until the
// request's goroutine takes it. A client that lets too much wait is cut off and
// gets the whole history when it comes again; a gap would never be noticed.
type stream struct {
	scopes protocol.ScopeSet
	wake   chan struct{} // holds one token while there is something to take

	mu    sync.Mutex // guards all below
	queue [][]byte   // complete frames
	bytes int
	end   error // why nothing comes any more
}

func newStream(scopes protocol.ScopeSet) *stream {
	return &stream{scopes: scopes, wake: make(chan struct{}, 1)}
}

// Scopes are what the request's credentials allow.
func (s *stream) Scopes() protocol.ScopeSet { return s.scopes }

// Role is operator: these endpoints are for nobody else.
func (s *stream) Role() string { return protocol.RoleOperator }

// Protocol is the oldest one: what a stream tells is the same in all.
func (s *stream) Protocol() int { return 3 }

// Deliver takes in messages and the shutdown; of the other broadcasts an event
// stream tells nothing.
func (s *stream) Deliver(f *hub.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return
	}
	switch {
	case f.Name == "shutdown":
		s.end = errStopping
	case f.Name != "session.message":
		return
	case s.bytes > streamLimit:
		s.end, s.queue, s.bytes = errSlow, nil, 0
	default:
		frame := closeBrace(f.Open[:len(f.Open):len(f.Open)]) // a copy: the bytes are shared
		s.queue = append(s.queue, frame)
		s.bytes += len(frame)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take gives what waits, and why nothing will follow if that is so.
func (s *stream) take() ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := s.queue
	s.queue, s.bytes = nil, 0
	return frames, s.end
}

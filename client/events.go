package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Event is something that the gateway told without being asked, or that a
// Client tells of its connection.
type Event struct {
	// Name is the kind of event, such as EventChat or Reconnected.
	Name string
	// Payload is the event's content.
	Payload json.RawMessage
	// Seq numbers the broadcasts of this connection; it is 0 for an event that
	// was sent to subscribers only. A gap means that events were left out.
	Seq int64
	// Gap is there in Disconnected and Reconnected, and nil in all others.
	Gap *Gap
}

// The events that a Client tells by itself.
const (
	// Disconnected says that the connection was lost and another one is tried.
	Disconnected = "client.disconnected"
	// Reconnected says that there is a connection again, and that events may
	// have been missed: see Gap.
	Reconnected = "client.reconnected"
)

// Gap is a time in which nothing was heard of the gateway.
type Gap struct {
	// Since is when the connection was lost, Until when there was one again;
	// zero as long as there is none.
	Since, Until time.Time
	// Reason is why it was lost.
	Reason error
	// Attempts is how many tries it took to get another one.
	Attempts int
}

// Decode decodes the payload into v. Names match exactly, unknown ones are
// ignored.
func (e Event) Decode(v any) error {
	if err := rawjson.Unmarshal(e.Payload, v); err != nil {
		return fmt.Errorf("decode the event %s: %w", e.Name, err)
	}
	return nil
}

// streamLimit is how many bytes of events may wait for one iterator.
const streamLimit = protocol.MaxBuffered

// fan hands events to all iterators of a connection.
type fan struct {
	mu      sync.Mutex // guards what follows
	streams map[*stream]bool
	done    bool
	err     error // with which all iterators end, nil for none
}

// put gives an event to all iterators.
func (f *fan) put(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.streams {
		s.put(e)
	}
}

// finish ends all iterators, those to come too.
func (f *fan) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return
	}
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	f.done, f.err = true, err
	for s := range f.streams {
		s.finish(err)
	}
}

// events is the iterator that the connections describe.
func (f *fan) events(ctx context.Context) iter.Seq2[Event, error] {
	s := newStream()
	f.mu.Lock()
	if f.done {
		s.finish(f.err)
	} else {
		if f.streams == nil {
			f.streams = map[*stream]bool{}
		}
		f.streams[s] = true
	}
	f.mu.Unlock()
	// A loop that never begins must not keep its events either.
	stop := context.AfterFunc(ctx, func() {
		s.finish(context.Cause(ctx))
		f.drop(s)
	})
	return func(yield func(Event, error) bool) {
		defer f.drop(s)
		defer stop()
		s.each(yield)
	}
}

func (f *fan) drop(s *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.streams, s)
}

// stream is the queue of one iterator.
type stream struct {
	mu     sync.Mutex // guards all
	filled sync.Cond
	queue  []Event
	size   int
	done   bool
	err    error
}

func newStream() *stream {
	s := &stream{}
	s.filled.L = &s.mu
	return s
}

// each hands out what comes until the end, or until yield has enough.
func (s *stream) each(yield func(Event, error) bool) {
	for {
		e, ok, err := s.next()
		if ok {
			if !yield(e, nil) {
				return
			}
			continue
		}
		if err != nil {
			yield(Event{}, err)
		}
		return
	}
}

func (s *stream) put(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.size += len(e.Payload) + len(e.Name)
	if s.size > streamLimit {
		s.done, s.err = true, ErrSlow
	} else {
		s.queue = append(s.queue, e)
	}
	s.filled.Signal()
}

// finish ends the stream after what waits in it.
func (s *stream) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		s.done, s.err = true, err
		s.filled.Signal()
	}
}

// next waits for an event; ok is false at the end.
func (s *stream) next() (e Event, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.done {
		s.filled.Wait()
	}
	if len(s.queue) == 0 {
		return Event{}, false, s.err
	}
	e = s.queue[0]
	s.queue = s.queue[1:]
	s.size -= len(e.Payload) + len(e.Name)
	return e, true, nil
}

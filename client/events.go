package client

import (
	"context"
	"iter"
	"sync"

	"github.com/parleyd/parley/internal/protocol"
)

// streamLimit is how many bytes of events may wait for one iterator.
const streamLimit = protocol.MaxBuffered

// Events hands out the events from this call on, in order. So call it before
// the method that causes the events one wants to see, and range over it after:
//
//	events := conn.Events(ctx)
//	conn.Call(ctx, "sessions.subscribe", nil)
//	for e, err := range events { … }
//
// The loop ends without an error after Close; in all other cases the last turn
// has the error: the end of the connection, the cause of ctx, or ErrSlow. It
// can be ranged over once. Several may exist; each gets every event.
func (c *Conn) Events(ctx context.Context) iter.Seq2[Event, error] {
	s := newStream()
	c.mu.Lock()
	if c.ended == nil {
		c.streams[s] = true
	} else if c.ended == ErrClosed {
		s.finish(nil)
	} else {
		s.finish(c.ended)
	}
	c.mu.Unlock()
	return func(yield func(Event, error) bool) {
		defer c.drop(s)
		defer context.AfterFunc(ctx, func() { s.finish(context.Cause(ctx)) })()
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
}

func (c *Conn) drop(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
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

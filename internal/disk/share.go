package disk

import "sync"

// Share lets those who wait together share one action, as a sync of one
// directory or an append to one file: an action begins when none is under way,
// for all that came since the last one began. The zero value is ready to use, by
// many goroutines.
type Share[T any] struct {
	mu        sync.Mutex // guards all below, and the items of next
	now, next *round[T]
}

// round is one action.
type round[T any] struct {
	items []T
	done  chan struct{}
	err   error // set before done is closed
}

// Do has act called with the items of all that share it, this one among them, and
// returns what it returns. The act that is called is that of the first of them.
func (s *Share[T]) Do(item T, act func(items []T) error) error {
	s.mu.Lock()
	if s.next != nil {
		r := s.next
		r.items = append(r.items, item)
		s.mu.Unlock()
		<-r.done
		return r.err
	}
	r, before := &round[T]{items: []T{item}, done: make(chan struct{})}, s.now
	if before == nil {
		s.now = r
	} else {
		s.next = r
	}
	s.mu.Unlock()
	if before != nil {
		<-before.done // it has made r the present one
	}
	return s.act(r, act)
}

func (s *Share[T]) act(r *round[T], act func([]T) error) error {
	s.mu.Lock()
	items := r.items
	s.mu.Unlock()
	defer close(r.done)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now, s.next = s.next, nil
	}()
	r.err = act(items)
	return r.err
}

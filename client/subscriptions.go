package client

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// subscriptions remember what a Client has subscribed to.
type subscriptions struct {
	mu       sync.Mutex // guards what follows
	sessions bool
	keys     []string // of the sessions whose messages are wanted
}

// subscription is a call that renews one.
type subscription struct {
	method string
	params any
}

// list is what to call to have all of them again.
func (s *subscriptions) list() (out []subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions {
		out = append(out, subscription{method: string(SessionsSubscribe)})
	}
	for _, key := range s.keys {
		out = append(out, subscription{string(SessionsMessagesSubscribe), protocol.SessionKeyParams{Key: key}})
	}
	return out
}

// begin notes what a call is about to subscribe to, before it is made: if the
// connection is lost between the answer and a later note, it would not be
// renewed. settle is told how the call went.
func (s *subscriptions) begin(method string, params rawjson.Value) (settle func(json.RawMessage, error)) {
	switch method {
	case string(SessionsSubscribe):
		before := s.setSessions(true)
		return func(_ json.RawMessage, err error) {
			if err != nil && !before {
				s.setSessions(false)
			}
		}
	case string(SessionsUnsubscribe):
		s.setSessions(false)
	case string(SessionsMessagesSubscribe):
		given := keyIn(params)
		known := s.add(given)
		return func(answer json.RawMessage, err error) {
			switch key := keyIn(answer); {
			case err == nil && key != "" && key != given: // a session has one name, whatever it was called
				s.add(key)
				s.remove(given)
			case err != nil && !known:
				s.remove(given)
			}
		}
	case string(SessionsMessagesUnsubscribe):
		s.remove(keyIn(params))
		return func(answer json.RawMessage, _ error) { s.remove(keyIn(answer)) }
	}
	return func(json.RawMessage, error) {}
}

func (s *subscriptions) setSessions(on bool) (before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.sessions = s.sessions, on
	return before
}

func (s *subscriptions) add(key string) (known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known = slices.Contains(s.keys, key); !known && key != "" {
		s.keys = append(s.keys, key)
	}
	return known
}

func (s *subscriptions) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = slices.DeleteFunc(s.keys, func(k string) bool { return k == key })
}

// keyIn is the member key of params or an answer.
func keyIn(v rawjson.Value) string {
	o, err := rawjson.Parse(v)
	if err != nil {
		return ""
	}
	return o.Text("key")
}

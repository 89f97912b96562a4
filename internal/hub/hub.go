// Package hub decides who hears what: it keeps the connections that take part
// in broadcasts and their subscriptions, filters events by scope, and hands
// each event to its listeners.
//
// Order: one mutex is held while an event (or a group of events published
// together) is handed to all its listeners, so all connections see the same
// order. Delivery never blocks: a Sink queues. The hub encodes nothing twice:
// the bytes of a frame are built once, before the lock, and shared. It knows
// nothing of WebSocket; numbering and limits are the sink's.
package hub

import (
	"maps"
	"slices"
	"sync"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Policy says what becomes of an event whose listener is slow
// (spec: protocol, slow consumers).
type Policy uint8

const (
	// Must frames are queued whatever waits.
	Must Policy = iota
	// DropIfSlow frames are left out for a slow listener.
	DropIfSlow
	// CloseIfSlow frames end the connection of a slow listener.
	CloseIfSlow
)

// Frame is one event on its way to a listener.
type Frame struct {
	// Name is the event's name, for counting what was dropped.
	Name string
	// Open is the frame's JSON without its closing brace. It is shared between
	// connections and must not be changed.
	Open []byte
	// Open4 is the same for connections of protocol 4 and later, nil where
	// there is no difference.
	Open4 []byte
	// encode makes what is missing of the two, nil where nothing can be.
	encode func(version int) []byte
	// Numbered frames take the connection's next seq.
	Numbered bool
	Policy   Policy
}

// OpenFor is the frame as a connection of this protocol version gets it. It is
// for Deliver only: the hub's mutex guards what it makes.
func (f *Frame) OpenFor(version int) []byte {
	switch {
	case version >= 4 && f.Open4 == nil && f.encode != nil:
		f.Open4 = f.encode(4)
	case version < 4 && f.Open == nil:
		f.Open = f.encode(3)
	}
	if version >= 4 && f.Open4 != nil {
		return f.Open4
	}
	return f.Open
}

// Sink takes frames for one connection. Deliver must not block and must not
// call back into the hub.
type Sink interface {
	Scopes() protocol.ScopeSet
	Role() string
	// Protocol is the version that the connection speaks.
	Protocol() int
	Deliver(f *Frame)
}

// Event is something to tell.
type Event struct {
	// Name is the event's name on the wire.
	Name string
	// Payload is the event's payload, encoded once by the caller.
	Payload rawjson.Value
	// PayloadFor makes the payload where it is not the same for protocol 3 and
	// for 4 and later; Payload is nil then. It is called once at most for each
	// of the two, and only when somebody speaks it.
	PayloadFor func(version int) rawjson.Value
	// State is present on presence and health events only.
	State *protocol.StateVersion
	// To says who hears it, before the scope filter.
	To Audience
	// Policy says what happens when a listener is slow.
	Policy Policy
}

// Audience names the listeners of an event. Make one with All, Sessions,
// Messages or Conns.
type Audience struct {
	kind  audienceKind
	key   string
	conns []string
}

type audienceKind uint8

const (
	toAll audienceKind = iota
	toSessions
	toMessages
	toConns
)

// All is every connection: a broadcast, numbered by each outbox.
func All() Audience { return Audience{kind: toAll} }

// Sessions are the connections that called sessions.subscribe.
func Sessions() Audience { return Audience{kind: toSessions} }

// Messages are the connections that called sessions.subscribe and those that
// called sessions.messages.subscribe for this canonical key, each once.
func Messages(key string) Audience { return Audience{kind: toMessages, key: key} }

// Conns are the connections with these ids, as far as they are there.
func Conns(ids ...string) Audience { return Audience{kind: toConns, conns: ids} }

// Hub is the set of connections and their subscriptions. All methods are safe
// for concurrent use.
type Hub struct {
	mu       sync.Mutex // guards all below
	conns    map[string]*listener
	order    []*listener // in order of arrival: fan-out walks a slice, not a map
	modern   int         // listeners of protocol 4 and later
	sessions int         // listeners with sessions set
	messages map[string]map[string]*listener
	sent     map[string]int64 // frames handed to listeners, by event
}

type listener struct {
	id       string
	sink     Sink
	sessions bool
	keys     map[string]struct{}
}

// New returns an empty hub.
func New() *Hub {
	return &Hub{conns: map[string]*listener{}, messages: map[string]map[string]*listener{}, sent: map[string]int64{}}
}

// Sent is how many frames were handed to listeners so far, by event.
func (h *Hub) Sent() map[string]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.sent)
}

// Add makes a connection take part in broadcasts. An id that is there already
// is replaced and loses its subscriptions.
func (h *Hub) Add(connID string, s Sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(connID)
	l := &listener{id: connID, sink: s, keys: map[string]struct{}{}}
	h.conns[connID] = l
	h.order = append(h.order, l)
	if s.Protocol() >= 4 {
		h.modern++
	}
}

// Remove forgets a connection and all its subscriptions. It is idempotent.
func (h *Hub) Remove(connID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(connID)
}

func (h *Hub) remove(connID string) {
	l, ok := h.conns[connID]
	if !ok {
		return
	}
	delete(h.conns, connID)
	h.order = slices.DeleteFunc(h.order, func(o *listener) bool { return o == l })
	if l.sink.Protocol() >= 4 {
		h.modern--
	}
	if l.sessions {
		h.sessions--
	}
	for key := range l.keys {
		h.unsubscribe(l, key)
	}
}

// SubscribeSessions turns a connection's subscription to all sessions on or
// off. Repeating is harmless; an unknown connection is ignored.
func (h *Hub) SubscribeSessions(connID string, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.conns[connID]
	if !ok || l.sessions == on {
		return
	}
	l.sessions = on
	if on {
		h.sessions++
	} else {
		h.sessions--
	}
}

// SubscribeMessages turns a connection's subscription to the messages of one
// canonical key on or off. Repeating is harmless; an unknown connection is
// ignored.
func (h *Hub) SubscribeMessages(connID, key string, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.conns[connID]
	if !ok {
		return
	}
	if !on {
		h.unsubscribe(l, key)
		return
	}
	l.keys[key] = struct{}{}
	if h.messages[key] == nil {
		h.messages[key] = map[string]*listener{}
	}
	h.messages[key][connID] = l
}

func (h *Hub) unsubscribe(l *listener, key string) {
	delete(l.keys, key)
	delete(h.messages[key], l.id)
	if len(h.messages[key]) == 0 {
		delete(h.messages, key)
	}
}

// SessionsHeard reports whether anybody called sessions.subscribe: a caller
// that has to build a payload first can save the work.
func (h *Hub) SessionsHeard() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions > 0
}

// MessagesHeard reports whether anybody would get a session.message of key.
func (h *Hub) MessagesHeard(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions > 0 || len(h.messages[key]) > 0
}

// Len is the number of connections.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Publish hands the events to their listeners in this order; nobody else's
// event comes between them.
func (h *Hub) Publish(events ...Event) {
	frames := make([]*Frame, len(events))
	for i, e := range events {
		frames[i] = h.frame(e)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, e := range events {
		h.deliver(e, frames[i])
	}
}

// frame encodes an event for those who are there now. Who comes with another
// version before the event is delivered has it encoded then.
func (h *Hub) frame(e Event) *Frame {
	f := &Frame{Name: e.Name, Numbered: e.To.kind == toAll, Policy: e.Policy}
	if e.PayloadFor == nil {
		f.Open = protocol.AppendEvent(nil, e.Name, e.Payload, e.State)
		return f
	}
	f.encode = func(version int) []byte {
		return protocol.AppendEvent(nil, e.Name, e.PayloadFor(version), e.State)
	}
	h.mu.Lock()
	modern, old := h.modern > 0, len(h.order) > h.modern
	h.mu.Unlock()
	if modern {
		f.Open4 = f.encode(4)
	}
	if old {
		f.Open = f.encode(3)
	}
	return f
}

func (h *Hub) deliver(e Event, f *Frame) {
	n := int64(0)
	defer func() { h.sent[e.Name] += n }()
	send := func(l *listener) {
		if allowed(e.Name, l.sink) {
			l.sink.Deliver(f)
			n++
		}
	}
	switch e.To.kind {
	case toAll:
		for _, l := range h.order {
			send(l)
		}
	case toConns:
		for _, id := range e.To.conns {
			if l, ok := h.conns[id]; ok {
				send(l)
			}
		}
	case toSessions, toMessages:
		keyed := h.messages[e.To.key]
		if e.To.kind == toSessions {
			keyed = nil
		}
		if h.sessions == 0 && len(keyed) == 0 {
			return
		}
		if h.sessions == 0 {
			// Sorted: which of several listeners comes first must not depend on
			// a map's order, or two runs of one test could differ.
			for _, id := range slices.Sorted(maps.Keys(keyed)) {
				send(keyed[id])
			}
			return
		}
		for _, l := range h.order {
			if _, ok := keyed[l.id]; ok || l.sessions {
				send(l)
			}
		}
	}
}

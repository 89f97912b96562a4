package hub

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

type sink struct {
	scopes protocol.ScopeSet
	role   string
	mu     sync.Mutex
	got    []string
	seq    []bool
}

func (s *sink) Scopes() protocol.ScopeSet { return s.scopes }
func (s *sink) Role() string              { return s.role }
func (s *sink) Protocol() int             { return 3 }
func (s *sink) Deliver(f *Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, string(f.Open))
	s.seq = append(s.seq, f.Numbered)
}

func operator(scopes ...string) *sink {
	return &sink{scopes: protocol.NewScopeSet(scopes...), role: protocol.RoleOperator}
}

func event(name string, to Audience) Event {
	return Event{Name: name, Payload: rawjson.Value(`1`), To: to}
}

func TestScopeFilterByEvent(t *testing.T) {
	for _, c := range []struct {
		event  string
		scopes []string
		role   string
		want   bool
	}{
		{"tick", nil, "operator", true},
		{"shutdown", nil, "node", true},
		{"chat", nil, "operator", false},
		{"chat", []string{"operator.read"}, "operator", true},
		{"agent", []string{"operator.write"}, "operator", true},
		{"presence", []string{"operator.pairing"}, "operator", false},
		{"health", []string{"operator.admin"}, "operator", true},
		{"sessions.changed", []string{"operator.approvals"}, "operator", false},
		{"session.message", []string{"operator.read"}, "node", false},
		{"device.pair.requested", []string{"operator.read"}, "operator", false},
		{"device.pair.resolved", []string{"operator.pairing"}, "operator", true},
		{"exec.approval.requested", []string{"operator.approvals"}, "operator", true},
	} {
		h, s := New(), operator(c.scopes...)
		s.role = c.role
		h.Add("a", s)
		h.Publish(event(c.event, All()))
		if got := len(s.got) == 1; got != c.want {
			t.Errorf("%s to %s %v: delivered %v, want %v", c.event, c.role, c.scopes, got, c.want)
		}
	}
}

func TestSubscribersHearEachEventOnce(t *testing.T) {
	h := New()
	both, key, all, none := operator("operator.read"), operator("operator.read"), operator("operator.read"), operator("operator.read")
	for id, s := range map[string]*sink{"both": both, "key": key, "all": all, "none": none} {
		h.Add(id, s)
	}
	if h.SessionsHeard() || h.MessagesHeard("k") {
		t.Error("somebody is said to listen before anybody subscribed")
	}
	h.SubscribeSessions("both", true)
	h.SubscribeSessions("both", true)
	h.SubscribeMessages("both", "k", true)
	h.SubscribeMessages("key", "k", true)
	h.SubscribeSessions("all", true)

	h.Publish(event("session.message", Messages("k")), event("sessions.changed", Sessions()))
	for name, c := range map[string]struct {
		s    *sink
		want int
	}{"both": {both, 2}, "key": {key, 1}, "all": {all, 2}, "none": {none, 0}} {
		if got := len(c.s.got); got != c.want {
			t.Errorf("%s heard %d events, want %d", name, got, c.want)
		}
	}
	if slices.Contains(both.seq, true) {
		t.Error("an event to subscribers is numbered")
	}

	h.SubscribeSessions("both", false)
	h.SubscribeSessions("all", false)
	h.Publish(event("session.message", Messages("k")))
	if len(both.got) != 3 || len(key.got) != 2 || len(all.got) != 2 {
		t.Errorf("after unsubscribing: both %d, key %d, all %d; want 3, 2, 2", len(both.got), len(key.got), len(all.got))
	}
	h.Remove("both")
	h.Remove("both")
	h.Remove("key")
	if h.MessagesHeard("k") || h.SessionsHeard() {
		t.Error("subscriptions outlive their connections")
	}
}

func TestAllConnectionsSeeOneOrder(t *testing.T) {
	h := New()
	sinks := []*sink{operator("operator.read"), operator("operator.read"), operator("operator.read")}
	for i, s := range sinks {
		h.Add(fmt.Sprint(i), s)
		h.SubscribeSessions(fmt.Sprint(i), true)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				h.Publish(
					Event{Name: "sessions.changed", Payload: rawjson.MustMarshal(fmt.Sprintf("%d/%d/a", w, i)), To: Sessions()},
					Event{Name: "sessions.changed", Payload: rawjson.MustMarshal(fmt.Sprintf("%d/%d/b", w, i)), To: Sessions()},
				)
			}
		})
	}
	wg.Wait()
	if len(sinks[0].got) != 800 {
		t.Fatalf("first sink got %d events, want 800", len(sinks[0].got))
	}
	for i, s := range sinks[1:] {
		if !slices.Equal(s.got, sinks[0].got) {
			t.Errorf("sink %d saw another order than sink 0", i+1)
		}
	}
	for i := 0; i < len(sinks[0].got); i += 2 {
		a, b := sinks[0].got[i], sinks[0].got[i+1]
		if a[:len(a)-2] != b[:len(b)-2] {
			t.Fatalf("events published together were separated: %s, %s", a, b)
		}
	}
}

func TestPayloadByProtocol(t *testing.T) {
	f := &Frame{Open: []byte("old"), Open4: []byte("new")}
	same := &Frame{Open: []byte("old")}
	for _, c := range []struct {
		f       *Frame
		version int
		want    string
	}{{f, 3, "old"}, {f, 4, "new"}, {f, 5, "new"}, {same, 4, "old"}} {
		if got := string(c.f.OpenFor(c.version)); got != c.want {
			t.Errorf("protocol %d gets %q, want %q", c.version, got, c.want)
		}
	}
}

// A payload is encoded for the versions that somebody speaks, once for each,
// also for who comes after it was encoded and before it is delivered.
func TestPayloadIsEncodedForWhoIsThere(t *testing.T) {
	for _, tt := range []struct {
		name     string
		old, new int // listeners
		late     bool
		want     []int
	}{
		{"nobody", 0, 0, false, nil},
		{"old ones", 2, 0, false, []int{3}},
		{"new ones", 0, 2, false, []int{4}},
		{"both", 2, 2, false, []int{4, 3}},
		{"one that comes just now", 1, 0, true, []int{3, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, got := New(), []string{}
			ear := func(version int) deliverFunc {
				return deliverFunc{version, func(f *Frame) { got = append(got, string(f.OpenFor(version))) }}
			}
			for i := range tt.old {
				h.Add(fmt.Sprint("old", i), ear(3))
			}
			for i := range tt.new {
				h.Add(fmt.Sprint("new", i), ear(4))
			}
			var encoded []int
			h.Publish(Event{Name: "tick", To: All(), PayloadFor: func(version int) rawjson.Value {
				if encoded = append(encoded, version); tt.late && version == 3 {
					h.Add("late", ear(4))
				}
				return rawjson.Value(fmt.Sprint(version))
			}})
			if !slices.Equal(encoded, tt.want) {
				t.Errorf("encoded for %v, want %v", encoded, tt.want)
			}
			for i, open := range got {
				version := 3
				if i >= tt.old {
					version = 4
				}
				if want := fmt.Sprintf(`{"type":"event","event":"tick","payload":%d`, version); open != want {
					t.Errorf("listener %d got %s, want %s", i, open, want)
				}
			}
		})
	}
}

type deliverFunc struct {
	version int
	deliver func(*Frame)
}

func (deliverFunc) Scopes() protocol.ScopeSet { return protocol.ScopeSet{} }
func (deliverFunc) Role() string              { return protocol.RoleOperator }
func (d deliverFunc) Protocol() int           { return d.version }
func (d deliverFunc) Deliver(f *Frame)        { d.deliver(f) }

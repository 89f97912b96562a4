package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/protocol"
)

func TestParsePresenceText(t *testing.T) {
	seven := 7.0
	box := protocol.PresenceEntry{Host: "box", IP: "10.0.0.5", Version: "1.2", LastInputSeconds: &seven, Mode: "local", Reason: "launch"}
	rest := box
	rest.Reason = "launch · again"
	for text, want := range map[string]protocol.PresenceEntry{
		"Node: box (10.0.0.5) · app 1.2 · last input 7s ago · mode local · reason launch":         box,
		"node:  box(10.0.0.5)· app  1.2 · last input 7s ago ·mode local · reason launch":          box,
		"Node: box (10.0.0.5) · app 1.2 · last input 7s ago · mode local · reason launch · again": rest,
		"Node: box (10.0.0.5) · app 1.2 · last input 7s ago · mode local · reason":                {},
		"Node: box (10.0.0.5) · app 1.2 · last input 7s ago · mode a · mode b · reason launch":    {},
		"Node: box (10.0.0.5) · app 1.2 · last input -7s ago · mode local · reason launch":        {},
		"Node: my box (10.0.0.5) · app 1.2 · last input 7s ago · mode local · reason launch":      {},
		"Node: box · mode x": {},
		"something else":     {},
	} {
		want.Text = text
		if diff := cmp.Diff(want, parsePresenceText(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestPresenceAgesWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPresence("1")
		p.set("gone", func(e *present) { e.Host = "gone" })
		p.set("here", func(e *present) { e.Host, e.open = "here", 1 })
		time.Sleep(presenceAge + time.Second)
		var got []string
		for _, e := range p.list()[1:] {
			got = append(got, e.Host)
		}
		if diff := cmp.Diff([]string{"here"}, got); diff != "" {
			t.Errorf("listed after five minutes (-want +got):\n%s", diff)
		}
	})
}

func TestPresenceIsBounded(t *testing.T) {
	p := newPresence("1")
	for i := range 3 * presenceLimit {
		p.set(string(rune('a'+i%26))+time.Duration(i).String(), func(*present) {})
	}
	if got := len(p.list()); got != presenceLimit {
		t.Errorf("listed %d entries, want %d", got, presenceLimit)
	}
	if got := len(p.entries); got > 2*presenceLimit {
		t.Errorf("kept %d entries, want at most %d", got, 2*presenceLimit)
	}
}

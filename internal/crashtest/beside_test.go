package crashtest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/rawjson"
)

// TestBesideAnotherProgram lets clients patch sessions while another program
// rewrites sessions.json in OpenClaw's way, under its lock. No change of either
// is lost; of an entry that both changed without knowing of each other, the
// loser stands in sessions.json.conflicts.
func TestBesideAnotherProgram(t *testing.T) {
	p := newPair(t, true)
	p.play()
	p.check()
}

// TestBesideAnEditor is the same with a program that does not lock: what the
// two changed in different sessions is not lost.
func TestBesideAnEditor(t *testing.T) {
	p := newPair(t, false)
	p.play()
	p.check()
}

// pair is a daemon with clients, and another program.
type pair struct {
	t      *testing.T
	d      *daemon
	editor editor
	both   bool          // they also change the same sessions
	moved  chan struct{} // a client has made a change

	mu     sync.Mutex        // guards all below
	mine   map[string]string // label that a client set last, "" for deleted
	theirs map[string]string // label that the editor set last
	lost   map[string]string // values that were not there any more, and where
	calls  int
	writes int

	bothLabel, bothNote map[string]string // of sessions that both change: what each side set last
}

func newPair(t *testing.T, locks bool) *pair {
	p := &pair{
		t: t, d: newDaemon(t, plain), both: locks, moved: make(chan struct{}, 1),
		mine: map[string]string{}, theirs: map[string]string{}, lost: map[string]string{},
		bothLabel: map[string]string{}, bothNote: map[string]string{},
	}
	p.editor = editor{store: p.d.store(), locks: locks}
	c := p.d.mustStart(t)
	for i := range 20 { // entries that nobody changes
		mustCall(t, c, "sessions.create", params{"key": fmt.Sprintf("still-%d", i), "label": fmt.Sprintf("still %d", i)}, nil)
	}
	// The other program finds the store as an orderly end leaves it.
	p.d.mustStop(t)
	if err := p.d.start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// play lets the editor rewrite the store so many times while clients patch.
func (p *pair) play() {
	ctx, cancel := context.WithCancel(p.t.Context())
	var wg sync.WaitGroup
	for id := range 3 {
		wg.Go(func() {
			c, err := p.d.dial(p.t.Context())
			if err != nil {
				p.t.Error(err)
				return
			}
			defer c.Close()
			for n := 0; ctx.Err() == nil; n++ {
				if err := p.patch(c, id, n); err != nil {
					p.t.Error(err)
					return
				}
			}
		})
	}
	for n := 0; n < max(48, 2**roundsFlag) && !p.t.Failed(); n++ {
		// Neither side may starve the other of the lock.
		select {
		case <-p.moved:
		case <-time.After(12 * time.Second):
			p.t.Error("no client could make a change in 12 s")
		}
		if err := p.editor.rewrite(p.t.Context(), func(o *rawjson.Object) { p.edit(o, n) }); err != nil {
			p.t.Errorf("rewrite %d: %v", n, err)
		}
		p.writes++
	}
	cancel()
	wg.Wait()
}

// changed notes that a client has made a change.
func (p *pair) changed() {
	p.calls++
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// patch is one change of a client, in a session of its own or, now and then,
// in one that the editor changes too.
func (p *pair) patch(c *client.Conn, id, n int) error {
	label := fmt.Sprintf("client %d.%d", id, n)
	if p.both && id == 0 && n%4 == 0 {
		return p.patchBoth(c, fmt.Sprintf("both-%d", n/4%2), label)
	}
	key := fmt.Sprintf("client-%d-%d", id, n%5)
	if n%7 == 6 {
		if err := call(p.t.Context(), c, "sessions.delete", params{"key": key}, nil); err != nil {
			return err
		}
		label = ""
	} else if err := call(p.t.Context(), c, "sessions.patch", params{"key": key, "label": label}, nil); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mine[key] = label
	p.changed()
	return nil
}

// patchBoth sets the label of a session in which the editor sets a note. Its
// last label must still be there, or have lost against a change of the editor.
func (p *pair) patchBoth(c *client.Conn, key, label string) error {
	found, err := rows(p.t.Context(), c, key)
	if err != nil {
		return err
	}
	if last := p.bothLabel[key]; last != found[key].Label {
		p.miss(last, "the client found the label "+found[key].Label)
	}
	if err := call(p.t.Context(), c, "sessions.patch", params{"key": key, "label": label}, nil); err != nil {
		return err
	}
	p.bothLabel[key] = label
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed()
	return nil
}

// miss notes a value that is not there any more: it must stand among the
// conflicts in the end.
func (p *pair) miss(value, why string) {
	if value == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost[value] = why
}

// edit is one change of the editor: a session of its own, a new one, one that
// it removes, and one of those that clients change too.
func (p *pair) edit(o *rawjson.Object, n int) {
	for key, label := range p.theirs {
		if got := get(*o, key, "label"); got != label {
			p.t.Errorf("rewrite %d: the editor finds label %q in %s, it had set %q", n, got, key, label)
		}
	}
	put := func(key, label string) {
		set(o, key, "label", label)
		p.theirs[key] = label
	}
	put(fmt.Sprintf("editor-%d", n%4), fmt.Sprintf("editor %d", n))
	if n%5 == 0 {
		put(fmt.Sprintf("made-%d", n), fmt.Sprintf("made %d", n))
	}
	if n%10 == 9 {
		key := fmt.Sprintf("made-%d", n-9)
		o.Delete("agent:main:" + key)
		p.theirs[key] = ""
	}
	key := fmt.Sprintf("both-%d", n%2)
	if !p.both || !o.Has("agent:main:"+key) {
		return
	}
	if last := p.bothNote[key]; last != get(*o, key, "note") {
		p.miss(last, "the editor found the note "+get(*o, key, "note"))
	}
	p.bothNote[key] = fmt.Sprintf("note %d", n)
	set(o, key, "note", p.bothNote[key])
}

// check looks through the wire, and after an orderly end into the file.
func (p *pair) check() {
	c := p.d.mustDial(p.t)
	heard := mustRows(p.t, c, "")
	p.d.mustStop(p.t)
	entries, err := readStore(p.d.store())
	if err != nil {
		p.t.Fatal(err)
	}
	lines, err := conflicts(p.d.store())
	if err != nil {
		p.t.Error(err)
	}
	want := map[string]string{}
	for i := range 20 {
		want[fmt.Sprintf("still-%d", i)] = fmt.Sprintf("still %d", i)
	}
	for _, side := range []map[string]string{p.mine, p.theirs} {
		for key, label := range side {
			want[key] = label
		}
	}
	for key, label := range want {
		if got := heard[key].Label; got != label {
			p.t.Errorf("session %s has label %q, want %q", key, got, label)
		}
		if e := entries["agent:main:"+key]; e.Text("label") != label {
			p.t.Errorf("the file has label %q in session %s, want %q", e.Text("label"), key, label)
		}
	}
	for key, label := range p.bothLabel {
		e := entries["agent:main:"+key]
		if got := e.Text("label"); got != label {
			p.miss(label, "in the end there was the label "+got)
		}
		if got := e.Text("note"); got != p.bothNote[key] {
			p.miss(p.bothNote[key], "in the end there was the note "+got)
		}
	}
	for value, why := range p.lost {
		if !strings.Contains(strings.Join(lines, ""), fmt.Sprintf("%q", value)) {
			p.t.Errorf("%q is lost: %s, and it is not among the conflicts", value, why)
		}
	}
	p.t.Logf("%d changes of clients, %d rewrites by the other program, %d conflicts", p.calls, p.writes, len(lines))
	if p.calls < p.writes/2 {
		p.t.Errorf("the clients made only %d changes beside %d rewrites", p.calls, p.writes)
	}
}

package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// Whatever happens to store and transcripts, a list that was asked for before shows
// it at once, just as one that is asked for the first time.
func TestListsFollowEachChange(t *testing.T) {
	g := withTranscript(t, "one")
	dir := filepath.Join(g.cfg().StateDir, "agents/main/sessions")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	zero := protocol.Int(0)
	list := func(g *Gateway, p protocol.SessionsListParams) string {
		t.Helper()
		r, err := g.sessionsList(t.Context(), nil, p)
		if err != nil {
			t.Fatal(err)
		}
		r.head.TS = 0
		return string(rawjson.MustMarshal(r))
	}
	all := []protocol.SessionsListParams{
		{}, {Limit: 2}, {Limit: 2, Offset: &zero}, {IncludeDerivedTitles: true, IncludeLastMessage: true}, {Label: "L"}, {Search: "s-a"},
	}
	last := ""
	expect := func(when string, changes bool) {
		t.Helper()
		fresh := &Gateway{live: g.live, stores: g.stores, transcripts: g.transcripts, log: g.log}
		got := ""
		for _, p := range all {
			now, want := list(g, p), list(fresh, p)
			if now != want || list(g, p) != want {
				t.Errorf("%s, %+v: %s, want %s", when, p, now, want)
			}
			got += now
		}
		if (got != last) != changes {
			t.Errorf("%s: nothing to see of it, or too much: %s", when, got)
		}
		last = got
	}
	expect("at first", true)
	expect("again", false)
	write("s-b.jsonl", `{"type":"message","id":"1","message":{"role":"user","content":"made by another"}}`+"\n")
	expect("after a transcript appeared", true)
	write("s-a.jsonl", `{"type":"message","id":"1","message":{"role":"user","content":"written anew"}}`+"\n")
	expect("after a transcript was written anew", true)
	st, err := g.stores.Store("agent:main:a")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Update(t.Context(), func(tx *sessions.Tx) error {
		e, _ := tx.Get("agent:main:a")
		tx.Put("agent:main:a", e.With(func(o *rawjson.Object) { o.Put("label", "L") }))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	expect("after a change", true)
	if err := os.Remove(filepath.Join(dir, "s-a.jsonl")); err != nil {
		t.Fatal(err)
	}
	expect("after a transcript went", true)
	write("sessions.json", strings.Replace(threeSessions, "agent:main:no-id", "agent:main:other", 1))
	expect("after another program wrote the store", true)
	write("sessions.json", strings.Replace(threeSessions, `"sessionId":"s-b"`, `"sessionId":"s-b","sessionFile":"named.jsonl"`, 1))
	expect("after it named another file, which is not there", true)
	write("named.jsonl", `{"type":"message","id":"1","message":{"role":"user","content":"in the named file"}}`+"\n")
	expect("after that file appeared", true)
	expect("again", false)
}

// No more lists are remembered than said, however long they are.
func TestListCacheIsBounded(t *testing.T) {
	var c listCache
	of := new(sessions.Combined)
	for i := range 100 {
		q := listQuestion{offset: protocol.Int(i)}
		c.put(q, of, nil, listAnswer{sessions: make([]byte, 100<<10), count: i})
		if a, ok := c.get(q, of, nil); !ok || a.count != i {
			t.Fatalf("list %d was not remembered", i)
		}
		if sum := len(c.known) * 100 << 10; c.bytes < sum || sum > maxLists {
			t.Fatalf("%d lists are remembered, %d bytes by count", len(c.known), c.bytes)
		}
	}
	c.put(listQuestion{}, of, nil, listAnswer{sessions: make([]byte, maxList)})
	if _, ok := c.get(listQuestion{}, of, nil); ok {
		t.Error("a long list was remembered")
	}
	if _, ok := c.get(listQuestion{offset: 99}, new(sessions.Combined), nil); ok {
		t.Error("a list of another view")
	}
	before := fmt.Sprint(len(c.known), c.bytes)
	c.put(listQuestion{offset: 99}, of, nil, listAnswer{sessions: make([]byte, 100<<10)})
	if after := fmt.Sprint(len(c.known), c.bytes); after != before {
		t.Errorf("the same list again made %s of %s", after, before)
	}
}

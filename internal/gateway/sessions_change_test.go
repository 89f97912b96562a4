package gateway

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// A refused patch changes nothing, but the session stands under its canonical
// key then, as after any other method that writes.
func TestRefusedPatchMovesTheKey(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:Old":{"sessionId":"s","updatedAt":5},"agent:main:x":{"label":"taken"}}`)
	_, err := g.sessionsPatch(t.Context(), &call{conn: &conn{}}, protocol.SessionsPatchParams{Key: "OLD", SessionChanges: protocol.SessionChanges{
		ExecNode: protocol.Some("n"), Label: protocol.Some("taken"),
	}})
	if err == nil || !strings.Contains(err.Error(), "label already in use: taken") {
		t.Errorf("error = %v, want the label refused", err)
	}
	f, _, err := g.stores.Lookup("OLD")
	if got, want := string(f.Entry.Raw()), `{"sessionId":"s","updatedAt":5}`; f.StoredKey != "agent:main:old" || got != want || err != nil {
		t.Errorf("%s: %s, %v, want agent:main:old: %s", f.StoredKey, got, err, want)
	}
}

// Who expected another session changes nothing at all, not even the spelling of
// its key.
func TestUnexpectedSessionStaysAsItIs(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:Old":{"sessionId":"s","updatedAt":5}}`)
	g.log = slog.New(slog.DiscardHandler)
	withEngine(t, g)
	c := &call{conn: &conn{}}
	_, patch := g.sessionsPatch(t.Context(), c, protocol.SessionsPatchParams{Key: "old", ExpectedSessionID: "t"})
	_, reset := g.sessionsReset(t.Context(), c, protocol.SessionsResetParams{Key: "old", ExpectedSessionID: "t"})
	_, deletion := g.sessionsDelete(t.Context(), c, protocol.SessionsDeleteParams{Key: "old", ExpectedSessionID: "t"})
	for what, err := range map[string]error{"patch": patch, "reset": reset, "deletion": deletion} {
		if err == nil || !strings.Contains(err.Error(), "changed before "+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if f, _, err := g.stores.Lookup("old"); f.StoredKey != "agent:main:Old" || err != nil || len(c.after) > 0 {
		t.Errorf("it is stored as %s, %v, %d events", f.StoredKey, err, len(c.after))
	}
}

// Resolving reads; it moves a session to its canonical key only where nothing
// stands under that key yet.
func TestResolveMovesWhatHasNoCanonicalKey(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:Old":{"sessionId":"s","updatedAt":5},"agent:main:both":{"sessionId":"b","updatedAt":5},"agent:main:BOTH":{"sessionId":"c","updatedAt":9}}`)
	for key, wantStored := range map[string]string{"agent:main:old": "agent:main:old", "both": "agent:main:BOTH"} {
		if _, err := g.sessionsResolve(t.Context(), nil, protocol.SessionsResolveParams{Key: key}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if f, _, err := g.stores.Lookup(key); f.StoredKey != wantStored || err != nil {
			t.Errorf("%s is stored as %s, %v, want %s", key, f.StoredKey, err, wantStored)
		}
	}
}

// An entry that was never dated has updatedAt null in its row; the fields
// beside the row leave it out.
func TestChangedLeavesOutMissingTime(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:a":{"sessionId":"s"}}`)
	var l listener
	g.hub.Add("c", &l)
	g.hub.SubscribeSessions("c", true)
	g.hub.Publish(g.messageEvents("agent:main:a", transcript.Appended{ID: "m", Seq: 1, Message: rawjson.Value(`{}`)})...)
	if len(l.payloads) != 2 {
		t.Fatalf("%d events, want 2", len(l.payloads))
	}
	for _, p := range l.payloads {
		if n := strings.Count(p, `"updatedAt":null`); n != 1 {
			t.Errorf("updatedAt is null %d times, want once, in the row: %s", n, p)
		}
	}
}

func TestArchiveLeavesWhatOthersUse(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:other":{"sessionId":"s-b","sessionFile":"sub/shared.jsonl"},"agent:main:far":{"sessionId":"s-far"}}`)
	g.log = slog.New(slog.DiscardHandler)
	st, err := g.stores.Store("agent:main:other")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub/shared.jsonl", "sub/own.jsonl", "s-a.jsonl", "s-far.jsonl", "s-b.jsonl", "../../ops/sessions/s-d.jsonl"} {
		path := filepath.Join(st.Dir(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		entry      string
		maintained bool // removed by the limits of the store, not by a client
		want       []string
	}{
		{entry: `{"sessionId":"s-a","sessionFile":"sub/shared.jsonl"}`, want: []string{"s-a.jsonl"}},
		{entry: `{"sessionId":"s-far","sessionFile":"s-b.jsonl"}`},
		{entry: `{"sessionId":"s-c","sessionFile":"sub/own.jsonl"}`, maintained: true, want: []string{"sub/own.jsonl"}},
		{entry: `{"sessionId":"s-d","sessionFile":"` + filepath.Join(filepath.Dir(st.Dir()), "../ops/sessions/s-d.jsonl") + `"}`, maintained: true},
	} {
		e, err := sessions.ParseEntry([]byte(tt.entry))
		if err != nil {
			t.Fatal(err)
		}
		if tt.maintained {
			g.removed(st, []sessions.Removed{{Key: "agent:main:gone", Entry: e}})
		} else if got := g.archive(st, "agent:main:gone", e, "deleted"); len(got) != len(tt.want) {
			t.Errorf("%s: archived %v, want %v", tt.entry, got, tt.want)
		}
		for _, name := range tt.want {
			if _, err := os.Stat(filepath.Join(st.Dir(), name)); !os.IsNotExist(err) {
				t.Errorf("%s: %s is still there: %v", tt.entry, name, err)
			}
		}
	}
	for _, name := range []string{"sub/shared.jsonl", "s-far.jsonl", "s-b.jsonl", "../../ops/sessions/s-d.jsonl"} {
		if _, err := os.Stat(filepath.Join(st.Dir(), name)); err != nil {
			t.Error(err)
		}
	}
}

// Only entries are deleted; what else a file holds under the key stays.
func TestDeleteLeavesWhatIsNoEntry(t *testing.T) {
	const store = `{"agent:main:nothing":null}`
	g := bare(t, `{}`, store)
	g.log = slog.New(slog.DiscardHandler)
	withEngine(t, g)
	r, err := g.sessionsDelete(t.Context(), &call{conn: &conn{}}, protocol.SessionsDeleteParams{Key: "nothing"})
	if r.Deleted || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	got, err := os.ReadFile(filepath.Join(g.cfg().StateDir, "agents/main/sessions/sessions.json"))
	if string(got) != store || err != nil {
		t.Errorf("file is %s, %v, want %s", got, err, store)
	}
}

// Resolve answers a question: of several entries it takes none away, it only
// renames one that has nothing but old spellings.
func TestResolveKeepsEntries(t *testing.T) {
	for _, tt := range []struct{ name, store, want string }{
		{"old spelling", `{"Foo":{"updatedAt":1}}`, "agent:main:foo"},
		{"two old spellings", `{"Foo":{"updatedAt":1},"agent:main:FOO":{"updatedAt":2}}`, "agent:main:foo"},
		{"newer old spelling", `{"agent:main:foo":{"updatedAt":1},"Foo":{"updatedAt":2}}`, "agent:main:foo Foo"},
	} {
		g := bare(t, `{}`, tt.store)
		r, err := g.sessionsResolve(t.Context(), &call{conn: &conn{}}, protocol.SessionsResolveParams{Key: "foo"})
		if err != nil || r.Key != "agent:main:foo" {
			t.Errorf("%s: resolved to %q, %v", tt.name, r.Key, err)
		}
		st, err := g.stores.Store(r.Key)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		_ = st.View(func(v *sessions.Snapshot) error {
			for key := range v.All() {
				got = append(got, key)
			}
			return nil
		})
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: the keys are %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestUndoCreate(t *testing.T) {
	const made = `{"sessionId":"s","updatedAt":7,"label":"L"}`
	for _, tt := range []struct {
		name, now, old, want string
	}{
		{"new", made, "", ""},
		{"there before", made, `{"sessionId":"s","updatedAt":5}`, `{"sessionId":"s","updatedAt":5}`},
		{"patched meanwhile", `{"sessionId":"s","updatedAt":8,"label":"M"}`, `{"sessionId":"s","updatedAt":5}`, `{"sessionId":"s","updatedAt":8,"label":"M"}`},
		{"reset meanwhile", `{"sessionId":"t","updatedAt":7}`, "", `{"sessionId":"t","updatedAt":7}`},
	} {
		g := bare(t, `{}`, `{"agent:main:a":`+tt.now+`}`)
		st, err := g.stores.Store("agent:main:a")
		if err != nil {
			t.Fatal(err)
		}
		var old sessions.Entry
		if tt.old != "" {
			if old, err = sessions.ParseEntry([]byte(tt.old)); err != nil {
				t.Fatal(err)
			}
		}
		e, err := sessions.ParseEntry([]byte(made))
		if err != nil {
			t.Fatal(err)
		}
		if err := g.undoCreate(t.Context(), st, "agent:main:a", e, old, tt.old != ""); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		f, ok, err := g.stores.Lookup("a")
		got := string(f.Entry.Raw())
		if !ok {
			got = ""
		}
		if got != tt.want || err != nil {
			t.Errorf("%s: left %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
}

// What nobody hears is not built, and what many hear is built once: the work for
// an event does not grow with those who hear it.
func TestEventsAreBuiltOnceOrNotAtAll(t *testing.T) {
	g := bare(t, `{}`, `{"agent:main:a":{"sessionId":"s","updatedAt":5,"label":"L"}}`)
	appended := transcript.Appended{ID: "m", Seq: 1, Message: rawjson.Value(`{"role":"user"}`)}
	tell := map[string]func(){
		"method":  func() { g.publishChanged("agent:main:a", "patch") },
		"agent":   func() { g.publishUse("agent:main:a", "send") },
		"message": func() { g.hub.Publish(g.messageEvents("agent:main:a", appended)...) },
		"run": func() {
			g.hub.Publish(g.phaseEvents("agent:main:a", "start", "r", runTimes{Status: "running", StartedAt: 1})...)
		},
	}
	for name, f := range tell {
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s: %v allocations for nobody", name, n)
		}
	}
	listen := func(n int) {
		for i := range n {
			id := fmt.Sprint("c", i)
			g.hub.Add(id, deaf{protocol.NewScopeSet("operator.read")})
			g.hub.SubscribeSessions(id, true)
		}
	}
	listen(1)
	one := map[string]float64{}
	for name, f := range tell {
		if one[name] = testing.AllocsPerRun(100, f); one[name] == 0 {
			t.Errorf("%s: nothing is built for one who listens", name)
		}
	}
	listen(200)
	for name, f := range tell {
		if n := testing.AllocsPerRun(100, f); n > one[name]+2 {
			t.Errorf("%s: %v allocations for 200 who listen, %v for one", name, n, one[name])
		}
	}
}

// deaf hears everything and keeps nothing.
type deaf struct{ scopes protocol.ScopeSet }

func (d deaf) Scopes() protocol.ScopeSet { return d.scopes }
func (deaf) Role() string                { return protocol.RoleOperator }
func (deaf) Protocol() int               { return 3 }
func (deaf) Deliver(*hub.Frame)          {}

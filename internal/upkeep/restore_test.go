package upkeep

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// said is a transcript in which a user said something.
func said(text string) string {
	return head + `{"type":"message","id":"00000001","parentId":null,"message":{"role":"user","content":"` + text + `"}}` + "\n"
}

const stampText = "2026-01-05T10-00-00.000Z"

// texts are what was said in the conversations that there are: by a session's
// key without "agent:", or by the name of an archive without its time.
func (k Keeper) texts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, st := range k.Stores.All() {
		err := st.View(func(v *sessions.Snapshot) error {
			for key, e := range v.All() {
				first, _ := k.Transcripts.Look(runs.Ref(st, key, e)).Titles()
				out[strings.TrimPrefix(key, "agent:")] = first
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := k.Archives()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		first, err := k.Transcripts.FirstUser(a.Archived)
		if err != nil {
			t.Fatal(err)
		}
		out[a.Transcript+"."+a.Reason] = first
	}
	return out
}

// restore restores the archive with a name that begins so, to its own key if
// none is given.
func (k Keeper) restore(t *testing.T, begins, key string) (Restored, error) {
	t.Helper()
	list, err := k.Archives()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(a Archive) bool { return strings.HasPrefix(filepath.Base(a.Path), begins) })
	if i < 0 {
		t.Fatalf("no archive %s", begins)
	}
	if key == "" {
		key = list[i].Key
	}
	return k.Restore(t.Context(), list[i], key, "")
}

// gone takes a session out of its store as a client would.
func (k Keeper) gone(t *testing.T, key string) {
	t.Helper()
	st, err := k.Stores.Store(key)
	if err != nil {
		t.Fatal(err)
	}
	var old sessions.Entry
	err = st.Update(t.Context(), func(tx *sessions.Tx) error {
		old, _ = tx.Claim(key)
		tx.Delete(key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Archive(st, key, old, "deleted"); len(got) == 0 {
		t.Fatalf("nothing of %s was archived", key)
	}
}

func (k Keeper) entry(t *testing.T, key string) string {
	t.Helper()
	f, ok, err := k.Stores.Lookup(key)
	if err != nil || !ok {
		t.Fatalf("%s: %v, %v", key, ok, err)
	}
	return string(f.Entry.With(func(o *rawjson.Object) { o.Delete("updatedAt") }).Raw())
}

func TestRestoreWhatIsGone(t *testing.T) {
	for _, tt := range []struct {
		name, key, entry, file string
		to                     string // given key
		want                   string // entry
	}{
		{name: "usual", entry: `{"sessionId":"s","updatedAt":5,"label":"L","modelOverride":"m","spawnedBy":"p","x":1.50}`, file: "main/sessions/s.jsonl",
			want: `{"sessionId":"s","label":"L","modelOverride":"m","spawnedBy":"p","x":1.50}`},
		{name: "a run has said where", entry: `{"sessionId":"s","sessionFile":"DIR/agents/main/sessions/s.jsonl"}`, file: "main/sessions/s.jsonl", want: `{"sessionId":"s"}`},
		{name: "a name of its own", entry: `{"sessionId":"s","sessionFile":"sub/own.jsonl"}`, file: "main/sessions/sub/own.jsonl",
			want: `{"sessionId":"s","sessionFile":"DIR/agents/main/sessions/sub/own.jsonl"}`},
		{name: "with another agent's", entry: `{"sessionId":"s","sessionFile":"DIR/agents/ops/sessions/own.jsonl"}`, file: "ops/sessions/own.jsonl",
			want: `{"sessionId":"s","sessionFile":"DIR/agents/ops/sessions/own.jsonl"}`},
		{name: "under another key", entry: `{"sessionId":"s","label":"L"}`, file: "main/sessions/s.jsonl", to: "agent:main:new", want: `{"sessionId":"s","label":"L"}`},
		{name: "of another agent", entry: `{"sessionId":"s"}`, file: "main/sessions/s.jsonl", to: "agent:ops:new",
			want: `{"sessionId":"s","sessionFile":"DIR/agents/main/sessions/s.jsonl"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, `{agents: {list: [{id: "main"}, {id: "ops"}]}}`, map[string]string{
				"agents/main/sessions/sessions.json": `{"agent:main:a":` + tt.entry + `}`, "agents/" + tt.file: said("old"), "agents/ops/sessions/sessions.json": `{}`,
			})
			k.gone(t, "agent:main:a")
			r, err := k.restore(t, "", tt.to)
			if err != nil {
				t.Fatal(err)
			}
			key := tt.to
			if key == "" {
				key = "agent:main:a"
			}
			if got := strings.ReplaceAll(k.entry(t, key), k.Config.StateDir, "DIR"); got != tt.want {
				t.Errorf("entry %s, want %s", got, tt.want)
			}
			if want := filepath.Join(k.Config.StateDir, "agents", tt.file); r.Transcript != want || r.Existed || len(r.Archived) != 0 {
				t.Errorf("%+v, want it at %s", r, want)
			}
			if diff := cmp.Diff(map[string]string{strings.TrimPrefix(key, "agent:"): "old"}, k.texts(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a session holds when an archive of it comes back is kept in its turn,
// and so on.
func TestRestoreThereAndBack(t *testing.T) {
	k := open(t, `{}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:a":{"sessionId":"new","updatedAt":9,"label":"N","lastTo":"n"}}`, "agents/main/sessions/new.jsonl": said("new"),
		"agents/main/sessions/old.jsonl.reset." + stampText: said("old"),
	})
	st := k.main(t)
	if err := k.Records.Add(st, Record{Key: "agent:main:a", Reason: "reset", Archives: []string{filepath.Join(st.Dir(), "old.jsonl.reset."+stampText)},
		Entry: entryOf(t, `{"sessionId":"old","label":"O","totalTokens":7,"lastTo":"o"}`)}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		now, other := "old", "new"
		if i%2 == 1 {
			now, other = other, now
		}
		r, err := k.restore(t, now, "")
		if err != nil {
			t.Fatal(err)
		}
		if !r.Existed || len(r.Archived) != 1 || r.LabelTaken != "" {
			t.Errorf("%+v", r)
		}
		if diff := cmp.Diff(map[string]string{"main:a": now, other + ".jsonl.reset": other}, k.texts(t)); diff != "" {
			t.Error(diff)
		}
		tokens := map[string]string{"old": `{"sessionId":"old","label":"N","totalTokens":7,"lastTo":"n","deliveryContext":{"to":"n"}}`, "new": `{"sessionId":"new","label":"N","lastTo":"n","deliveryContext":{"to":"n"}}`}
		if got := k.entry(t, "agent:main:a"); got != tokens[now] {
			t.Errorf("entry %s", got)
		}
	}
}

// A transcript in which nothing was said yet is in nobody's way, unless it is
// that of another session.
func TestRestoreOverABlankFile(t *testing.T) {
	k := open(t, `{}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:b":{"sessionId":"b"}}`, "agents/main/sessions/a.jsonl": head, "agents/main/sessions/b.jsonl": head,
		"agents/main/sessions/a.jsonl.reset." + stampText: said("a"), "agents/main/sessions/b.jsonl.reset." + stampText: said("b"),
	})
	if r, err := k.restore(t, "a", "agent:main:a"); err != nil || !strings.HasSuffix(r.Transcript, "/a.jsonl") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := k.restore(t, "b", "agent:main:new"); err == nil || err.Error() != "session agent:main:new has another transcript already" {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{"main:a": "a", "main:b": "", "b.jsonl.reset": "b"}, k.texts(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRestoreRefuses(t *testing.T) {
	k := open(t, `{agents: {list: [{id: "main"}, {id: "ops"}]}, session: {store: "DIR/{agentId}/s/all.json"}}`, map[string]string{
		"main/s/all.json": `{"agent:main:a":{"sessionId":"a"},"agent:main:b":{"sessionId":"b","label":"L"},"agent:main:c":{"sessionId":"c"}}`, "main/s/b.jsonl": said("b"),
		"main/s/s.jsonl.deleted." + stampText: said("s"), "main/s/b.jsonl.reset." + stampText: said("b before"), "main/s/c.jsonl.bak." + stampText: said("c"), "ops/s/all.json": `{}`,
	})
	before := k.texts(t)
	for _, tt := range []struct{ archive, key, expected, want string }{
		{"s", "agent:main:a", "", "session already exists: agent:main:a"},
		{"s", "agent:main:new", "x", "Session agent:main:new changed before restore: session id x was expected, but it has none. Read the session again before you decide."},
		{"b", "agent:main:b", "x", "Session agent:main:b changed before restore: session id x was expected, but it has b. Read the session again before you decide."},
		{"s", "agent:ops:new", "", "archive lies where session agent:ops:new cannot have its transcript: DIR/main/s/s.jsonl.deleted." + stampText},
		{"b", "agent:main:new", "", "session agent:main:new has another transcript already"},
	} {
		list, err := k.Archives()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(a Archive) bool { return a.SessionID == tt.archive })
		_, err = k.Restore(t.Context(), list[i], tt.key, tt.expected)
		e, ok := errors.AsType[*protocol.Error](err)
		if want := strings.ReplaceAll(tt.want, "DIR", k.Config.StateDir); !ok || e.Message != want || e.Code != protocol.InvalidRequest {
			t.Errorf("%s to %s: %v, want %s", tt.archive, tt.key, err, want)
		}
		if diff := cmp.Diff(before, k.texts(t)); diff != "" {
			t.Errorf("%s to %s: %s", tt.archive, tt.key, diff)
		}
	}
	list, err := k.Archives()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(list[0].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Restore(t.Context(), list[0], "agent:main:new", ""); err == nil || err.Error() != "unknown archive: "+list[0].Path {
		t.Errorf("of one that is gone: %v", err)
	}
}

func TestRestoreLosesATakenLabel(t *testing.T) {
	k := open(t, `{}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:a":{"sessionId":"a","label":"L"}}`, "agents/main/sessions/a.jsonl": said("a"),
	})
	k.gone(t, "agent:main:a")
	err := k.main(t).Update(t.Context(), func(tx *sessions.Tx) error {
		tx.Put("agent:main:b", entryOf(t, `{"label":"L"}`))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.restore(t, "a", "")
	if err != nil || r.LabelTaken != "L" || r.Entry.Text("label") != "" || k.entry(t, "agent:main:a") != `{"sessionId":"a"}` {
		t.Errorf("%+v, %v", r, err)
	}
}

// An archive by whose name nothing is known gets a session id and, where a
// transcript must not have its name, another name.
func TestRestoreOddNames(t *testing.T) {
	for name, own := range map[string]bool{"notes.txt": true, "x.json": false} {
		k := open(t, `{}`, map[string]string{"agents/main/sessions/" + name + ".reset." + stampText: said("odd"), "agents/main/sessions/sessions.json": `{}`})
		r, err := k.restore(t, name, "agent:main:a")
		if err != nil {
			t.Fatal(err)
		}
		want := name
		if !own {
			want = r.Entry.SessionID() + ".jsonl"
		}
		if filepath.Base(r.Transcript) != want || r.Entry.SessionID() == "" || k.texts(t)["main:a"] != "odd" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Of several that want one archive one gets it, the others hear why not, and
// nothing of theirs has changed.
func TestRestoreOnce(t *testing.T) {
	k := open(t, `{}`, map[string]string{"agents/main/sessions/a.jsonl.reset." + stampText: said("a"), "agents/main/sessions/sessions.json": `{}`})
	list, err := k.Archives()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	faults := make([]error, 8)
	for i := range faults {
		wg.Go(func() { _, faults[i] = k.Restore(t.Context(), list[0], fmt.Sprintf("agent:main:%d", i), "") })
	}
	wg.Wait()
	won := 0
	for _, err := range faults {
		if err == nil {
			won++
		} else if err.Error() != "unknown archive: "+list[0].Path {
			t.Error(err)
		}
	}
	if texts := k.texts(t); won != 1 || len(texts) != 1 {
		t.Errorf("%d got it: %v", won, texts)
	}
}

// restoreLife is a session that was reset and has gone on, one that is gone,
// and an archive of which nothing is recorded.
func restoreLife(t *testing.T, dir string) {
	t.Helper()
	prepare(t, dir, map[string]string{
		"agents/main/sessions/sessions.json":                   `{"agent:main:a":{"sessionId":"new","updatedAt":9},"agent:main:g":{"sessionId":"gone","updatedAt":9,"label":"G"}}`,
		"agents/main/sessions/new.jsonl":                       said("new"),
		"agents/main/sessions/gone.jsonl":                      said("gone"),
		"agents/main/sessions/old.jsonl.reset." + stampText:    said("old"),
		"agents/main/sessions/bare.jsonl.deleted." + stampText: said("bare"),
	})
	k := openOn(t, dir, `{}`, nil)
	defer func() {
		if err := k.Stores.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	st := k.main(t)
	if err := k.Records.Add(st, Record{Key: "agent:main:a", Reason: "reset", Archives: []string{filepath.Join(st.Dir(), "old.jsonl.reset."+stampText)}, Entry: entryOf(t, `{"sessionId":"old"}`)}); err != nil {
		t.Fatal(err)
	}
	k.gone(t, "agent:main:g")
}

var lifeRestores = []struct{ archive, key string }{{"old", "agent:main:a"}, {"gone", "agent:main:g"}, {"bare", "agent:main:b"}}

// checkLife looks at what is left: every conversation is somewhere, once, and
// all that were to be restored can be.
func checkLife(t *testing.T, dir string, done int) {
	t.Helper()
	k := openOn(t, dir, `{}`, nil)
	defer func() {
		if err := k.Stores.Close(); err != nil {
			t.Error(err)
		}
	}()
	texts := k.texts(t)
	there := slices.Sorted(maps.Values(texts))
	there = slices.DeleteFunc(slices.Compact(there), func(s string) bool { return s == "" })
	if want := []string{"bare", "gone", "new", "old"}; !slices.Equal(there, want) {
		t.Errorf("after %d restores left are %v", done, texts)
		return
	}
	for i, r := range lifeRestores {
		short := strings.TrimPrefix(r.key, "agent:")
		if texts[short] == r.archive && texts[r.archive+".jsonl.reset"]+texts[r.archive+".jsonl.deleted"] == "" {
			continue
		}
		if i < done {
			t.Errorf("%s was restored and is not there: %v", r.archive, texts)
		}
		if _, err := k.restore(t, r.archive, r.key); err != nil {
			t.Errorf("%s again: %v, left were %v", r.archive, err, texts)
		}
	}
	want := map[string]string{"main:a": "old", "main:g": "gone", "main:b": "bare", "new.jsonl.reset": "new"}
	if diff := cmp.Diff(want, k.texts(t)); diff != "" {
		t.Errorf("%s: left were %v", diff, texts)
	}
	if got := k.entry(t, "agent:main:g"); got != `{"sessionId":"gone","label":"G"}` {
		t.Errorf("entry of the session that was gone: %s", got)
	}
	for _, key := range []string{"agent:main:a", "agent:main:g", "agent:main:b"} {
		f, _, err := k.Stores.Lookup(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Transcripts.Append(runs.Ref(f.Store, key, f.Entry), "/", transcript.Line{Type: "custom"}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(want, k.texts(t)); diff != "" {
		t.Errorf("appended to: %s", diff)
	}
}

func runLife(t *testing.T, k Keeper, restores int, done func()) error {
	for _, r := range lifeRestores[:restores] {
		if _, err := k.restore(t, r.archive, r.key); err != nil {
			return err
		}
		done()
	}
	return nil
}

func TestFaultsOfRestore(t *testing.T) {
	done := 0
	disktest.EachFaultAfter(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		restoreLife(t, dir)
		done = 0
		k := openOn(t, dir, `{}`, fs)
		defer func() {
			if err := k.Stores.Close(); err != nil {
				t.Log(err)
			}
		}()
		arm()
		return runLife(t, k, 2, func() { done++ })
	}, func(t *testing.T, dir string, _ error) { checkLife(t, dir, done) })
}

func TestPowerCutsOfRestore(t *testing.T) {
	dir := t.TempDir()
	restoreLife(t, dir)
	rec := disktest.Record(t, dir)
	k := openOn(t, dir, `{}`, rec.FS())
	if err := runLife(t, k, 3, func() { rec.Mark(true) }); err != nil {
		t.Fatal(err)
	}
	if err := k.Stores.Close(); err != nil {
		t.Fatal(err)
	}
	n := disktest.PowerCuts(t, rec, cutOptions, func(dir string, marks []any) error {
		checkLife(t, dir, len(marks))
		return nil
	})
	t.Logf("%d states", n)
}

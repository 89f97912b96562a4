package sessions

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyd/parley/internal/rawjson"
)

// walked is the combined view made by walking all entries once: what Combined
// finds by the indexes must be the same.
type walked struct {
	sessions []*Session
	byKey    map[string]*Session
	children map[string][]string
}

func walk(keys Keys, stores []*Store, views []*Snapshot) *walked {
	w := &walked{byKey: map[string]*Session{}, children: map[string][]string{}}
	for i, v := range views {
		for key, e := range v.All() {
			if was := e.Text("spawnedBy"); was != "" {
				e = e.With(func(o *rawjson.Object) { o.Put("spawnedBy", keys.spawner(was, v.agent)) })
			}
			at, _ := e.Number("updatedAt")
			w.add(&Session{Key: stored(key, v.agent), Store: stores[i], Entry: e, UpdatedAt: at})
		}
	}
	for _, s := range w.sessions {
		for _, p := range parentsOf(s.Entry) {
			if p != s.Key {
				w.children[p] = append(w.children[p], s.Key)
			}
		}
	}
	return w
}

// add takes in one entry; of two with one key the fields of the newer win,
// those of the later read when they are equally old.
func (w *walked) add(s *Session) {
	old, ok := w.byKey[s.Key]
	if !ok {
		w.byKey[s.Key] = s
		w.sessions = append(w.sessions, s)
		return
	}
	winner, loser := s, old
	if old.UpdatedAt > s.UpdatedAt {
		winner, loser = old, s
	}
	e := loser.Entry.With(func(o *rawjson.Object) {
		for name, v := range winner.Entry.Fields().All() {
			o.Set(name, v)
		}
	})
	*old = Session{Key: s.Key, Store: winner.Store, Entry: e, UpdatedAt: winner.UpdatedAt}
}

func (w *walked) recent() []*Session {
	out := slices.Clone(w.sessions)
	slices.SortStableFunc(out, func(a, b *Session) int {
		switch {
		case a.UpdatedAt > b.UpdatedAt:
			return -1
		case a.UpdatedAt < b.UpdatedAt:
			return 1
		}
		return 0
	})
	return out
}

// texts are the values that the fields of random entries have. They meet often:
// in several spellings, and as what is no string.
var texts = map[string][]string{
	"updatedAt":        {"", "", "0", "1", "2", "3", "-1", `"2"`, "null"},
	"label":            {"", `"one"`, `"two"`, `"TWO"`, `""`, "null", "7"},
	"sessionId":        {"", `"s1"`, `"s2"`, `"agent:main:a"`, `"b"`, "null"},
	"spawnedBy":        {"", "", `"main"`, `" A "`, `"agent:Main:a"`, `"agent:ops:b"`, `"global"`, `" "`, `""`, "null"},
	"parentSessionKey": {"", "", `"agent:main:a"`, `" agent:ops:b "`, `"a"`, `"global"`, "null"},
	"displayName":      {"", "", "", `"One two"`, `""`, "null", "3"},
	"subject":          {"", "", "", `"S1"`},
	"channel":          {"", "", "", `"slack"`},
	"origin":           {"", "", "", `{"label":"Two"}`, "7"},
}

// storedKeys and storedKey's results are some spellings of a few keys.
var storedKeys = []string{
	"a", "A", "agent:main:a", "Agent:Main:A", "agent:ops:a", "b", "agent:ops:B", "agent:ops:b", "agent:main:b",
	"global", "Global", "unknown", "main", "agent:main:main", "agent:list:x", "agent:", "", "cron:j:run:1", "agent:ops:cron:J:run:2", "cron:j", "agent:my list:x",
}

// randomEntry is the text of an entry with fields in any order.
func randomEntry(t *rapid.T) string {
	var fields []string
	for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(texts))).Draw(t, "fields") {
		if text := rapid.SampledFrom(texts[name]).Draw(t, name); text != "" {
			fields = append(fields, fmt.Sprintf("%q:%s", name, text))
		}
	}
	return fmt.Sprintf(`{%s%s"x":%d}`, strings.Join(fields, ","), ","[:min(len(fields), 1)], rapid.IntRange(0, 9).Draw(t, "x"))
}

// randomView is a content that was read from a file and changed some times.
func randomView(t *rapid.T, keys Keys, agent string) *Snapshot {
	var members []string
	for range rapid.IntRange(0, 8).Draw(t, "members") {
		value := rapid.SampledFrom([]string{"null", "[1]", "3", "", "", "", "", ""}).Draw(t, "value")
		if value == "" {
			value = randomEntry(t)
		}
		members = append(members, fmt.Sprintf("%q:%s", rapid.SampledFrom(storedKeys).Draw(t, "key"), value))
	}
	v, err := parseText([]byte("{"+strings.Join(members, ",")+"}"), keys, agent)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		v = v.clone()
		key := rapid.SampledFrom(storedKeys).Draw(t, "key")
		if old := v.record(key); old != nil && rapid.Bool().Draw(t, "delete") {
			v.replace(old, nil)
			continue
		}
		e, err := ParseEntry(rawjson.Value(randomEntry(t)))
		if err != nil {
			t.Fatal(err)
		}
		v.put(key, e)
	}
	checkCounts(t, v)
	return v
}

// described is what is known of sessions, to be compared.
func described(list []*Session) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s %s %v %s", s.Key, s.Store.path, s.UpdatedAt, s.Entry.Raw()))
	}
	return out
}

// TestCombinedByIndexesIsThatByWalking fails when an index does not find what is
// there, or finds what a newer entry of the same key hides.
func TestCombinedByIndexesIsThatByWalking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := Keys{DefaultAgent: "main", Global: rapid.Bool().Draw(t, "global")}
		var stores []*Store
		var views []*Snapshot
		for i := range rapid.IntRange(0, 3).Draw(t, "stores") {
			agent := rapid.SampledFrom([]string{"main", "ops"}).Draw(t, "agent")
			stores = append(stores, &Store{path: fmt.Sprint("store", i), agent: agent})
			views = append(views, randomView(t, keys, agent))
		}
		c, w := combine(keys, stores, views), walk(keys, stores, views)
		equal := func(what string, got, want []*Session) {
			t.Helper()
			if got, want := described(got), described(want); !slices.Equal(got, want) {
				t.Fatalf("%s\n got %q\nwant %q", what, got, want)
			}
		}
		equal("all", slices.Collect(c.All()), w.sessions)
		equal("recent", slices.Collect(c.Recent()), w.recent())
		for n := range len(w.sessions) {
			var first []*Session
			for s := range c.Recent() {
				if first = append(first, s); len(first) > n {
					break
				}
			}
			equal("first of recent", first, w.recent()[:n+1])
		}
		compareLookups(t, c, w)
		for range 4 {
			compareList(t, c, w, randomFilter(t))
		}
	})
}

// checkCounts fails when what a snapshot counts as it changes is not what stands
// in it.
func checkCounts(t interface{ Fatalf(string, ...any) }, v *Snapshot) {
	jobs, aliens := 0, 0
	v.recent.Scan(func(r *record) bool {
		if CronRun(r.canon) {
			jobs++
		}
		if agent, _, ok := ParseKey(r.canon); !ok || NormalizeAgentID(agent) != v.agent {
			aliens++
		}
		return true
	})
	if n := v.countRespelt(); v.respelt != n || v.jobs != jobs || v.aliens != aliens {
		t.Fatalf("%d entries with another spelling before them, %d of jobs, %d of other agents; it counted %d, %d, %d",
			n, jobs, aliens, v.respelt, v.jobs, v.aliens)
	}
}

func randomFilter(t *rapid.T) Filter {
	seldom := func(name string, some ...string) string {
		if rapid.IntRange(0, 2).Draw(t, "no "+name) > 0 {
			return ""
		}
		return rapid.SampledFrom(some).Draw(t, name)
	}
	return Filter{
		Global: rapid.Bool().Draw(t, "includeGlobal"), Unknown: rapid.Bool().Draw(t, "includeUnknown"),
		Agent:     seldom("agent", "main", "ops", "list", "my-list", "nobody"),
		SpawnedBy: seldom("spawner", "agent:main:a", "agent:main:main", "global", "x"),
		Label:     seldom("label", "one", "TWO", "x"),
		Search:    seldom("search", "one", "s1", "agent:main", "two", "slack", "x", "\x00", "s1agent"),
		Since:     float64(rapid.IntRange(0, 3).Draw(t, "since")),
	}
}

// compareList holds a list and its count against the rules, one by one.
func compareList(t *rapid.T, c *Combined, w *walked, f Filter) {
	t.Helper()
	want := slices.DeleteFunc(w.recent(), func(s *Session) bool {
		agent, rest, parsed := ParseKey(s.Key)
		job := strings.Split(rest, ":")
		special := s.Key == "global" || s.Key == "unknown"
		name, _ := rawjson.Text(DisplayName(s.Key, s.Entry))
		hit := f.Search == ""
		for _, text := range []string{name, s.Entry.Text("label"), s.Entry.Text("subject"), s.Entry.SessionID(), s.Key} {
			hit = hit || strings.Contains(strings.ToLower(text), f.Search)
		}
		return len(job) == 4 && job[0] == "cron" && job[2] == "run" ||
			s.Key == "global" && !f.Global || s.Key == "unknown" && !f.Unknown ||
			special && (f.Agent != "" || f.SpawnedBy != "") ||
			f.Agent != "" && (!parsed || NormalizeAgentID(agent) != f.Agent) ||
			f.SpawnedBy != "" && s.Entry.Text("spawnedBy") != f.SpawnedBy ||
			f.Label != "" && s.Entry.Text("label") != f.Label ||
			!hit || f.Since != 0 && s.UpdatedAt < f.Since
	})
	if n := c.Count(f); n != len(want) {
		t.Fatalf("%+v: counted %d, want %d", f, n, len(want))
	}
	for skip := range len(want) + 2 {
		got, want := described(slices.Collect(c.List(f, skip))), described(want[min(skip, len(want)):])
		if !slices.Equal(got, want) {
			t.Fatalf("%+v without %d\n got %q\nwant %q", f, skip, got, want)
		}
	}
}

func compareLookups(t *rapid.T, c *Combined, w *walked) {
	t.Helper()
	equal := func(what, of string, got []*Session, is func(*Session) bool) {
		t.Helper()
		want := slices.DeleteFunc(w.recent(), func(s *Session) bool { return !is(s) })
		if got, want := described(got), described(want); !slices.Equal(got, want) {
			t.Fatalf("%s %s\n got %q\nwant %q", what, of, got, want)
		}
	}
	for _, key := range append([]string{"s1", "s2", "agent:main:", "agent:ops:main", "agent:ops:global"}, storedKeys...) {
		var got []*Session
		if s, ok := c.Get(key); ok {
			got = append(got, s)
		}
		equal("key", key, got, func(s *Session) bool { return s.Key == key })
		if got, want := c.Children(key), w.children[key]; key != "" && !slices.Equal(got, want) {
			t.Fatalf("children of %s: %q, want %q", key, got, want)
		}
		equal("spawned by", key, c.SpawnedBy(key), func(s *Session) bool { return key != "" && s.Entry.Text("spawnedBy") == key })
		if key != "" {
			equal("session id", key, c.WithSessionID(key), func(s *Session) bool { return s.Entry.SessionID() == key })
			equal("id", key, c.Identified(key), func(s *Session) bool { return s.Entry.SessionID() == key || s.Key == key })
		}
	}
	for _, label := range []string{"one", "two", "TWO"} {
		equal("label", label, c.WithLabel(label), func(s *Session) bool { return s.Entry.Text("label") == label })
	}
	with := map[*Store]bool{}
	for _, s := range w.sessions {
		with[s.Store] = true
	}
	if got := c.Stores(); len(got) != len(with) || slices.ContainsFunc(got, func(st *Store) bool { return !with[st] }) {
		t.Fatalf("%d stores, want %d", len(got), len(with))
	}
}

// The view is made anew when anything changed, and only then.
func TestCombinedIsKept(t *testing.T) {
	c := configured(t, `{}`)
	write := func(agent, text string) {
		writeFile(t, filepath.Join(c.StateDir, "agents", agent, "sessions", "sessions.json"), text)
	}
	write("main", `{"agent:main:a":{"sessionId":"1","updatedAt":1}}`)
	s := openTest(t, c, Options{})
	last := s.Combined()
	expect := func(when string, fresh bool, want ...string) {
		t.Helper()
		now := s.Combined()
		if got := combinedKeys(t, s); (now != last) != fresh || !slices.Equal(got, want) {
			t.Errorf("%s: made anew: %v, want %v; %v, want %v", when, now != last, fresh, got, want)
		}
		last = now
	}
	expect("at once", false, "agent:main:a=1")
	st, err := s.Store("agent:main:a")
	if err != nil {
		t.Fatal(err)
	}
	if err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"sessionId":"2","updatedAt":2}`)); err != nil {
		t.Fatal(err)
	}
	expect("after a change", true, "agent:main:a=2")
	expect("after nothing", false, "agent:main:a=2")
	write("ops", `{"x":{"sessionId":"3","updatedAt":1}}`)
	expect("after another program made a store", true, "agent:main:a=2", "agent:ops:x=3")
	write("ops", `{"x":{"sessionId":"4","updatedAt":1}}`)
	expect("after another program wrote to it", true, "agent:main:a=2", "agent:ops:x=4")
	if err := os.RemoveAll(filepath.Join(c.StateDir, "agents", "ops")); err != nil {
		t.Fatal(err)
	}
	expect("after it was removed", true, "agent:main:a=2")
}

// A Glance shows what the stores held when it looked first.
func TestGlance(t *testing.T) {
	c := configured(t, `{}`)
	path := filepath.Join(c.StateDir, "agents", "main", "sessions", "sessions.json")
	writeFile(t, path, `{"agent:main:a":{"sessionId":"1"},"B":{"sessionId":"2"},"agent:main:b":{"sessionId":"3","updatedAt":9}}`)
	writeFile(t, filepath.Join(c.StateDir, "agents", "Big Name", "sessions", "sessions.json"), `{"x":{"sessionId":"5"}}`)
	s := openTest(t, c, Options{})
	g := s.Glance()
	expect := func(g *Glance, key, want string) {
		t.Helper()
		if f, _, err := g.Lookup(key); err != nil || f.Entry.SessionID() != want {
			t.Errorf("%s: %+v, %v, want %q", key, f, err, want)
		}
	}
	expect(g, "a", "1")
	expect(g, "agent:main:B", "3")
	expect(g, "agent:big-name:x", "5")
	expect(g, "agent:main:c", "")
	writeFile(t, path, `{"agent:main:c":{"sessionId":"6"}}`)
	expect(g, "a", "1")
	expect(g, "agent:main:c", "")
	expect(s.Glance(), "agent:main:c", "6")
	expect(s.Glance(), "a", "")
}

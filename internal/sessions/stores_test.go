package sessions

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func combinedKeys(t *testing.T, s *Stores) []string {
	t.Helper()
	var out []string
	for x := range s.Combined().Recent() {
		out = append(out, fmt.Sprintf("%s=%s", x.Key, x.Entry.SessionID()))
	}
	return out
}

func TestCombinedOfManyAgents(t *testing.T) {
	c := configured(t, `{}`)
	agent := func(dir, text string) {
		writeFile(t, filepath.Join(c.StateDir, "agents", dir, "sessions", "sessions.json"), text)
	}
	agent("main", `{"agent:main:main":{"sessionId":"1","updatedAt":50},"agent:ops:stray":{"sessionId":"2","updatedAt":40,"thinkingLevel":"low"},"n":null}`)
	agent("ops", `{"agent:ops:stray":{"sessionId":"9","updatedAt":10,"model":"m2"},"Plain":{"sessionId":"4","updatedAt":30,"spawnedBy":"main"}}`)
	agent("broken", `{not json`)
	agent("list", `[]`)
	agent("Big Name", `{"x":{"sessionId":"5","updatedAt":20}}`)
	agent("Main", `{"y":{"sessionId":"6"}}`)
	outside := filepath.Join(c.StateDir, "outside.json")
	writeFile(t, outside, `{"z":{}}`)
	if err := os.MkdirAll(filepath.Join(c.StateDir, "agents", "link", "sessions"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(c.StateDir, "agents", "link", "sessions", "sessions.json")); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, c, Options{})
	want := []string{"agent:main:main=1", "agent:ops:stray=2", "agent:ops:plain=4", "agent:big-name:x=5"}
	if got := combinedKeys(t, s); !slices.Equal(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	all := s.Combined()
	stray, _ := all.Get("agent:ops:stray")
	if got, want := string(stray.Entry.Raw()), `{"sessionId":"2","updatedAt":40,"model":"m2","thinkingLevel":"low"}`; got != want {
		t.Errorf("merged %s, want %s", got, want)
	}
	plain, _ := all.Get("agent:ops:plain")
	if got := plain.Entry.Text("spawnedBy"); got != "agent:ops:main" {
		t.Errorf("spawnedBy %s", got)
	}
	if s.Path() != "(multiple)" {
		t.Errorf("path %s", s.Path())
	}
	// A session in an oddly named directory is changed where it lies.
	f, ok, err := s.Lookup("agent:big-name:x")
	if err != nil || !ok || f.Store.Dir() != filepath.Join(c.StateDir, "agents", "Big Name", "sessions") {
		t.Errorf("found %+v, %v, %v", f, ok, err)
	}
	// A single session is that of its agent's file alone.
	if f, _, _ := s.Lookup("agent:ops:stray"); f.Entry.SessionID() != "9" {
		t.Errorf("stray: %s", f.Entry.Raw())
	}
	if f, ok, _ := s.Lookup("agent:ops:PLAIN"); !ok || f.StoredKey != "Plain" {
		t.Errorf("bare key: %+v", f)
	}
}

// A session is listed as soon as it is durable, be its agent known by nothing
// else than a journal: before the first checkpoint and after a crash.
func TestStoreOfWhichThereIsOnlyTheJournal(t *testing.T) {
	c := configured(t, `{}`)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:fresh:x")
	if err != nil {
		t.Fatal(err)
	}
	st.checkpoints.byHand = true
	if err := set(t.Context(), st, "agent:fresh:x", entryOf(t, `{"sessionId":"1"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(st.Path()); !os.IsNotExist(err) {
		t.Fatalf("there is a file: %v", err)
	}
	want := []string{"agent:fresh:x=1"}
	if got := combinedKeys(t, s); !slices.Equal(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	crashed := configured(t, `{}`)
	if err := os.CopyFS(crashed.StateDir, os.DirFS(c.StateDir)); err != nil {
		t.Fatal(err)
	}
	if got := combinedKeys(t, openTest(t, crashed, Options{})); !slices.Equal(got, want) {
		t.Errorf("combined after a crash %v, want %v", got, want)
	}
}

// A directory of the stores may be a link to another one of them, but none that
// leads out.
func TestLinksToStores(t *testing.T) {
	c := configured(t, `{}`)
	agents, outside := filepath.Join(c.StateDir, "agents"), t.TempDir()
	writeFile(t, filepath.Join(agents, "ops", "sessions", "sessions.json"), `{"x":{"sessionId":"1"}}`)
	writeFile(t, filepath.Join(outside, "sessions", "sessions.json"), `{"y":{"sessionId":"2"}}`)
	for at, to := range map[string]string{
		"alias": filepath.Join(agents, "ops"), "out": outside, "deep/sessions": filepath.Join(agents, "ops", "sessions"), "gone/sessions": "nothing",
		"deepout/sessions": filepath.Join(outside, "sessions"), "home": agents,
	} {
		at = filepath.Join(agents, at)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.Symlink(to, at)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"agent:alias:x=1", "agent:deep:x=1", "agent:ops:x=1"}
	if got := combinedKeys(t, openTest(t, c, Options{})); !slices.Equal(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	// That the state directory is a link itself does not matter.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(c.StateDir, link); err != nil {
		t.Fatal(err)
	}
	c.StateDir = link
	if got := combinedKeys(t, openTest(t, c, Options{})); !slices.Equal(got, want) {
		t.Errorf("combined behind a link %v, want %v", got, want)
	}
}

func TestFixedFile(t *testing.T) {
	c := configured(t, `{session: {store: "~/one.json"}}`)
	writeFile(t, filepath.Join(c.Home, "one.json"), `{"bare":{"sessionId":"1"},"agent:ops:x":{"sessionId":"2"}}`)
	writeFile(t, filepath.Join(c.StateDir, "agents", "ops", "sessions", "sessions.json"), `{"agent:ops:y":{"sessionId":"3"}}`)
	s := openTest(t, c, Options{})
	if got, want := combinedKeys(t, s), []string{"agent:main:bare=1", "agent:ops:x=2"}; !slices.Equal(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	if got, want := s.Path(), filepath.Join(c.Home, "one.json"); got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	st, err := s.Store("agent:ops:x")
	if err != nil || st.Path() != s.Path() || st.Agent() != "main" {
		t.Errorf("store %v, %v", st.Path(), err)
	}
}

func TestTemplate(t *testing.T) {
	c := configured(t, `{session: {store: "~/stores/a-{agentId}/s.json"}, agents: {list: [{id: "main"}, {id: "ops"}]}}`)
	writeFile(t, filepath.Join(c.Home, "stores", "a-main", "s.json"), `{"agent:main:main":{"sessionId":"1","updatedAt":4}}`)
	writeFile(t, filepath.Join(c.Home, "stores", "a-ghost", "s.json"), `{"g":{"sessionId":"2","updatedAt":3}}`)
	writeFile(t, filepath.Join(c.StateDir, "agents", "disk", "sessions", "sessions.json"), `{"agent:disk:x":{"sessionId":"3","updatedAt":2}}`)
	s := openTest(t, c, Options{})
	// Agents that only the disk knows are listed, be it by the template.
	if got, want := combinedKeys(t, s), []string{"agent:main:main=1", "agent:ghost:g=2", "agent:disk:x=3"}; !slices.Equal(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	if got, want := s.Path(), "~/stores/a-{agentId}/s.json"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	for key, want := range map[string]string{
		"agent:disk:x":   filepath.Join(c.StateDir, "agents", "disk", "sessions", "sessions.json"),
		"agent:disk:new": filepath.Join(c.Home, "stores", "a-disk", "s.json"),
		"agent:ops:new":  filepath.Join(c.Home, "stores", "a-ops", "s.json"),
	} {
		st, err := s.Store(key)
		if err != nil || st.Path() != want {
			t.Errorf("%s lies in %s, %v; want %s", key, st.Path(), err, want)
		}
	}
}

func TestChildren(t *testing.T) {
	c := configured(t, `{}`)
	agent := func(dir, text string) {
		writeFile(t, filepath.Join(c.StateDir, "agents", dir, "sessions", "sessions.json"), text)
	}
	agent("main", `{"agent:main:main":{"updatedAt":1,"spawnedBy":"main"},"agent:main:c2":{"spawnedBy":" main "},"agent:main:c3":{"spawnedBy":"AGENT:Main:Main","parentSessionKey":"agent:main:main"},
		"agent:main:d":{"parentSessionKey":"main"},"agent:main:e":{"parentSessionKey":" agent:main:main ","spawnedBy":"agent:main:c2"}}`)
	agent("ops", `{"agent:ops:k":{"spawnedBy":"agent:main:main"},"agent:ops:j":{"spawnedBy":"main"}}`)
	s := openTest(t, c, Options{})
	want := []string{"agent:main:c2", "agent:main:c3", "agent:main:e", "agent:ops:k"}
	if got := s.Combined().Children("agent:main:main"); !slices.Equal(got, want) {
		t.Errorf("children %v, want %v", got, want)
	}
}

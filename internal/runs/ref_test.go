package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyd/parley/internal/sessions"
)

// writeFile makes a file and its directory.
func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAgentOfARef(t *testing.T) {
	bubble(t, func(t *testing.T) {
		state := t.TempDir()
		for _, tt := range []struct{ settings, store, key, want string }{
			{"{}", "agent:main:x", "agent:main:x", "main"},
			{"{}", "agent:ops:x", "agent:ops:x", "ops"},
			{"{}", "agent:ops:x", "x", "ops"}, // as it may stand in the file
			{"{}", "agent:ops:x", "global", "ops"},
			{`{session:{store:"` + state + `/one.json"}}`, "agent:ops:x", "agent:ops:x", "ops"},
			{`{session:{store:"` + state + `/one.json"}}`, "agent:ops:x", "Agent:OPS:x", "ops"},
			{`{session:{store:"` + state + `/one.json"}}`, "agent:ops:x", "x", "main"},
		} {
			b := newBench(t, state, tt.settings)
			st, err := b.stores.Store(tt.store)
			if err != nil {
				t.Fatal(err)
			}
			if got := Ref(st, tt.key, sessions.Entry{}).Agent; got != tt.want {
				t.Errorf("%s: key %s in the store of %s is of agent %q, want %q", tt.settings, tt.key, tt.store, got, tt.want)
			}
			b.stop()
		}
	})
}

// In a fixed store lie the sessions of all agents; a transcript may lie in the
// usual directory of the session's agent.
func TestTranscriptOfAnotherAgentInAFixedStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		state := t.TempDir()
		writeFile(t, filepath.Join(state, "all", "sessions.json"), `{"agent:ops:x":{"sessionId":"s-ops","updatedAt":1}}`)
		usual := filepath.Join(state, "agents", "ops", "sessions", "s-ops.jsonl")
		writeFile(t, usual, `{"type":"session","version":3,"id":"s-ops"}
{"type":"message","id":"a1","message":{"role":"user","content":"from before"}}
`)
		b := newBench(t, state, `{session:{store:"`+state+`/all/sessions.json",resetByType:{direct:{mode:"idle",idleMinutes:999999999}}}}`)
		equal(t, "messages", b.messages("agent:ops:x"), []string{"user  from before"})
		if err := b.BeginAnew(t.Context(), Chat, "agent:ops:x"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(usual); !os.IsNotExist(err) {
			t.Errorf("the retired transcript was not archived: %v", err)
		}
	})
}

// A transcript that two entries name stays when one of them begins anew.
func TestSharedTranscriptIsNotArchived(t *testing.T) {
	for name, file := range map[string]string{
		"in the directory of the store": "shared.jsonl",
		"in a directory below":          "sub/shared.jsonl",
		"of a sibling agent":            "../../ops/sessions/shared.jsonl",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				state := t.TempDir()
				dir := filepath.Dir(journalOf(state))
				shared := filepath.Join(dir, file)
				writeFile(t, shared, `{"type":"session","version":3,"id":"s-a"}
{"type":"message","id":"a1","message":{"role":"user","content":"of both"}}
`)
				entry := func(id string) string { return `{"sessionId":"` + id + `","sessionFile":"` + shared + `"}` }
				writeFile(t, filepath.Join(dir, "sessions.json"), `{"agent:main:t":`+entry("s-a")+`,"agent:main:other":`+entry("s-b")+`}`)
				b := newBench(t, state, "")
				if err := b.BeginAnew(t.Context(), Chat, testKey); err != nil {
					t.Fatal(err)
				}
				equal(t, "messages of the other", b.messages("agent:main:other"), []string{"user  of both"})
				b.send("agent:main:other", "r1", "[[say more]]")
				b.ended("r1")
				if err := b.BeginAnew(t.Context(), Chat, "agent:main:other"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if _, err := os.Stat(shared); !os.IsNotExist(err) {
					t.Errorf("nobody uses it any more, and it was not archived: %v", err)
				}
				archives, _ := filepath.Glob(shared + ".reset.*")
				if len(archives) != 1 || !strings.Contains(archives[0], ".reset.") {
					t.Errorf("archives %v", archives)
				}
			})
		})
	}
}

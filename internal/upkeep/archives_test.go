package upkeep

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
)

// archiveFiles are archives in all places where there may be some.
func archiveFiles() map[string]string {
	return map[string]string{
		"agents/main/sessions/sessions.json":                              `{"agent:main:a":{"sessionId":"a"}}`,
		"agents/main/sessions/a.jsonl.reset.2026-01-05T10-00-00.000Z":     said("a"),
		"agents/main/sessions/a.jsonl.bak.2026-01-06T10-00-00.000Z":       said("a"),
		"agents/main/sessions/sub/deep.jsonl.reset.2026-01-07T10-00-00Z":  said("deep"),
		"agents/main/sessions/sub/other.jsonl.reset.2026-01-07T10-00-00Z": said("other"),
		"agents/ops/sessions/a.jsonl.reset.2026-01-05T10-00-00.000Z":      said("a"),
		"agents/ops/sessions/o.jsonl.deleted.2026-01-02T10-00-00.000Z":    said("o"),
		".openclaw/sessions/l.jsonl.deleted.2026-01-01T10-00-00.000Z":     said("l"),
		"elsewhere/e.jsonl.deleted.2026-01-01T10-00-00.000Z":              said("e"),
	}
}

func TestArchives(t *testing.T) {
	k := open(t, `{}`, archiveFiles())
	st := k.main(t)
	for key, name := range map[string]string{"agent:main:a": "a.jsonl.reset.2026-01-05T10-00-00.000Z", "agent:main:deep": "sub/deep.jsonl.reset.2026-01-07T10-00-00Z",
		"agent:far:o": "../../ops/sessions/o.jsonl.deleted.2026-01-02T10-00-00.000Z", "global": "gone.jsonl.reset.2026-01-07T10-00-00Z",
		"agent:main:e": "../../../elsewhere/e.jsonl.deleted.2026-01-01T10-00-00.000Z"} {
		if err := k.Records.Add(st, Record{Key: key, Archives: []string{filepath.Join(st.Dir(), name)}, Entry: entryOf(t, `{"label":"`+key+`"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := k.Archives()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		rel, err := filepath.Rel(k.Config.StateDir, a.Path)
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := k.Recorded(a)
		if ok != (a.Key != "") || err != nil || e.Text("label") != a.Key {
			t.Errorf("%s: recorded %s, %v, %v", rel, e.Raw(), ok, err)
		}
		got = append(got, strings.Join([]string{strings.TrimPrefix(rel, "agents/"), a.Agent, a.Key}, " "))
	}
	want := []string{
		"main/sessions/sub/deep.jsonl.reset.2026-01-07T10-00-00Z main agent:main:deep",
		"main/sessions/a.jsonl.reset.2026-01-05T10-00-00.000Z main agent:main:a",
		"ops/sessions/a.jsonl.reset.2026-01-05T10-00-00.000Z ops ",
		"ops/sessions/o.jsonl.deleted.2026-01-02T10-00-00.000Z far agent:far:o",
		".openclaw/sessions/l.jsonl.deleted.2026-01-01T10-00-00.000Z main ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindArchive(t *testing.T) {
	k := open(t, `{}`, archiveFiles())
	state := k.Config.StateDir
	if err := os.Symlink(filepath.Join(state, "elsewhere"), filepath.Join(state, "agents/main/sessions/out")); err != nil {
		t.Fatal(err)
	}
	dir := state + "/agents/main/sessions/"
	const none = "unknown archive: "
	for text, want := range map[string]string{
		dir + "a.jsonl.reset.2026-01-05T10-00-00.000Z":                    "",
		dir + "x/../a.jsonl.reset.2026-01-05T10-00-00.000Z":               "",
		dir + "sub/other.jsonl.reset.2026-01-07T10-00-00Z":                "",
		"o.jsonl.deleted.2026-01-02T10-00-00.000Z":                        "",
		"l.jsonl.deleted.2026-01-01T10-00-00.000Z":                        "",
		"a.jsonl.reset.2026-01-05T10-00-00.000Z":                          "2 archives have the name a.jsonl.reset.2026-01-05T10-00-00.000Z; give the path of one",
		"other.jsonl.reset.2026-01-07T10-00-00Z":                          none + "TEXT",
		"a.jsonl.bak.2026-01-06T10-00-00.000Z":                            none + "TEXT",
		"a.jsonl":                                                         none + "TEXT",
		"..":                                                              none + "TEXT",
		"sub/other.jsonl.reset.2026-01-07T10-00-00Z":                      "archive must be an absolute path or a name without directories: TEXT",
		"./o.jsonl.deleted.2026-01-02T10-00-00.000Z":                      "archive must be an absolute path or a name without directories: TEXT",
		dir + "a.jsonl.bak.2026-01-06T10-00-00.000Z":                      "not an archive of a reset or a deletion: TEXT",
		dir + "sessions.json":                                             "not an archive of a reset or a deletion: TEXT",
		dir + "b.jsonl.reset.2026-01-05T10-00-00.000Z":                    none + "TEXT",
		dir + "out/e.jsonl.deleted.2026-01-01T10-00-00.000Z":              none + "TEXT",
		state + "/elsewhere/e.jsonl.deleted.2026-01-01T10-00-00.000Z":     "archive is in no sessions directory: TEXT",
		dir + "../../../elsewhere/e.jsonl.deleted.2026-01-01T10-00-00.0Z": "archive is in no sessions directory: " + state + "/elsewhere/e.jsonl.deleted.2026-01-01T10-00-00.0Z",
		"/etc/passwd": "archive is in no sessions directory: TEXT",
		"/":           "archive is in no sessions directory: TEXT",
	} {
		a, err := k.FindArchive(text)
		if want == "" {
			if err != nil || filepath.Base(a.Path) != filepath.Base(text) {
				t.Errorf("%s: %+v, %v", text, a, err)
			}
			continue
		}
		e, ok := errors.AsType[*protocol.Error](err)
		if want = strings.ReplaceAll(want, "TEXT", text); !ok || e.Message != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// What maintenance takes out is recorded, all of it at once, and the records go
// when the archives do.
func TestMaintenanceIsRecorded(t *testing.T) {
	k := open(t, `{session: {maintenance: {mode: "enforce", maxEntries: 1}}}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:a":{"sessionId":"a","updatedAt":1,"label":"A"},"agent:main:b":{"sessionId":"b","updatedAt":2},"agent:main:c":{"sessionId":"c","updatedAt":99999999999999},
			"agent:main:bare":{"updatedAt":3}}`,
		"agents/main/sessions/a.jsonl": said("a"), "agents/main/sessions/b.jsonl": said("b"), "agents/main/sessions/c.jsonl": said("c"),
	})
	if _, gone, err := k.Cleanup(t.Context(), protocol.SessionsCleanupParams{Enforce: true}); err != nil || len(gone) != 3 {
		t.Fatal(gone, err)
	}
	list, err := k.Archives()
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, a := range list {
		e, ok, err := k.Recorded(a)
		if !ok || err != nil || e.SessionID() != a.SessionID || a.Key != "agent:main:"+a.SessionID || a.Reason != "deleted" {
			t.Errorf("%+v: %s, %v, %v", a, e.Raw(), ok, err)
		}
		if err := os.Rename(a.Path, strings.Replace(a.Path, ".deleted.20", ".deleted.19", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := k.Cleanup(t.Context(), protocol.SessionsCleanupParams{Enforce: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(k.main(t).Path() + recordsEnd); !os.IsNotExist(err) {
		t.Errorf("records of what is gone stay: %v", err)
	}
	if got := k.list(t); !slices.Equal(got, []string{"main/sessions/c.jsonl", "main/sessions/sessions.json"}) {
		t.Errorf("files %v", got)
	}
}

// Deleting does not fail because it cannot be recorded.
func TestArchiveWithoutARecord(t *testing.T) {
	k := open(t, `{}`, map[string]string{"agents/main/sessions/a.jsonl": said("a"), "agents/main/sessions/sessions.json": `{}`})
	st := k.main(t)
	if err := os.Mkdir(st.Path()+recordsEnd, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := k.Archive(st, "agent:main:a", entryOf(t, `{"sessionId":"a"}`), "deleted"); len(got) != 1 {
		t.Errorf("archived %v", got)
	}
	if got := k.Archive(st, "agent:main:a", sessions.Entry{}, "deleted"); got == nil || len(got) != 0 {
		t.Errorf("archived %v, want an empty list", got)
	}
}

package sessions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStoreSizeIsThatOfTheFile(t *testing.T) {
	for _, entries := range []string{
		``, `"a":{}`, `"a":null`, `"a":{},"b":{"x":1}`, `"a \"q\" <é>":{"x":{"y":[]},"z":[1,[2,{}],{"a":[[]]}]}`,
		`"a":{"text":"{[,:]}\\\" \\\\","k{\"":"é\u2028"},"b":[1,2],"c":"x:y,"`,
	} {
		v := snapshotOf(t, `{`+entries+`}`)
		if got, want := storeSize(v), int64(len(v.render())); got != want {
			t.Errorf("{%s}: %d bytes, want %d", entries, got, want)
		}
	}
}

func FuzzIndentedSize(f *testing.F) {
	f.Add(`{"a":[1,{"b":"\\\""},[]]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var compact, indented bytes.Buffer
		if json.Compact(&compact, []byte(text)) != nil {
			return
		}
		if err := json.Indent(&indented, compact.Bytes(), "  ", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indentedSize(compact.Bytes()); got != indented.Len() {
			t.Errorf("%s: %d, want %d", compact.Bytes(), got, indented.Len())
		}
	})
}

// Another agent's entry may have its transcript in this directory.
func TestBudgetSparesTranscriptsOfOtherStores(t *testing.T) {
	c := configured(t, `{session: {store: "all/{agentId}.json", maintenance: {mode: "enforce", maxDiskBytes: 10}}, agents: {list: [{id: "main"}, {id: "ops"}]}}`)
	c.Session.Store = filepath.Join(c.StateDir, c.Session.Store)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(st.Dir(), "ops.json"), `{"agent:ops:x":{"sessionId":"theirs"}}`)
	for _, name := range []string{"theirs.jsonl", "nobodys.jsonl"} {
		writeFile(t, filepath.Join(st.Dir(), name), "y")
	}
	if err := st.sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, want := kept(t, st), []string{"ops.json", "theirs.jsonl"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// The entries of a damaged store are not known; their transcripts must stay.
func TestBudgetSparesTranscriptsOfADamagedStore(t *testing.T) {
	st, wait := maintained(t, `{mode: "enforce", maxDiskBytes: 10}`, `{"agent:main:a":{"sessionId":"sa"},`, "sa.jsonl", "x.jsonl.bak.2026-01-01T00-00-00Z")
	if err := st.sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, st); len(got) != 3 {
		t.Errorf("files %v, want all", got)
	}
	if err := set(t.Context(), st, "agent:main:main", entryOf(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	wait()
	got := slices.DeleteFunc(names(t, st), func(n string) bool { return strings.HasPrefix(n, "sessions.json") })
	if want := []string{"sa.jsonl"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestBudgetGoesOnWhenAFileCannotBeRemoved(t *testing.T) {
	st, _ := maintained(t, `{mode: "enforce", maxDiskBytes: 10}`, `{"agent:main:a":{"sessionId":"sa","updatedAt":1}}`, "o1.jsonl", "o2.jsonl", "sa.jsonl")
	root, files, err := st.files()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	do := onlyStaged(newTx(st.snapshot()))
	do.remove = func(name string) error {
		if name == "o2.jsonl" {
			return fmt.Errorf("remove %s: not today", name)
		}
		return nil
	}
	b, gone, err := st.keepBudget(do, files, time.Now(), true, func(*record) bool { return false })
	if err == nil || b.RemovedFiles != 2 || len(gone) != 1 || b.TotalBytesAfter != 1002 {
		t.Errorf("%+v, removed %v, error %v", b, gone, err)
	}
}

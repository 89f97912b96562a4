package sessionstest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyd/parley/internal/rawjson"
)

// edit lets another program change a store's file while the gateway runs, when
// the file has everything. The gateway sees it with the next call.
func (w *world) edit() {
	agents := slices.Sorted(maps.Keys(w.m.files))
	if len(agents) == 0 {
		return
	}
	f := w.m.files[rapid.SampledFrom(agents).Draw(w.T, "file of")]
	w.settle()
	path := w.m.conf.path(w.dir, f.agent)
	content := w.readFile(path)
	switch do := rapid.SampledFrom([]string{"add", "add", "change", "remove"}).Draw(w.T, "edit"); {
	case do == "add" || len(f.entries) == 0:
		w.addSpelling(f, content)
	case do == "change":
		s := f.entries[rapid.IntRange(0, len(f.entries)-1).Draw(w.T, "entry")]
		changes := w.drawFields()
		w.Logf("edit %s: change %s by %v", f.agent, w.mask(s.key), changes)
		maps.Copy(s.entry, changes)
		s.normalize()
		content.Put(s.key, s.entry)
	default:
		i := rapid.IntRange(0, len(f.entries)-1).Draw(w.T, "entry")
		w.Logf("edit %s: remove %s", f.agent, w.mask(f.entries[i].key))
		content.Delete(f.entries[i].key)
		f.entries = slices.Delete(f.entries, i, i+1)
	}
	w.replaceFile(path, rawjson.MustMarshal(content))
	w.expectEvents()
}

// addSpelling adds an entry, often under an older spelling of a key that is
// there, and of any age.
func (w *world) addSpelling(f *file, content *rawjson.Object) {
	key := rapid.SampledFrom(w.spellings(f)).Draw(w.T, "key")
	e := w.drawFields()
	if w.chance(3, "another entry of a session id") {
		e["sessionId"] = rapid.SampledFrom([]string{"s1", "s2"}).Draw(w.T, "session id")
	}
	if !w.chance(8, "no time") {
		e["updatedAt"] = w.m.now - rapid.SampledFrom([]float64{0, 50, 90000}).Draw(w.T, "age")
	}
	w.Logf("edit %s: set %s to %v", f.agent, key, e)
	e.normalize()
	f.put(key, e)
	content.Put(key, e)
}

// spellings are keys that may stand in a file, mostly of what clients ask for.
func (w *world) spellings(f *file) []string {
	own := "agent:" + f.agent + ":"
	out := []string{own + "Main", "MAIN", "agent::odd", "Slack:Group:C1", "cron:j:run:1"}
	for _, given := range w.said {
		key := w.m.canonical(given)
		if trim(given) == "" || w.m.home(key) != f {
			continue
		}
		out = append(out, key, strings.ToUpper(key))
		if short, ok := strings.CutPrefix(key, own); ok && !malformed(key) {
			out = append(out, short, strings.ToUpper(short))
		}
	}
	return out
}

// drawFields are fields of an entry that another program may write.
func (w *world) drawFields() entry {
	e := params{}
	some(w, e, 3, "label", rapid.SampledFrom([]string{"one", "two"}))
	some(w, e, 3, "spawnedBy", rapid.SampledFrom([]string{"main", "A", "agent:main:main", "agent:Ops:A"}))
	some(w, e, 4, "parentSessionKey", rapid.SampledFrom([]string{"main", " agent:main:a ", "agent:home:main"}))
	some(w, e, 8, "displayName", rapid.SampledFrom([]string{" Nice ", " "}))
	some(w, e, 8, "subject", rapid.Just("about"))
	some(w, e, 2, "model", rapid.SampledFrom([]string{"gpt-5.4", "glm", "x/y", "z", "base"}))
	some(w, e, 4, "thinkingLevel", rapid.SampledFrom([]string{"xhigh", "low"}))
	some(w, e, 4, "modelOverride", rapid.SampledFrom([]string{"glm", "openai/gpt-5.4"}))
	some(w, e, 4, "lastChannel", rapid.Just("telegram"))
	some(w, e, 4, "lastTo", rapid.Just("42"))
	some(w, e, 2, "contextTokens", rapid.Just(1000.))
	some(w, e, 4, "totalTokens", rapid.Just(7.))
	some(w, e, 4, "unknownField", rapid.Just[any](map[string]any{"kept": true}))
	return entry(e)
}

// settle waits until the files have everything.
func (w *world) settle() {
	for range 30 {
		time.Sleep(time.Second)
		synctest.Wait()
		if w.filesAgree() == "" {
			w.m.now = float64(time.Now().UnixMilli())
			return
		}
	}
	w.compareFiles()
}

func (w *world) compareFiles() {
	if bad := w.filesAgree(); bad != "" {
		w.Fatal(bad)
	}
}

// filesAgree says in which way a file is not the model's.
func (w *world) filesAgree() string {
	for agent, f := range w.m.files {
		content := w.readFile(w.m.conf.path(w.dir, agent))
		var got []string
		for key, v := range content.All() {
			got = append(got, key)
			var e entry
			if err := json.Unmarshal(v, &e); err != nil {
				w.Fatal(err)
			}
			e.normalize()
			i := slices.IndexFunc(f.entries, func(s stored) bool { return s.key == key })
			if i < 0 {
				continue
			}
			if !reflect.DeepEqual(e, f.entries[i].entry) {
				return w.mask("the file of " + agent + " has under " + key + " " + string(v) + ", the model has " + string(rawjson.MustMarshal(f.entries[i].entry)))
			}
		}
		var want []string
		for _, s := range f.entries {
			want = append(want, s.key)
		}
		if !slices.Equal(got, want) {
			return w.mask("the file of " + agent + " has the keys " + strings.Join(got, ", ") + ", the model has " + strings.Join(want, ", "))
		}
	}
	return ""
}

func (w *world) readFile(path string) *rawjson.Object {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(rawjson.Object)
	}
	if err != nil {
		w.Fatal(err)
	}
	o, err := rawjson.Parse(text)
	if err != nil {
		w.Fatal(err)
	}
	return &o
}

// replaceFile writes like every careful program: an edit in place within one
// tick of the file system's clock could not be told from none.
func (w *world) replaceFile(path string, text []byte) {
	temp := path + ".edit"
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(temp, text, 0o600), os.Rename(temp, path)); err != nil {
		w.Fatal(err)
	}
}

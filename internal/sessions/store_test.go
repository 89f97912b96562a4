package sessions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestReadingCreatesNothing(t *testing.T) {
	c := configured(t, `{}`)
	s := openTest(t, c, Options{})
	if _, ok, err := s.Lookup("agent:ops:x"); ok || err != nil {
		t.Errorf("found %v, %v", ok, err)
	}
	for x := range s.Combined().All() {
		t.Errorf("found %s", x.Key)
	}
	st, err := s.Store("agent:ops:x")
	if err != nil {
		t.Fatal(err)
	}
	// Neither a change that changes nothing nor a refused one leaves a trace.
	for _, fn := range []func(*Tx) error{
		func(tx *Tx) error { tx.Delete("nobody"); return nil },
		func(tx *Tx) error { tx.Put("k", Entry{}); return errors.New("no") },
	} {
		_ = st.Update(t.Context(), fn)
	}
	if _, err := os.Stat(filepath.Join(c.StateDir, "agents")); !os.IsNotExist(err) {
		t.Errorf("agents directory: %v, want none", err)
	}
}

func TestFileFormat(t *testing.T) {
	const text = "{\n  \"agent:main:b\": {\n    \"z\": 1.0,\n    \"updatedAt\": 5,\n    \"s\": \"<&>\u2028\u00e9\",\n    \"big\": 12345678901234567890,\n    \"o\": {\n      \"e\": {},\n      \"l\": [\n        1,\n        []\n      ]\n    }\n  },\n  \"odd\": null,\n  \"agent:main:a\": {\n    \"sessionId\": \"x\"\n  }\n}"
	st := openOne(t, text)
	if err := set(t.Context(), st, "agent:main:new", entryOf(t, `{"sessionId":"n"}`)); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSuffix(text, "\n}") + ",\n  \"agent:main:new\": {\n    \"sessionId\": \"n\"\n  }\n}"
	if diff := cmp.Diff(want, storeText(t, st)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(st.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := keysOf(st); !slices.Equal(got, []string{"agent:main:b", "agent:main:a", "agent:main:new"}) {
		t.Errorf("keys %v: what is no object must not be seen", got)
	}
	if err := set(t.Context(), st, "odd", entryOf(t, `{"now":1}`)); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(st); !slices.Equal(got, []string{"agent:main:b", "odd", "agent:main:a", "agent:main:new"}) {
		t.Errorf("keys %v: a key keeps its place", got)
	}
}

func TestUnchangedIsNotWritten(t *testing.T) {
	st := openOne(t, `{"agent:main:a":{"sessionId":"x" , "channel":" Slack "}}`)
	before := readFile(t, st.Path())
	err := st.Update(t.Context(), func(tx *Tx) error {
		e, _ := tx.Get("agent:main:a")
		tx.Put("agent:main:a", e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refusal := protocol.Invalidf("no")
	err = st.Update(t.Context(), func(tx *Tx) error {
		tx.Put("agent:main:a", Entry{})
		tx.Delete("agent:main:a")
		return refusal
	})
	if !errors.Is(err, error(refusal)) {
		t.Errorf("err %v, want fn's own", err)
	}
	if got := readFile(t, st.Path()); got != before {
		t.Errorf("file was written: %s", got)
	}
	if got := names(t, st); !slices.Equal(got, []string{"sessions.json", "sessions.json.flock"}) {
		t.Errorf("files %v", got)
	}
}

func TestOutsideEditsAreSeenAndKept(t *testing.T) {
	st := openOne(t, "")
	if err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"sessionId":"1"}`)); err != nil {
		t.Fatal(err)
	}
	checkpoint(t, st) // now the other program knows it, and removes it
	writeFile(t, st.Path(), `{"agent:main:ext":{"sessionId":"ext","custom":{"keep":true}}}`)
	if got := keysOf(st); !slices.Equal(got, []string{"agent:main:ext"}) {
		t.Errorf("keys %v", got)
	}
	if err := set(t.Context(), st, "agent:main:b", entryOf(t, `{"sessionId":"2"}`)); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"agent:main:ext\": {\n    \"sessionId\": \"ext\",\n    \"custom\": {\n      \"keep\": true\n    }\n  },\n  \"agent:main:b\": {\n    \"sessionId\": \"2\"\n  }\n}"
	if diff := cmp.Diff(want, storeText(t, st)); diff != "" {
		t.Error(diff)
	}
	if err := os.RemoveAll(st.Dir()); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(st); len(got) != 0 {
		t.Errorf("keys %v after the directory went", got)
	}
	if err := set(t.Context(), st, "agent:main:c", entryOf(t, `{"sessionId":"3"}`)); err != nil {
		t.Errorf("write after the directory went: %v", err)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for _, text := range []string{`{"agent:main:a": {"sessionId": "x"`, `[]`, `null`, `"text"`, `{} x`, `{"a":}`} {
		st := openOne(t, text)
		if got := keysOf(st); len(got) != 0 {
			t.Errorf("%s: keys %v", text, got)
		}
		if err := set(t.Context(), st, "agent:main:n", entryOf(t, `{}`)); err != nil {
			t.Fatal(err)
		}
		var aside []string
		for _, n := range names(t, st) {
			if strings.HasPrefix(n, "sessions.json.corrupt.") {
				aside = append(aside, n)
			}
		}
		if len(aside) != 1 || readFile(t, filepath.Join(st.Dir(), aside[0])) != text {
			t.Errorf("%s: set aside %v", text, aside)
		}
		if got, want := storeText(t, st), "{\n  \"agent:main:n\": {}\n}"; got != want {
			t.Errorf("new file %s", got)
		}
	}
	for _, text := range []string{" \n", "{}"} {
		st := openOne(t, text)
		if err := set(t.Context(), st, "agent:main:n", entryOf(t, `{}`)); err != nil {
			t.Fatal(err)
		}
		checkpoint(t, st)
		if got := names(t, st); !slices.Equal(got, []string{"sessions.json", "sessions.json.flock"}) {
			t.Errorf("%q: files %v, nothing is to be kept", text, got)
		}
	}
}

func TestUnreadableFileMakesWritesFail(t *testing.T) {
	if os.Getuid() == 0 {
		// Root reads everything, so a directory stands in for the file.
		st := openOne(t, "")
		if err := os.MkdirAll(filepath.Join(st.Path(), "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		checkUnreadable(t, st)
		if err := os.RemoveAll(st.Path()); err != nil {
			t.Fatal(err)
		}
		return
	}
	st := openOne(t, `{"agent:main:a":{}}`)
	if err := os.Chmod(st.Path(), 0); err != nil {
		t.Fatal(err)
	}
	checkUnreadable(t, st)
}

func checkUnreadable(t *testing.T, st *Store) {
	t.Helper()
	if got := keysOf(st); len(got) != 0 {
		t.Errorf("keys %v", got)
	}
	err := set(t.Context(), st, "agent:main:n", entryOf(t, `{}`))
	if e, ok := errors.AsType[*protocol.Error](err); !ok || e.Code != protocol.Unavailable {
		t.Errorf("write: %v, want UNAVAILABLE", err)
	}
}

// What is no file of ours is neither read nor replaced, and nothing waits for
// it.
func TestStrangeThingsInPlaceOfTheStore(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside.json")
	writeFile(t, outside, `{"agent:main:secret":{}}`)
	for name, put := range map[string]func(path string) error{
		"pipe":            func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link out":        func(path string) error { return os.Symlink(outside, path) },
		"link to nowhere": func(path string) error { return os.Symlink("/nowhere/at/all", path) },
	} {
		st := openOne(t, "")
		if err := errors.Join(os.MkdirAll(st.Dir(), 0o700), put(st.Path())); err != nil {
			t.Fatal(err)
		}
		if got := keysOf(st); len(got) != 0 {
			t.Errorf("%s: keys %v", name, got)
		}
		err := set(t.Context(), st, "agent:main:n", entryOf(t, `{}`))
		if name != "link to nowhere" && err == nil {
			t.Errorf("%s: a change was taken", name)
		}
		if name == "link out" && readFile(t, outside) != `{"agent:main:secret":{}}` {
			t.Errorf("%s: the file outside was changed", name)
		}
		if err := os.Remove(st.Path()); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// A file that another program left readable for others is closed to them.
func TestForeignFileIsTightened(t *testing.T) {
	st := openOne(t, `{"agent:main:a":{}}`)
	if err := os.Chmod(st.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	keysOf(st)
	if info, err := os.Stat(st.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	c := configured(t, `{}`)
	s := openTest(t, c, Options{})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 10
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { // readers see whole changes only
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = st.View(func(v *Snapshot) error {
				n := 0
				for range v.All() {
					n++
				}
				if n != v.Len() || n%2 != 0 {
					t.Errorf("a snapshot of %d entries, Len %d", n, v.Len())
				}
				return nil
			})
		}
	})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				err := st.Update(t.Context(), func(tx *Tx) error {
					key := fmt.Sprintf("agent:main:%d-%d", w, i)
					tx.Put(key, entryOf(t, `{"sessionId":"s","updatedAt":1}`))
					tx.Put(key+"b", entryOf(t, `{"sessionId":"s","updatedAt":2}`))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	wg.Wait()
	checkpoint(t, st)
	fresh, err := readContent(nil, st.Path(), st.keys, st.agent)
	if err != nil || fresh.view.Len() != 2*writers*each {
		t.Errorf("%d entries on disk, %v", fresh.view.Len(), err)
	}
}

func TestTwoStoresOnOneFile(t *testing.T) {
	c := configured(t, `{}`)
	a := openTest(t, c, Options{})
	b := openTest(t, c, Options{})
	sa, _ := a.Store("agent:main:x")
	sb, _ := b.Store("agent:main:x")
	if err := set(t.Context(), sa, "agent:main:a", entryOf(t, `{}`)); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(sb); !slices.Equal(got, []string{"agent:main:a"}) {
		t.Errorf("the other reads %v", got)
	}
	err := set(t.Context(), sb, "agent:main:b", entryOf(t, `{}`))
	if err == nil || !strings.Contains(err.Error(), "in use by another parley process") {
		t.Errorf("second owner: %v", err)
	}
}

func TestHeldLockFailsAfterTenSeconds(t *testing.T) {
	st := openOne(t, `{"agent:main:a":{"sessionId":"x"}}`)
	synctest.Test(t, func(t *testing.T) {
		st := openStore(st.path, st.agent, st.keys, Options{Config: configured(t, `{}`)})
		defer func() { _ = st.close() }()
		lock := st.path + ".lock"
		writeFile(t, lock, "?")
		// The file system's clock is the real one; the bubble's is not.
		if err := os.Chtimes(lock, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"sessionId":"y"}`))
				want := "Error: session file locked (timeout 10000ms): unknown " + lock
				if err == nil || err.Error() != want {
					t.Errorf("err %v, want %s", err, want)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begun); took < 9*time.Second || took > 10*time.Second {
			t.Errorf("three waiters failed after %v, want all within 10 s of being called", took)
		}
		synctest.Wait() // until nobody tells of the failure any more
		// Reading goes on, and a change that changes nothing needs no lock.
		if got := keysOf(st); len(got) != 1 {
			t.Errorf("keys %v", got)
		}
		if err := st.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		if err := set(t.Context(), st, "agent:main:a", entryOf(t, `{"sessionId":"z"}`)); err != nil {
			t.Errorf("after the lock went: %v", err)
		}
	})
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	st := openOne(t, "")
	writeFile(t, st.path+".lock", "?")
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	time.AfterFunc(20*time.Millisecond, func() { cancel(gone) })
	if err := set(ctx, st, "agent:main:a", Entry{}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("err %v", err)
	}
}

func TestClaim(t *testing.T) {
	const file = `{
		"agent:main:Foo":{"sessionId":"old","updatedAt":1},
		"agent:main:bar":{"sessionId":"canonical","updatedAt":1},
		"BAR":{"sessionId":"newer","updatedAt":2},
		"agent:main:FOO":{"sessionId":"new","updatedAt":9},
		"other":{"sessionId":"o"}}`
	st := openOne(t, file)
	err := st.Update(t.Context(), func(tx *Tx) error {
		if e, ok := tx.Claim("agent:main:foo"); !ok || e.SessionID() != "new" {
			t.Errorf("foo: %s", e.Raw())
		}
		if e, ok := tx.Claim("agent:main:bar"); !ok || e.SessionID() != "newer" {
			t.Errorf("bar: %s, the freshest must win over the canonical spelling", e.Raw())
		}
		if _, ok := tx.Claim("agent:main:nobody"); ok {
			t.Error("nobody found")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := keysOf(st), []string{"agent:main:bar", "other", "agent:main:foo"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

func TestRecentAndIndexes(t *testing.T) {
	st := openOne(t, `{"a":{"updatedAt":5,"label":"L","sessionId":"s1"},"b":{"updatedAt":9,"sessionFile":"/x/f.jsonl"},"c":{"updatedAt":5},"d":{}}`)
	_ = st.View(func(v *Snapshot) error {
		order := func(before int64) (out []string) {
			for key := range v.Recent(before) {
				out = append(out, key)
			}
			return out
		}
		if got, want := order(0), []string{"b", "a", "c", "d"}; !slices.Equal(got, want) {
			t.Errorf("Recent(0) %v, want %v", got, want)
		}
		if got, want := order(9), []string{"a", "c", "d"}; !slices.Equal(got, want) {
			t.Errorf("Recent(9) %v, want %v", got, want)
		}
		if v.LabelTaken("L", "a") || !v.LabelTaken("L", "b") || v.LabelTaken("l", "b") {
			t.Error("LabelTaken")
		}
		naming := func(name string) []string {
			var keys []string
			for key := range v.Naming(name) {
				keys = append(keys, key)
			}
			return keys
		}
		for name, want := range map[string][]string{"s1.jsonl": {"a"}, "f.jsonl": {"b"}, "g.jsonl": nil} {
			if got := naming(name); !slices.Equal(got, want) {
				t.Errorf("Naming(%q) %v, want %v", name, got, want)
			}
		}
		return nil
	})
}

func TestCloseRunning(t *testing.T) {
	c := configured(t, `{}`)
	path := filepath.Join(c.StateDir, "agents", "ops", "sessions", "sessions.json")
	writeFile(t, path, `{"a":{"updatedAt":50,"status":"running","startedAt":20},"b":{"status":"done","label":"running"},"c":{"status":"running","updatedAt":7},"d":{"status":"\u0072unning","updatedAt":8}}`)
	s := openTest(t, c, Options{})
	err := s.CloseRunning(t.Context(), func(key string, _ Entry) (int64, bool) { return 99, key == "agent:ops:c" })
	if err != nil {
		t.Fatal(err)
	}
	f, _, _ := s.Lookup("agent:ops:a")
	if got, want := string(f.Entry.Raw()), `{"updatedAt":50,"status":"killed","startedAt":20,"abortedLastRun":true,"endedAt":50,"runtimeMs":30}`; got != want {
		t.Errorf("a: %s, want %s", got, want)
	}
	f, _, _ = s.Lookup("agent:ops:c")
	if n, _ := f.Entry.Number("endedAt"); n != 99 {
		t.Errorf("c: %s, want the time that is known", f.Entry.Raw())
	}
	for key, want := range map[string]string{"agent:ops:b": "done", "agent:ops:d": "killed"} {
		f, _, _ = s.Lookup(key)
		if got := f.Entry.Text("status"); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestOldTemporaryFilesAreRemovedAtOpen(t *testing.T) {
	c := configured(t, `{}`)
	path := filepath.Join(c.StateDir, "agents", "main", "sessions", "sessions.json")
	writeFile(t, path, `{}`)
	old := path + ".0f.tmp"
	writeFile(t, old, `{`)
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, hour, hour); err != nil {
		t.Fatal(err)
	}
	openTest(t, c, Options{})
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("leftover: %v", err)
	}
}

func FuzzStoreRoundTrip(f *testing.F) {
	f.Add([]byte(`{"a":{"x":1.0,"n":null},"b":[],"a":{"y":2}}`))
	f.Add([]byte(`{"agent:main:K":{"room":"r","lastTo":" 1 ","model":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys := Keys{DefaultAgent: "main"}
		v, err := parseText(data, keys, "main")
		if err != nil {
			return
		}
		text := rendered(t, v)
		if !rawjson.Valid(text) {
			t.Fatalf("rendered %q", text)
		}
		w, err := parseText(text, keys, "main")
		if err != nil {
			t.Fatalf("own text %q: %v", text, err)
		}
		if again := rendered(t, w); string(again) != string(text) {
			t.Fatalf("%q becomes %q", text, again)
		}
		for _, e := range w.All() {
			once := normalize(e)
			if twice := normalize(once); string(twice.Raw()) != string(once.Raw()) {
				t.Fatalf("normalize: %s becomes %s", once.Raw(), twice.Raw())
			}
		}
	})
}

// A reader that comes after Close must not take the store from the next owner.
func TestReadingAfterCloseOwnsNothing(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "sessions.json"), `{"agent:main:a":{}}`)
	first := byHand(t, nil, dir)
	if got := keysOf(first); len(got) != 1 {
		t.Fatalf("keys %v", got)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	if got := keysOf(first); len(got) != 1 {
		t.Errorf("after closing: keys %v", got)
	}
	second := byHand(t, nil, dir)
	if err := set(t.Context(), second, "agent:main:b", entryOf(t, `{}`)); err != nil {
		t.Errorf("the next owner: %v", err)
	}
	if err := second.close(); err != nil {
		t.Fatal(err)
	}
}

func TestChangesOfOneMillisecondKeepTheirOrder(t *testing.T) {
	st := openOne(t, "")
	now := time.UnixMilli(1_800_000_000_000)
	at := func(key string) int64 {
		var ms int64
		err := st.Update(t.Context(), func(tx *Tx) error {
			ms = tx.Time(now).UnixMilli()
			tx.Put(key, NewEntry(rawjson.NewObject(rawjson.Member{Name: "updatedAt", Value: rawjson.MustMarshal(ms)})))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return ms - now.UnixMilli()
	}
	for i, want := range []int64{0, 1, 2, 3, 0, 0} { // then they would run away
		if got := at(fmt.Sprint("agent:main:", i)); got != want {
			t.Errorf("change %d is at +%d ms, want +%d", i, got, want)
		}
	}
	now = now.Add(time.Second)
	if got := at("agent:main:later"); got != 0 {
		t.Errorf("a second later: +%d ms", got)
	}
}

// parseText is parseStore of a text.
func parseText(data []byte, keys Keys, agent string) (*Snapshot, error) {
	return parseStore(&reader{src: bytes.NewReader(data)}, keys, agent)
}

// Of many entries that are looked at, only the last ones stay split; what they say
// stays the same.
func TestEntriesDoNotStaySplit(t *testing.T) {
	var all []Entry
	for i := range 2 * len(splits.ring) {
		all = append(all, lazyEntry(fmt.Appendf(nil, `{"label":"l%d"}`, i), nil))
	}
	split := func() (n int) {
		for _, e := range all {
			if e.e.fields.Load() != nil {
				n++
			}
		}
		return n
	}
	for range 2 {
		for i, e := range all {
			if got, want := e.Text("label"), fmt.Sprint("l", i); got != want {
				t.Fatalf("entry %d says %q, want %q", i, got, want)
			}
		}
		if n := split(); n == 0 || n > len(splits.ring) {
			t.Errorf("%d of %d entries stay split, want some, at most %d", n, len(all), len(splits.ring))
		}
	}
}

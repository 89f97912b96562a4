package sessions

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configured is a configuration of this text over a fresh state directory.
func configured(t testing.TB, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	c, _, err := config.Parse(text, config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// openTest opens the stores of a configuration and closes them with the test.
func openTest(t testing.TB, c *config.Config, o Options) *Stores {
	t.Helper()
	o.Config = c
	s, err := OpenStores(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// openOne is the store of agent main in a state directory whose file holds
// text; "" for no file.
func openOne(t testing.TB, text string) *Store {
	t.Helper()
	return openOn(t, nil, text)
}

// openOn is openOne through files.
func openOn(t testing.TB, files *disk.FS, text string) *Store {
	t.Helper()
	c := configured(t, `{}`)
	s := openTest(t, c, Options{Disk: files})
	st, err := s.Store("agent:main:x")
	if err != nil {
		t.Fatal(err)
	}
	if text != "" {
		writeFile(t, st.Path(), text)
	}
	return st
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names are the files in the store's directory, but for the journal.
func names(t testing.TB, st *Store) []string {
	t.Helper()
	es, err := os.ReadDir(st.Dir())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range es {
		if !strings.HasSuffix(e.Name(), ".journal") {
			out = append(out, e.Name())
		}
	}
	return out
}

func entryOf(t testing.TB, text string) Entry {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Fatalf("bad entry %s", text)
	}
	e, err := ParseEntry([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// set puts one entry.
func set(ctx context.Context, st *Store, key string, e Entry) error {
	return st.Update(ctx, func(tx *Tx) error {
		tx.Put(key, e)
		return nil
	})
}

// keysOf are the stored keys in file order.
func keysOf(st *Store) []string {
	out := []string{}
	_ = st.View(func(v *Snapshot) error {
		for key := range v.All() {
			out = append(out, key)
		}
		return nil
	})
	return out
}

// checkpoint brings the file up to date.
func checkpoint(t testing.TB, st *Store) {
	t.Helper()
	if err := st.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// storeText is the store's file with all changes.
func storeText(t testing.TB, st *Store) string {
	t.Helper()
	checkpoint(t, st)
	return readFile(t, st.Path())
}

func rendered(t testing.TB, v *Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := v.render(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

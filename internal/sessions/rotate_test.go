package sessions

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/disk"
)

func TestWhenAStoreIsRotated(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) string { return fmt.Sprintf("sessions.json.bak.%d", now.Add(d).UnixMilli()) }
	made := at(0)
	for _, tt := range []struct {
		name, maintenance string
		size              int64
		before, want      []string
	}{
		{"small enough", `{mode: "enforce", rotateBytes: 10}`, 10, nil, nil},
		{"too large", `{mode: "enforce", rotateBytes: 10}`, 11, nil, []string{made}},
		{"warn mode", `{rotateBytes: 10}`, 11, nil, nil},
		{"within the hour", `{mode: "enforce", rotateBytes: 10}`, 11, []string{at(-59 * time.Minute)}, []string{at(-59 * time.Minute)}},
		{"after an hour", `{mode: "enforce", rotateBytes: 10}`, 11, []string{at(-61 * time.Minute)}, []string{at(-61 * time.Minute), made}},
		{"the clock was set back", `{mode: "enforce", rotateBytes: 10}`, 11, []string{at(48 * time.Hour)}, []string{made, at(48 * time.Hour)}},
		{"newest three", `{mode: "enforce", rotateBytes: 10}`, 11,
			[]string{"sessions.json.bak.0100", "sessions.json.bak.99", "sessions.json.bak.98", "sessions.json.bak.x", "other.bak.1"},
			[]string{"other.bak.1", "sessions.json.bak.0100", "sessions.json.bak.99", "sessions.json.bak.x", made}},
		{"no file", `{mode: "enforce", rotateBytes: 0}`, 0, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st, _ := maintained(t, tt.maintenance, "the store", tt.before...)
			if err := st.backUp(&Snapshot{stamp: stamp{size: tt.size}}, now); err != nil {
				t.Fatal(err)
			}
			got := slices.DeleteFunc(names(t, st), func(n string) bool { return !strings.Contains(n, ".bak.") })
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("backups %v, want %v", got, tt.want)
			}
			if slices.Contains(tt.want, made) && readFile(t, filepath.Join(st.Dir(), made)) != "the store" {
				t.Error("the backup is not the store")
			}
		})
	}
}

// Some file systems have no hard links.
func TestDuplicateByCopy(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a"), "content")
	root, err := disk.New(func(op disk.Op) (int, error) {
		if op.Kind == disk.Link {
			return 0, syscall.EPERM
		}
		return 0, nil
	}).OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := duplicate(root, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, filepath.Join(dir, "b")); got != "content" {
		t.Errorf("copy holds %q", got)
	}
	if es, err := os.ReadDir(dir); len(es) != 2 || err != nil {
		t.Errorf("directory holds %v, %v", es, err)
	}
}

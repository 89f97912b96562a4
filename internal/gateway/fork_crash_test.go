package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
)

const forkLines = 200

// forkable puts one session into a state directory.
func forkable(t *testing.T, state string) {
	t.Helper()
	dir := filepath.Join(state, "agents/main/sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "sessions.json"), `{"agent:main:k":{"sessionId":"s-k","updatedAt":5,"thinkingLevel":"low"}}`)
	lines := []string{`{"type":"session","version":3,"id":"s-k","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/w"}`}
	for i := range forkLines {
		lines = append(lines, fmt.Sprintf(`{"type":"message","id":"%08x","message":{"role":"user","content":"%d %s"}}`, i, i, strings.Repeat("x", 100)))
	}
	writeText(t, filepath.Join(dir, "s-k.jsonl"), strings.Join(lines, "\n")+"\n")
}

func opened(t *testing.T, state string, fs *disk.FS) *Gateway {
	t.Helper()
	g := newGateway(optionsFor(t, state, fs))
	if err := g.open(nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// forkOnce forks the session of forkable before its last line.
func forkOnce(t *testing.T, g *Gateway) error {
	t.Helper()
	_, err := g.sessionsFork(t.Context(), &call{conn: &conn{}}, protocol.SessionsForkParams{SessionKey: "k", EntryID: fmt.Sprintf("%08x", forkLines-2), Label: "L"})
	return err
}

// checkForks says what is wrong with what is left: each fork has all of its
// conversation, there is one if it was answered, and another can be made.
func checkForks(t *testing.T, state string, answered bool) error {
	t.Helper()
	g := opened(t, state, nil)
	forks := 0
	st, err := g.stores.Store("agent:main:k")
	if err != nil {
		return err
	}
	err = st.View(func(v *sessions.Snapshot) error {
		for key, e := range v.All() {
			n, err := g.transcripts.Count(runs.Ref(st, key, e))
			want := forkLines
			if key != "agent:main:k" {
				forks++
				want--
			}
			if err != nil || n != want {
				return fmt.Errorf("%s has %d messages, want %d: %v", key, n, want, err)
			}
		}
		return nil
	})
	if err == nil && (forks > 1 || answered && forks == 0) {
		err = fmt.Errorf("%d forks", forks)
	}
	if err == nil && forks == 0 {
		err = forkOnce(t, g)
	}
	return errors.Join(err, g.Close())
}

func TestFaultsOfFork(t *testing.T) {
	disktest.EachFaultAfter(t, func(t *testing.T, fs *disk.FS, dir string, arm func()) error {
		forkable(t, dir)
		g := opened(t, dir, fs)
		arm()
		err := forkOnce(t, g)
		if fault := g.Close(); fault != nil {
			t.Log(fault)
		}
		return err
	}, func(t *testing.T, dir string, fault error) {
		if err := checkForks(t, dir, fault == nil); err != nil {
			t.Error(err)
		}
		if e, ok := errors.AsType[*protocol.Error](fault); fault != nil && (!ok || e.Code != protocol.Unavailable) {
			t.Errorf("the client hears %v", fault)
		}
		names, err := filepath.Glob(filepath.Join(dir, "agents/main/sessions/*.jsonl"))
		if dead := strings.HasSuffix(t.Name(), "ever_after"); err != nil || len(names) != 2 && !dead {
			t.Errorf("transcripts %v, %v", names, err)
		}
	})
}

func TestPowerCutsOfFork(t *testing.T) {
	state := t.TempDir()
	forkable(t, state)
	rec := disktest.Record(t, state)
	g := opened(t, state, rec.FS())
	if err := forkOnce(t, g); err != nil {
		t.Fatal(err)
	}
	rec.Mark(true)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	o := disktest.Options{AnyOrder: true, All: 64, Samples: 16, Ignore: []string{"*.lock", "*.flock", "*.tmp"}}
	n := disktest.PowerCuts(t, rec, o, func(dir string, marks []any) error { return checkForks(t, dir, len(marks) > 0) })
	t.Logf("%d states", n)
}

package acp

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// With session/load a conversation goes on in another process, and its history
// is not told to anybody.
func TestSessionsAreLoadedAgain(t *testing.T) {
	dir := t.TempDir()
	log := func(b *bench) *Book { return OpenBook(nil, dir, b.o.Log) }
	store := filepath.Join(dir, "store")
	b := newBenchIn(t, dir, nil, "-store", store)
	b.o.Book = log(b)
	b.says("k", "first", "heard 1: first")
	_ = syscall.Kill(b.pid(), syscall.SIGKILL)
	until(t, "its end is known", func() bool { b.Agent.mu.Lock(); defer b.Agent.mu.Unlock(); return len(b.all) == 0 })
	b.says("k", "second", "heard 2: second")

	// Also after the end of the gateway.
	b.stop()
	b.o.Book.Close()
	c := newBenchIn(t, dir, nil, "-store", store)
	c.o.Book, c.talks, c.clock = log(c), b.talks, b.clock
	c.says("k", "third", "heard 3: third")
	if got := c.count("session/load"); got != 2 {
		t.Errorf("%d loads, want 2", got)
	}
	c.says("new", "x", "heard 1: x")

	// What the agent has lost is told again.
	c.stop()
	c.o.Book.Close()
	if err := os.Remove(store); err != nil {
		t.Fatal(err)
	}
	d := newBenchIn(t, dir, nil, "-store", store)
	d.o.Book, d.talks, d.clock = log(d), c.talks, c.clock
	a := d.ask("k", "fourth [[recall]]")
	if !strings.HasPrefix(a.text, contextHead+"\nUser: first\n\nAssistant: heard 1: first\n") {
		t.Errorf("it was told %q, %v", a.text, a.err)
	}
	d.stop()
	d.o.Book.Close()
	data, err := os.ReadFile(filepath.Join(dir, bookName))
	if err != nil || strings.Count(string(data), `"key"`) != 2 || strings.Contains(string(data), "first") {
		t.Errorf("the book: %v\n%s", err, data)
	}
}

func TestBookKeepsTheLatest(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	b := OpenBook(nil, dir, log)
	for i := range bookLimit + 10 {
		b.put(kept{Provider: "p", Key: fmt.Sprint(i), ID: "x", UsedAt: int64(i)})
	}
	b.drop("p", "500")
	b.drop("p", "no such")
	b.Close()
	b.put(kept{Provider: "p", Key: "late"})
	b = OpenBook(nil, dir, log)
	for key, want := range map[string]bool{"0": false, "9": false, "10": true, "500": false, fmt.Sprint(bookLimit + 9): true, "late": false} {
		if _, ok := b.find("p", key); ok != want {
			t.Errorf("%s is known: %v, want %v", key, ok, want)
		}
	}
	if _, ok := b.find("q", "10"); ok {
		t.Error("a talk of another provider is found")
	}
	b.Close()
}

// A book that cannot be read or written costs what it holds, nothing else.
func TestBookThatIsBroken(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":9,"sessions":[]}`, `[1]`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, bookName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var logged synced
		b := OpenBook(nil, dir, slog.New(slog.NewTextHandler(&logged, nil)))
		if !strings.Contains(logged.String(), "not known any more") {
			t.Errorf("%q: log %q", text, logged.String())
		}
		b.put(kept{Provider: "p", Key: "k", ID: "x"})
		b.Close()
		if _, ok := OpenBook(nil, dir, slog.New(slog.DiscardHandler)).find("p", "k"); !ok {
			t.Errorf("%q is not replaced", text)
		}
	}
	var logged synced
	b := OpenBook(nil, filepath.Join(t.TempDir(), "none"), slog.New(slog.NewTextHandler(&logged, nil)))
	b.put(kept{Provider: "p", Key: "k", ID: "x"})
	b.Close()
	if !strings.Contains(logged.String(), "could not be written down") {
		t.Errorf("log %q", logged.String())
	}
}

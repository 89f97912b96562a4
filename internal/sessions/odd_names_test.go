package sessions

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A directory that changed just now may change again without its time telling,
// so what it held then must not be kept.
func TestNamesFollowTheDirectory(t *testing.T) {
	root := t.TempDir()
	var o dirNames
	expect := func(want int) {
		t.Helper()
		if got := o.in(root); len(got.odd) != want || len(got.all) > 0 && len(got.all) != want+1 {
			t.Fatalf("got %v and %v, want %d names", got.all, got.odd, want)
		}
	}
	make := func(name string, changed time.Time) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(root, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	make("usual", now)
	expect(0)
	make("Odd One", now) // the same time
	expect(1)
	make("Odd Two", now.Add(-time.Hour))
	expect(2)
	expect(2)
	make("Odd Three", now.Add(-time.Minute))
	expect(3)
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	expect(0)
}

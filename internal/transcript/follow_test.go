package transcript

import (
	"os"
	"path/filepath"
	"testing"
)

// What is remembered of a directory is what following its links finds, whatever
// happened to them since.
func TestFollowerFollows(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(root, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(at("a/x/s"), 0o700))
	must(os.MkdirAll(at("c/x/s"), 0o700))
	must(os.Symlink("a", at("link")))
	var f follower
	expect := func(when string) {
		t.Helper()
		for range 2 {
			for _, path := range []string{at("a/x/s"), at("link/x/s"), at("b/x/s"), at("none")} {
				want, fault := filepath.EvalSymlinks(path)
				if got, err := f.follow(path); got != want || (err == nil) != (fault == nil) {
					t.Errorf("%s: %s leads to %s (%v), want %s (%v)", when, path, got, err, want, fault)
				}
			}
		}
	}
	expect("at first")
	must(os.Rename(at("a"), at("b")))
	must(os.Symlink("b", at("a"))) // the directory is the same, by another way
	expect("after a directory became a link to itself")
	must(os.Remove(at("link")))
	must(os.Symlink("c", at("link")))
	expect("after a link was turned")
	must(os.Remove(at("a")))
	must(os.Rename(at("c"), at("a")))
	expect("after a directory came back in the place of a link")
	must(os.RemoveAll(at("a")))
	expect("after it was removed")
}

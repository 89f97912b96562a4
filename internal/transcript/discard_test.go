package transcript

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiscard(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", chain(1)...)
	for range 2 { // the second time there is nothing
		if err := f.Discard(f.ref("s")); err != nil {
			t.Error(err)
		}
	}
	if got := f.ls(t); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDiscardBlank(t *testing.T) {
	f := newFixture(t)
	f.write(t, "blank.jsonl", testHeader)
	f.write(t, "spoken.jsonl", testHeader, testMessage("00000001", "", "user", "a"))
	f.write(t, "broken.jsonl", testHeader, `{"type":"message","mess`)
	f.write(t, "headless.jsonl", testMessage("00000001", "", "user", "a"))
	for _, id := range []string{"blank", "spoken", "broken", "headless", "none"} {
		if err := f.DiscardBlank(f.ref(id)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if diff := cmp.Diff([]string{"broken.jsonl", "headless.jsonl", "spoken.jsonl"}, f.ls(t)); diff != "" {
		t.Errorf("left: %s", diff)
	}
}

// A file that is archived between the look for it and its opening is no fault.
func TestOpenOfWhatIsGone(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader)
	p, err := f.existing(f.ref("s"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Archive(f.ref("s"), "reset", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.openAt(p); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

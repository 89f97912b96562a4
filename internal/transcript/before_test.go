package transcript

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBefore(t *testing.T) {
	f := newFixture(t)
	lines := []string{testHeader}
	for i := range 5 {
		lines = append(lines, fmt.Sprintf(`{"type":"message","id":"m%d","message":{"role":"user"}}`, i+1), `{"type":"label","id":"l","label":"L"}`)
	}
	f.write(t, "s.jsonl", lines...)
	for _, c := range []struct {
		before, last int
		want         []int
	}{
		{math.MaxInt, 0, []int{1, 2, 3, 4, 5}},
		{6, 2, []int{4, 5}},
		{5, 2, []int{3, 4}},
		{3, 0, []int{1, 2}},
		{3, 9, []int{1, 2}},
		{2, 1, []int{1}},
		{1, 1, []int{}},
		{0, 0, []int{}},
		{-1, 0, []int{}},
	} {
		list, err := f.Before(f.ref("s"), c.before, c.last)
		if err != nil {
			t.Fatal(err)
		}
		got := []int{}
		for _, m := range list {
			if want := fmt.Sprintf("m%d", m.Seq); m.ID != want {
				t.Errorf("message %d has the id %s, want %s", m.Seq, m.ID, want)
			}
			got = append(got, m.Seq)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("the last %d before %d (-want +got):\n%s", c.last, c.before, diff)
		}
	}
	if list, err := f.Before(f.ref("none"), 5, 5); list != nil || err != nil {
		t.Errorf("without a file: %v, %v, want nothing", list, err)
	}
}

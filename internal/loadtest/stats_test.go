package loadtest

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{9, 1, 5, 7}, 6},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestMedianLeavesItsValuesInOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	median(values)
	if diff := cmp.Diff([]float64{3, 1, 2}, values); diff != "" {
		t.Error(diff)
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, c := range []struct {
		values []int
		share  float64
		want   int
	}{
		{nil, 0.5, 0},
		{hundred, 0, 1},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
		{[]int{7}, 0.99, 7},
	} {
		if got := quantile(c.values, c.share); got != c.want {
			t.Errorf("quantile %v of %d values = %v, want %v", c.share, len(c.values), got, c.want)
		}
	}
}

func TestFigures(t *testing.T) {
	took := []time.Duration{4 * time.Millisecond, time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}
	got := figures(took, 2*time.Second, usage{cpu: time.Second, written: 1000}, usage{cpu: 1008 * time.Millisecond, rss: 3 << 20, written: 1000 + 4096*4})
	want := Figures{Rate: 2, P50: 2000, P99: 4000, CPU: 2000, RSS: 3, Disk: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFiguresOfNothing(t *testing.T) {
	if diff := cmp.Diff(Figures{}, figures(nil, time.Second, usage{}, usage{})); diff != "" {
		t.Error(diff)
	}
}

// TestRatioIsThatOfTheRounds: what slows both sides down in one round must not
// count.
func TestRatioIsThatOfTheRounds(t *testing.T) {
	parley := []Figures{{Rate: 80}, {Rate: 8}, {Rate: 90}}
	floor := []Figures{{Rate: 100}, {Rate: 10}, {Rate: 100}}
	if got := ratio(parley, floor); math.Abs(got-0.8) > 1e-9 {
		t.Errorf("got %v, want 0.8", got)
	}
	if got := ratio(parley, []Figures{{}}); got != 0 {
		t.Errorf("beside a floor that did nothing: got %v, want 0", got)
	}
}

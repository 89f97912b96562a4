package loadtest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var reported = []Row{
	{Name: "health", Clients: 16, Value: 0.65, Unit: "of the floor", Target: 0.6, Parley: &Figures{Rate: 650, P50: 10, P99: 20.25, CPU: 30}, Floor: &Figures{Rate: 1000, P50: 7, P99: 9, CPU: 20}},
	{Name: "start", Value: 41, Unit: "ms", Target: 40, Most: true, Note: "cold"},
	{Name: "missing", Value: 0, Unit: "events", Target: 0.5, Most: true},
	{Name: "curiosity", Value: 123.4, Unit: "ms"},
}

func TestMarkdown(t *testing.T) {
	var got strings.Builder
	if err := WriteMarkdown(&got, reported); err != nil {
		t.Fatal(err)
	}
	const want = `| what | clients | measured | target | | CPU |
|---|---|---|---|---|---|
| health | 16 | 0.65 of the floor | ≥ 0.60 | met | × 1.50 |
| start |  | 41.0 ms (cold) | ≤ 40.0 | **missed** |  |
| missing |  | 0.00 events | none | met |  |
| curiosity |  | 123 ms |  |  |  |

| what | clients | who | a second | p50 | p99 | CPU of one |
|---|---|---|---|---|---|---|
| health | 16 | parley | 650 | 10.0 µs | 20.2 µs | 30.0 µs |
| health | 16 | floor | 1000 | 7.00 µs | 9.00 µs | 20.0 µs |
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	var text strings.Builder
	if err := WriteJSON(&text, reported, 5); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reported, got.Rows); diff != "" || got.Rounds != 5 || got.Cores == 0 {
		t.Errorf("%d rounds on %d cores, rows: %s", got.Rounds, got.Cores, diff)
	}
}

func TestMet(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want bool
	}{
		{Row{Value: 1}, true},
		{Row{Value: 1, Target: 1}, true},
		{Row{Value: 0.9, Target: 1}, false},
		{Row{Value: 1, Target: 1, Most: true}, true},
		{Row{Value: 1.1, Target: 1, Most: true}, false},
	} {
		if got := c.row.Met(); got != c.want {
			t.Errorf("%+v: met = %v", c.row, got)
		}
	}
}

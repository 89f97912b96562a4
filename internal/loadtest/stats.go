package loadtest

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Figures are what one load did to one process.
type Figures struct {
	Rate float64 `json:"perSecond"`        // operations a second
	P50  float64 `json:"p50Us"`            // microseconds
	P99  float64 `json:"p99Us"`            // microseconds
	CPU  float64 `json:"cpuUs"`            // microseconds of CPU an operation, of the process that was loaded
	RSS  float64 `json:"rssMB,omitempty"`  // resident memory afterwards
	Disk float64 `json:"diskKB,omitempty"` // written to the disk by an operation
	Size int     `json:"bytes,omitempty"`  // of an answer
}

// quantile is the least of sorted values that a share of them does not exceed.
func quantile[T cmp.Ordered](sorted []T, share float64) (none T) {
	if len(sorted) == 0 {
		return none
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median is that of values in any order, 0 of none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n > 0 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return quantile(sorted, 0.5)
}

// medians is each figure's median over rounds.
func medians(rounds []Figures) Figures {
	of := func(get func(Figures) float64) float64 {
		values := make([]float64, len(rounds))
		for i, f := range rounds {
			values[i] = get(f)
		}
		return median(values)
	}
	return Figures{
		Rate: of(func(f Figures) float64 { return f.Rate }), P50: of(func(f Figures) float64 { return f.P50 }),
		P99: of(func(f Figures) float64 { return f.P99 }), CPU: of(func(f Figures) float64 { return f.CPU }),
		RSS: of(func(f Figures) float64 { return f.RSS }), Disk: of(func(f Figures) float64 { return f.Disk }),
		Size: int(of(func(f Figures) float64 { return float64(f.Size) })),
	}
}

// figures sums up a load: how long each operation took, and what the process
// used for all.
func figures(took []time.Duration, all time.Duration, before, after usage) Figures {
	slices.Sort(took)
	n := float64(len(took))
	f := Figures{RSS: float64(after.rss) / (1 << 20)}
	if n == 0 || all <= 0 {
		return f
	}
	f.Rate = n / all.Seconds()
	f.P50, f.P99 = micros(quantile(took, 0.5)), micros(quantile(took, 0.99))
	f.CPU = micros(after.cpu-before.cpu) / n
	f.Disk = float64(after.written-before.written) / 1024 / n
	return f
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

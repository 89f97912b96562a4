package transcript

import (
	"cmp"
	"fmt"
	"slices"
)

// maxPoints is the length of a series; a longer one is summed in groups.
const maxPoints = 200

// Point is one answer, or several in a row, of a usage series.
type Point struct {
	Timestamp        int64   `json:"timestamp"`
	Input            float64 `json:"input"`
	Output           float64 `json:"output"`
	CacheRead        float64 `json:"cacheRead"`
	CacheWrite       float64 `json:"cacheWrite"`
	TotalTokens      float64 `json:"totalTokens"`
	Cost             float64 `json:"cost"`
	CumulativeTokens float64 `json:"cumulativeTokens"`
	CumulativeCost   float64 `json:"cumulativeCost"`
}

// Series is the usage of a file over time. What has added up is counted in the
// order of the file, then the points are sorted by time. Of many points groups
// are summed.
func (l *Library) Series(f UsageFile, prices Prices) ([]Point, error) {
	points := []Point{}
	var sum Point
	note := func(s *spend) {
		if !s.used || s.at.IsZero() || s.at.UnixMilli() == 0 {
			return
		}
		p := Point{Timestamp: s.at.UnixMilli(), Input: s.tokens.input, Output: s.tokens.output,
			CacheRead: s.tokens.cacheRead, CacheWrite: s.tokens.cacheWrite, TotalTokens: s.total(), Cost: s.cost}
		sum.CumulativeTokens += p.TotalTokens
		sum.CumulativeCost += p.Cost
		p.CumulativeTokens, p.CumulativeCost = sum.CumulativeTokens, sum.CumulativeCost
		points = append(points, p)
	}
	err := l.readFile(f, func(s *source) error {
		return eachSpend(s, s.info.Size(), prices, []string{"user", "assistant"}, note)
	})
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", f.place.path(), err)
	}
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return thin(points), nil
}

// thin sums groups of points, so that not too many are left. What has added up
// is then counted in the order of time.
func thin(points []Point) []Point {
	if len(points) <= maxPoints {
		return points
	}
	out := []Point{}
	var sum Point
	for group := range slices.Chunk(points, (len(points)+maxPoints-1)/maxPoints) {
		last := group[len(group)-1]
		for _, p := range group[:len(group)-1] {
			last.Input += p.Input
			last.Output += p.Output
			last.CacheRead += p.CacheRead
			last.CacheWrite += p.CacheWrite
			last.TotalTokens += p.TotalTokens
			last.Cost += p.Cost
		}
		sum.CumulativeTokens += last.TotalTokens
		sum.CumulativeCost += last.Cost
		last.CumulativeTokens, last.CumulativeCost = sum.CumulativeTokens, sum.CumulativeCost
		out = append(out, last)
	}
	return out
}

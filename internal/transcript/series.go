package transcript

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// maxPoints is the length of a series; a longer one is summed in groups.
const maxPoints = 200

// Point is one answer, or several in a row, of a usage series.
type Point struct {
	Timestamp        int64   `json:"timestamp"`
	Input            int64   `json:"input"`
	Output           int64   `json:"output"`
	CacheRead        int64   `json:"cacheRead"`
	CacheWrite       int64   `json:"cacheWrite"`
	TotalTokens      int64   `json:"totalTokens"`
	Cost             float64 `json:"cost"`
	CumulativeTokens int64   `json:"cumulativeTokens"`
	CumulativeCost   float64 `json:"cumulativeCost"`
}

// Series is the usage of a file over time. What has added up is counted in the
// order of the file, then the points are sorted by time.
func (l *Library) Series(f UsageFile, prices Prices) ([]Point, error) {
	points := []Point{}
	var sum Point
	note := func(s *spend) {
		if !s.used || s.at.IsZero() {
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

// thin sums groups of points, so that not too many are left.
func thin(points []Point) []Point {
	if len(points) <= maxPoints {
		return points
	}
	out := []Point{}
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
		out = append(out, last)
	}
	return out
}

// maxLogText is the longest text of a log line, in UTF-16 units.
const maxLogText = 2000

// LogLine is one message in a session's log.
type LogLine struct {
	Timestamp int64    `json:"timestamp"`
	Role      string   `json:"role"`
	Content   string   `json:"content"`
	Tokens    *int64   `json:"tokens,omitzero"`
	Cost      *float64 `json:"cost,omitzero"`
}

// Logs is the last so many messages of a file by time, with their words and
// what they cost. Messages without words are left out.
func (l *Library) Logs(f UsageFile, prices Prices, limit int) ([]LogLine, error) {
	logs := []LogLine{}
	note := func(s *spend) {
		line := LogLine{Role: s.role, Content: logText(s)}
		if line.Content == "" {
			return
		}
		if !s.at.IsZero() {
			line.Timestamp = s.at.UnixMilli()
		}
		if s.used {
			line.Tokens = new(s.total())
			if s.costKnown {
				line.Cost = new(s.cost)
			}
		}
		logs = append(logs, line)
	}
	err := l.readFile(f, func(s *source) error {
		return eachSpend(s, s.info.Size(), prices, []string{"user", "assistant", "tool", "toolResult"}, note)
	})
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", f.place.path(), err)
	}
	slices.SortStableFunc(logs, func(a, b LogLine) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return logs[max(0, len(logs)-limit):], nil
}

// logText is the words of a message for a log.
func logText(s *spend) string {
	var lines []string
	if s.role == "tool" || s.role == "toolResult" {
		if name := firstText(s.message.Text("toolName"), s.message.Text("tool_name")); name != "" {
			lines = append(lines, "[Tool: "+name+"]")
		}
		lines = append(lines, "[Tool Result]")
	}
	words, ok := rawjson.Text(s.message.Get("content"))
	if !ok {
		words = strings.Join(logParts(s.parts), "\n")
	}
	if words == "" {
		words = s.message.Text("text")
	}
	words = stripAdded(words, s.role == "user")
	if words = jstext.Trim(words); words != "" {
		lines = append(lines, words)
	}
	out := strings.Join(lines, "\n")
	if jstext.Len(out) > maxLogText {
		out = jstext.Cut(out, maxLogText) + "…"
	}
	return out
}

func logParts(parts []rawjson.Object) []string {
	var out []string
	for _, p := range parts {
		switch p.Text("type") {
		case "text":
			if s := p.Text("text"); s != "" {
				out = append(out, s)
			}
		case "tool_use":
			out = append(out, "[Tool: "+p.Text("name")+"]")
		}
	}
	return out
}

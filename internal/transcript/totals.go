package transcript

import (
	"cmp"
	"math"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
)

// Totals are sums of tokens and dollars.
type Totals struct {
	Input              float64 `json:"input"`
	Output             float64 `json:"output"`
	CacheRead          float64 `json:"cacheRead"`
	CacheWrite         float64 `json:"cacheWrite"`
	TotalTokens        float64 `json:"totalTokens"`
	TotalCost          float64 `json:"totalCost"`
	InputCost          float64 `json:"inputCost"`
	OutputCost         float64 `json:"outputCost"`
	CacheReadCost      float64 `json:"cacheReadCost"`
	CacheWriteCost     float64 `json:"cacheWriteCost"`
	MissingCostEntries int     `json:"missingCostEntries"`
}

func (t *Totals) note(s *spend) {
	t.Input += s.tokens.input
	t.Output += s.tokens.output
	t.CacheRead += s.tokens.cacheRead
	t.CacheWrite += s.tokens.cacheWrite
	t.TotalTokens += s.total()
	if !s.costKnown {
		t.MissingCostEntries++
		return
	}
	t.TotalCost += s.cost
	if !s.estimated {
		costs, _ := rawjson.Parse(s.tokens.costs)
		named := func(name string) float64 {
			f, _ := rawjson.Number(costs.Get(name))
			return f
		}
		t.InputCost += named("input")
		t.OutputCost += named("output")
		t.CacheReadCost += named("cacheRead")
		t.CacheWriteCost += named("cacheWrite")
	}
}

// Add adds the sums of o.
func (t *Totals) Add(o Totals) {
	t.Input += o.Input
	t.Output += o.Output
	t.CacheRead += o.CacheRead
	t.CacheWrite += o.CacheWrite
	t.TotalTokens += o.TotalTokens
	t.TotalCost += o.TotalCost
	t.InputCost += o.InputCost
	t.OutputCost += o.OutputCost
	t.CacheReadCost += o.CacheReadCost
	t.CacheWriteCost += o.CacheWriteCost
	t.MissingCostEntries += o.MissingCostEntries
}

// MessageCounts count the messages of a conversation.
type MessageCounts struct {
	Total       int `json:"total"`
	User        int `json:"user"`
	Assistant   int `json:"assistant"`
	ToolCalls   int `json:"toolCalls"`
	ToolResults int `json:"toolResults"`
	Errors      int `json:"errors"`
}

// Add adds the counts of o.
func (c *MessageCounts) Add(o MessageCounts) {
	c.Total += o.Total
	c.User += o.User
	c.Assistant += o.Assistant
	c.ToolCalls += o.ToolCalls
	c.ToolResults += o.ToolResults
	c.Errors += o.Errors
}

// Latency says how long answers took.
type Latency struct {
	Count int     `json:"count"`
	AvgMs float64 `json:"avgMs"`
	P95Ms float64 `json:"p95Ms"`
	MinMs float64 `json:"minMs"`
	MaxMs float64 `json:"maxMs"`
}

// latencyOf summarises durations; nil for none.
func latencyOf(ms []float64) *Latency {
	if len(ms) == 0 {
		return nil
	}
	slices.Sort(ms)
	sum := 0.0
	for _, m := range ms {
		sum += m
	}
	n := len(ms)
	p95 := ms[max(0, int(math.Ceil(0.95*float64(n)))-1)]
	return &Latency{Count: n, AvgMs: sum / float64(n), P95Ms: p95, MinMs: ms[0], MaxMs: ms[n-1]}
}

// Join is l and o together, as far as summaries can be joined: the mean is
// weighted, the 95th percentile the larger one. Either may be nil.
func (l *Latency) Join(o *Latency) *Latency {
	if l == nil || o == nil {
		return cmp.Or(l, o)
	}
	n := l.Count + o.Count
	return &Latency{
		Count: n,
		AvgMs: (l.AvgMs*float64(l.Count) + o.AvgMs*float64(o.Count)) / float64(n),
		P95Ms: max(l.P95Ms, o.P95Ms), MinMs: min(l.MinMs, o.MinMs), MaxMs: max(l.MaxMs, o.MaxMs),
	}
}

// ToolUsage counts calls of tools, the most called one first.
type ToolUsage struct {
	TotalCalls  int         `json:"totalCalls"`
	UniqueTools int         `json:"uniqueTools"`
	Tools       []ToolCalls `json:"tools"`
}

// ToolCalls counts the calls of one tool.
type ToolCalls struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Add counts calls of a tool.
func (u *ToolUsage) Add(name string, n int) {
	u.TotalCalls += n
	i := slices.IndexFunc(u.Tools, func(t ToolCalls) bool { return t.Name == name })
	if i < 0 {
		i = len(u.Tools)
		u.Tools = append(u.Tools, ToolCalls{Name: name})
		u.UniqueTools++
	}
	u.Tools[i].Count += n
}

// Sort puts the most called tool first.
func (u *ToolUsage) Sort() {
	slices.SortStableFunc(u.Tools, func(a, b ToolCalls) int { return b.Count - a.Count })
}

// ModelUsage is what one model, or one provider, was used for.
type ModelUsage struct {
	Provider string `json:"provider,omitzero"`
	Model    string `json:"model,omitzero"`
	Count    int    `json:"count"`
	Totals   Totals `json:"totals"`
}

// AddModel adds usage to that of its model in list.
func AddModel(list []ModelUsage, u ModelUsage) []ModelUsage {
	i := slices.IndexFunc(list, func(m ModelUsage) bool { return m.Provider == u.Provider && m.Model == u.Model })
	if i < 0 {
		return append(list, u)
	}
	list[i].Count += u.Count
	list[i].Totals.Add(u.Totals)
	return list
}

// SortModels puts the most expensive first, then the most used.
func SortModels(list []ModelUsage) {
	slices.SortStableFunc(list, func(a, b ModelUsage) int {
		return cmp.Or(cmp.Compare(b.Totals.TotalCost, a.Totals.TotalCost), cmp.Compare(b.Totals.TotalTokens, a.Totals.TotalTokens))
	})
}

package gateway

import (
	"cmp"
	"maps"
	"slices"

	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

// usageAggregates are the sums over the sessions of a report.
type usageAggregates struct {
	Messages     transcript.MessageCounts  `json:"messages"`
	Tools        transcript.ToolUsage      `json:"tools"`
	ByModel      []transcript.ModelUsage   `json:"byModel"`
	ByProvider   []transcript.ModelUsage   `json:"byProvider"`
	ByAgent      []agentUsage              `json:"byAgent"`
	ByChannel    []channelUsage            `json:"byChannel"`
	Latency      *transcript.Latency       `json:"latency,omitzero"`
	DailyLatency []transcript.DailyLatency `json:"dailyLatency"`
	ModelDaily   []transcript.DailyModel   `json:"modelDaily"`
	Daily        []dailyUsage              `json:"daily"`
}

type agentUsage struct {
	AgentID string            `json:"agentId"`
	Totals  transcript.Totals `json:"totals"`
}

type channelUsage struct {
	Channel string            `json:"channel"`
	Totals  transcript.Totals `json:"totals"`
}

type dailyUsage struct {
	Date      string  `json:"date"`
	Tokens    float64 `json:"tokens"`
	Cost      float64 `json:"cost"`
	Messages  int     `json:"messages"`
	ToolCalls int     `json:"toolCalls"`
	Errors    int     `json:"errors"`
}

type modelDay struct{ date, provider, model string }

// aggregation adds up session by session.
type aggregation struct {
	usageAggregates
	agents    map[string]*transcript.Totals
	channels  map[string]*transcript.Totals
	latencies map[string]*transcript.Latency
	models    map[modelDay]int // index in ModelDaily
	days      map[string]*dailyUsage
}

// aggregate sums up the sessions of a report.
func aggregate(list []sessionUsage) usageAggregates {
	a := aggregation{
		agents: map[string]*transcript.Totals{}, channels: map[string]*transcript.Totals{},
		latencies: map[string]*transcript.Latency{}, models: map[modelDay]int{}, days: map[string]*dailyUsage{},
	}
	for _, s := range list {
		a.add(s)
	}
	return a.result()
}

func (a *aggregation) add(s sessionUsage) {
	r := s.Usage
	a.Messages.Add(r.MessageCounts)
	if r.ToolUsage != nil {
		for _, t := range r.ToolUsage.Tools {
			a.Tools.Add(t.Name, t.Count)
		}
	}
	for _, m := range r.ModelUsage {
		a.ByModel = transcript.AddModel(a.ByModel, m)
		m.Model = ""
		a.ByProvider = transcript.AddModel(a.ByProvider, m)
	}
	a.Latency = a.Latency.Join(r.Latency)
	if s.AgentID != "" {
		at(a.agents, s.AgentID).Add(r.Totals)
	}
	if channel, ok := rawjson.Text(s.Channel); ok && channel != "" {
		at(a.channels, channel).Add(r.Totals)
	}
	a.addDays(r)
}

func (a *aggregation) addDays(r *transcript.Report) {
	for _, d := range r.DailyLatency {
		a.latencies[d.Date] = a.latencies[d.Date].Join(&d.Latency)
	}
	for _, m := range r.DailyModelUsage {
		a.addModelDay(m)
	}
	for _, d := range r.DailyBreakdown {
		day := at(a.days, d.Date)
		day.Tokens += d.Tokens
		day.Cost += d.Cost
	}
	for _, d := range r.DailyMessageCounts {
		day := at(a.days, d.Date)
		day.Messages += d.Total
		day.ToolCalls += d.ToolCalls
		day.Errors += d.Errors
	}
}

// addModelDay adds up what a model was used for on one day. The days of the
// models stay in the order in which they came: it decides among equal costs.
func (a *aggregation) addModelDay(m transcript.DailyModel) {
	i, ok := a.models[modelDay{m.Date, m.Provider, m.Model}]
	if !ok {
		a.models[modelDay{m.Date, m.Provider, m.Model}] = len(a.ModelDaily)
		a.ModelDaily = append(a.ModelDaily, m)
		return
	}
	sum := &a.ModelDaily[i]
	sum.Tokens += m.Tokens
	sum.Cost += m.Cost
	sum.Count += m.Count
}

// at is the sum under a key, made when it is missing.
func at[K comparable, V any](m map[K]*V, key K) *V {
	if m[key] == nil {
		m[key] = new(V)
	}
	return m[key]
}

func (a *aggregation) result() usageAggregates {
	a.Tools.Sort()
	transcript.SortModels(a.ByModel)
	transcript.SortModels(a.ByProvider)
	for _, id := range slices.Sorted(maps.Keys(a.agents)) {
		a.ByAgent = append(a.ByAgent, agentUsage{id, *a.agents[id]})
	}
	slices.SortStableFunc(a.ByAgent, func(x, y agentUsage) int { return cmp.Compare(y.Totals.TotalCost, x.Totals.TotalCost) })
	for _, name := range slices.Sorted(maps.Keys(a.channels)) {
		a.ByChannel = append(a.ByChannel, channelUsage{name, *a.channels[name]})
	}
	slices.SortStableFunc(a.ByChannel, func(x, y channelUsage) int { return cmp.Compare(y.Totals.TotalCost, x.Totals.TotalCost) })
	for _, date := range slices.Sorted(maps.Keys(a.latencies)) {
		a.DailyLatency = append(a.DailyLatency, transcript.DailyLatency{Date: date, Latency: *a.latencies[date]})
	}
	transcript.SortDailyModels(a.ModelDaily)
	for _, date := range slices.Sorted(maps.Keys(a.days)) {
		day := a.days[date]
		day.Date = date
		a.Daily = append(a.Daily, *day)
	}
	return a.usageAggregates
}

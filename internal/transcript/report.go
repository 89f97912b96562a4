package transcript

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// longestAnswer bounds the latencies that count: a longer one is a pause, not
// an answer.
const longestAnswer = 12 * time.Hour

// Report is the usage of one transcript within a range of time. Days are in
// the time zone of this computer.
type Report struct {
	SessionID          string          `json:"sessionId"`
	SessionFile        string          `json:"sessionFile"`
	FirstActivity      *int64          `json:"firstActivity,omitzero"`
	LastActivity       *int64          `json:"lastActivity,omitzero"`
	DurationMs         *int64          `json:"durationMs,omitzero"`
	ActivityDates      []string        `json:"activityDates"`
	DailyBreakdown     []DailyCost     `json:"dailyBreakdown"`
	DailyMessageCounts []DailyMessages `json:"dailyMessageCounts"`
	DailyLatency       []DailyLatency  `json:"dailyLatency,omitzero"`
	DailyModelUsage    []DailyModel    `json:"dailyModelUsage,omitzero"`
	MessageCounts      MessageCounts   `json:"messageCounts"`
	ToolUsage          *ToolUsage      `json:"toolUsage,omitzero"`
	ModelUsage         []ModelUsage    `json:"modelUsage,omitzero"`
	Latency            *Latency        `json:"latency,omitzero"`
	Totals
}

// DailyCost is what one day used.
type DailyCost struct {
	Date   string  `json:"date"`
	Tokens float64 `json:"tokens"`
	Cost   float64 `json:"cost"`
}

// DailyMessages counts one day's messages.
type DailyMessages struct {
	Date string `json:"date"`
	MessageCounts
}

// DailyLatency is how long one day's answers took.
type DailyLatency struct {
	Date string `json:"date"`
	Latency
}

// DailyModel is what one model was used for on one day.
type DailyModel struct {
	Date     string  `json:"date"`
	Provider string  `json:"provider,omitzero"`
	Model    string  `json:"model,omitzero"`
	Tokens   float64 `json:"tokens"`
	Cost     float64 `json:"cost"`
	Count    int     `json:"count"`
}

// SortDailyModels orders by day, then the most expensive first.
func SortDailyModels(list []DailyModel) {
	slices.SortStableFunc(list, func(a, b DailyModel) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(b.Cost, a.Cost))
	})
}

// Report reads a whole file and reports on its messages from one time to
// another, both included. Messages without a time are counted, on no day.
func (l *Library) Report(f UsageFile, from, to time.Time, prices Prices) (*Report, error) {
	b := &reporter{r: &Report{SessionID: f.SessionID, SessionFile: f.place.path()}, from: from, to: to, days: map[string]*day{}}
	err := l.readFile(f, func(s *source) error {
		return eachSpend(s, s.info.Size(), prices, []string{"user", "assistant"}, b.note)
	})
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", f.place.path(), err)
	}
	return b.report(), nil
}

// reporter gathers a Report message by message.
type reporter struct {
	r         *Report
	from, to  time.Time
	days      map[string]*day
	tools     ToolUsage
	latencies []float64
	asked     time.Time // of the last user message
}

type day struct {
	cost      *DailyCost
	counts    MessageCounts
	latencies []float64
	models    []DailyModel
}

func (b *reporter) note(s *spend) {
	if !s.at.IsZero() && (s.at.Before(b.from) || s.at.After(b.to)) {
		return
	}
	var d *day
	if !s.at.IsZero() {
		d = b.day(s.at)
	} else {
		d = &day{}
	}
	c := b.count(s)
	b.r.MessageCounts.Add(c)
	d.counts.Add(c)
	for _, name := range s.calledTools() {
		b.tools.Add(name, 1)
	}
	if ms, ok := b.latency(s); ok {
		b.latencies = append(b.latencies, ms)
		d.latencies = append(d.latencies, ms)
	}
	if s.used {
		b.use(s, d)
	}
}

// day is the day of a time, which it takes note of.
func (b *reporter) day(at time.Time) *day {
	ms := at.UnixMilli()
	if b.r.FirstActivity == nil || ms < *b.r.FirstActivity {
		b.r.FirstActivity = &ms
	}
	if b.r.LastActivity == nil || ms > *b.r.LastActivity {
		b.r.LastActivity = &ms
	}
	date := at.Local().Format(time.DateOnly)
	if b.days[date] == nil {
		b.days[date] = &day{}
	}
	return b.days[date]
}

func (b *reporter) count(s *spend) MessageCounts {
	c := MessageCounts{Total: 1, ToolCalls: len(s.calledTools())}
	if s.role == "user" {
		c.User = 1
	} else {
		c.Assistant = 1
	}
	c.ToolResults, c.Errors = s.toolResults()
	if s.failed() {
		c.Errors++
	}
	return c
}

// latency is how long an answer took, by what it says or since the question.
func (b *reporter) latency(s *spend) (ms float64, ok bool) {
	if s.role == "user" {
		if !s.at.IsZero() {
			b.asked = s.at
		}
		return 0, false
	}
	if s.at.IsZero() {
		return 0, false
	}
	ms, ok = s.durationMs, s.timed
	if !ok && !b.asked.IsZero() {
		ms, ok = float64(max(0, s.at.Sub(b.asked).Milliseconds())), true
	}
	return ms, ok && ms <= float64(longestAnswer.Milliseconds())
}

// use adds up what a message cost.
func (b *reporter) use(s *spend, d *day) {
	b.r.Totals.note(s)
	if d.cost == nil {
		d.cost = &DailyCost{}
	}
	d.cost.Tokens += s.sum()
	d.cost.Cost += s.cost
	if s.provider == "" && s.model == "" {
		return // of no model
	}
	one := ModelUsage{Provider: s.provider, Model: s.model, Count: 1}
	one.Totals.note(s)
	b.r.ModelUsage = AddModel(b.r.ModelUsage, one)
	i := slices.IndexFunc(d.models, func(m DailyModel) bool { return m.Provider == s.provider && m.Model == s.model })
	if i < 0 {
		i = len(d.models)
		d.models = append(d.models, DailyModel{Provider: s.provider, Model: s.model})
	}
	d.models[i].Tokens += s.sum()
	d.models[i].Cost += s.cost
	d.models[i].Count++
}

func (b *reporter) report() *Report {
	r := b.r
	if r.FirstActivity != nil {
		r.DurationMs = new(*r.LastActivity - *r.FirstActivity)
	}
	for date := range b.days {
		r.ActivityDates = append(r.ActivityDates, date)
	}
	slices.Sort(r.ActivityDates)
	for _, date := range r.ActivityDates {
		d := b.days[date]
		if d.cost != nil {
			d.cost.Date = date
			r.DailyBreakdown = append(r.DailyBreakdown, *d.cost)
		}
		r.DailyMessageCounts = append(r.DailyMessageCounts, DailyMessages{date, d.counts})
		if l := latencyOf(d.latencies); l != nil {
			r.DailyLatency = append(r.DailyLatency, DailyLatency{date, *l})
		}
		for _, m := range d.models {
			m.Date = date
			r.DailyModelUsage = append(r.DailyModelUsage, m)
		}
	}
	SortDailyModels(r.DailyModelUsage)
	SortModels(r.ModelUsage)
	r.Latency = latencyOf(b.latencies)
	if b.tools.Sort(); len(b.tools.Tools) > 0 {
		r.ToolUsage = &b.tools
	}
	return r
}

package gateway

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// defaultContextTokens is the window of a model of which nothing is known.
const defaultContextTokens = 200_000

// contextTokens is the context window that counts for a model: the configured
// limit, else the model's own, else the default.
func (g *Gateway) contextTokens(m config.ModelRef) int64 {
	if n := g.cfg().Agents.Defaults.ContextTokens; n > 0 {
		return n
	}
	if n, ok := g.cfg().ContextWindow(m); ok {
		return n
	}
	return defaultContextTokens
}

// statusRow is one session for status.
func (g *Gateway) statusRow(agent, key string, e sessions.Entry) statusRow {
	row, _ := g.row(key) // a key in an old spelling has no row of its own: its model is the default
	r := statusRow{
		AgentID: agent, Key: key, Kind: kindOf(key, e), SessionID: e.SessionID(),
		ThinkingLevel: e.Value("thinkingLevel"), FastMode: e.Value("fastMode"), VerboseLevel: e.Value("verboseLevel"),
		ReasoningLevel: e.Value("reasoningLevel"), ElevatedLevel: e.Value("elevatedLevel"),
		SystemSent: e.Value("systemSent"), AbortedLastRun: e.Value("abortedLastRun"),
		InputTokens: e.Value("inputTokens"), OutputTokens: e.Value("outputTokens"),
		CacheRead: e.Value("cacheRead"), CacheWrite: e.Value("cacheWrite"),
		Model:         cmp.Or(row.Model, g.cfg().DefaultModel(agent).Model),
		ContextTokens: g.contextTokens(g.cfg().DefaultModel(agent)), Flags: statusFlags(e),
	}
	if at := e.UpdatedAt(); at > 0 {
		age := time.Now().UnixMilli() - at
		r.UpdatedAt, r.Age = &at, &age
	}
	if n, ok := rawjson.Number(row.ContextTokens); ok && n > 0 {
		r.ContextTokens = int64(n)
	}
	r.countTokens(e)
	return r
}

// countTokens fills in how much of the context window a session fills, as its
// entry says it: unlike a row of the list, status looks into no transcript.
func (r *statusRow) countTokens(e sessions.Entry) {
	total, counted := rawjson.Number(e.Value("totalTokens"))
	fresh, told := e.Bool("totalTokensFresh")
	r.TotalTokensFresh = counted && (fresh || !told)
	if !r.TotalTokensFresh || total < 0 {
		return
	}
	window := float64(r.ContextTokens)
	left, used := max(window-total, 0), int64(min(math.Floor(total/window*100+0.5), 999))
	r.TotalTokens, r.RemainingTokens, r.PercentUsed = &total, &left, &used
}

// statusFlags are an entry's settings in short.
func statusFlags(e sessions.Entry) []string {
	flags := []string{}
	text := func(prefix, field string) {
		if v := e.Text(field); v != "" {
			flags = append(flags, prefix+v)
		}
	}
	text("think:", "thinkingLevel")
	text("verbose:", "verboseLevel")
	switch on, set := e.Bool("fastMode"); {
	case on:
		flags = append(flags, "fast")
	case set:
		flags = append(flags, "fast:off")
	}
	text("reasoning:", "reasoningLevel")
	text("elevated:", "elevatedLevel")
	if on, _ := e.Bool("systemSent"); on {
		flags = append(flags, "system")
	}
	if on, _ := e.Bool("abortedLastRun"); on {
		flags = append(flags, "aborted")
	}
	text("id:", "sessionId")
	return flags
}

// newestRows are the n rows with the latest updatedAt.
func newestRows(rows []statusRow, n int) []statusRow {
	at := func(r statusRow) int64 {
		if r.UpdatedAt == nil {
			return 0
		}
		return *r.UpdatedAt
	}
	slices.SortStableFunc(rows, func(a, b statusRow) int { return cmp.Compare(at(b), at(a)) })
	return rows[:min(n, len(rows))]
}

package gateway

import (
	"cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// row is what clients see of the session with this canonical key now, as
// events carry it. ok is false when there is no such session.
func (g *Gateway) row(key string) (row protocol.Row, ok bool) {
	f, ok, err := g.stores.Lookup(key)
	if err != nil || !ok {
		return protocol.Row{}, false
	}
	return g.makeRow(f.Key, f.Entry, g.transcripts.Look(runs.Ref(f.Store, f.Key, f.Entry)), g.stores.Combined().Children(f.Key)), true
}

// makeRow is the row of an entry with its transcript (spec: sessions 5). Its
// fields are in the order of protocol.Row; what the entry lacks is left out.
func (g *Gateway) makeRow(key string, e sessions.Entry, look *transcript.Look, children []string) protocol.Row {
	model := sessions.ShownModel(g.cfg(), g.keys().Agent(key), e)
	route := sessions.EntryRoute(e)
	row := protocol.Row{
		Key: key, SpawnedBy: e.Value("spawnedBy"), Kind: kindOf(key, e), Label: e.Value("label"),
		DisplayName: sessions.DisplayName(key, e), Channel: sessions.Channel(key, e), Subject: e.Value("subject"),
		GroupChannel: e.Value("groupChannel"), Space: e.Value("space"), ChatType: e.Value("chatType"),
		Origin: e.Value("origin"), UpdatedAt: updatedAt(e), SessionID: e.Value("sessionId"),
		SystemSent: e.Value("systemSent"), AbortedLastRun: e.Value("abortedLastRun"),
		ThinkingLevel: e.Value("thinkingLevel"), FastMode: e.Value("fastMode"),
		VerboseLevel: e.Value("verboseLevel"), ReasoningLevel: e.Value("reasoningLevel"),
		ElevatedLevel: e.Value("elevatedLevel"), SendPolicy: e.Value("sendPolicy"),
		InputTokens: e.Value("inputTokens"), OutputTokens: e.Value("outputTokens"),
		Status: e.Value("status"), StartedAt: e.Value("startedAt"), EndedAt: e.Value("endedAt"),
		RuntimeMs: e.Value("runtimeMs"), ParentSessionKey: e.Value("parentSessionKey"),
		ChildSessions: children, ResponseUsage: e.Value("responseUsage"),
		ModelProvider: model.Provider, Model: model.Model, DeliveryContext: route.Context(),
		LastChannel:   either(route.Channel, e.Value("lastChannel")),
		LastTo:        either(route.To, e.Value("lastTo")),
		LastAccountID: either(route.AccountID, e.Value("lastAccountId")),
	}
	g.addUsage(&row, e, look, model)
	return row
}

// either is v, or w where v is absent or null.
func either(v, w rawjson.Value) rawjson.Value {
	if rawjson.Null(v) {
		return w
	}
	return v
}

func updatedAt(e sessions.Entry) rawjson.Value {
	return either(e.Value("updatedAt"), rawjson.Value("null"))
}

// kindOf is what sort of session a key and entry make (spec: sessions 2.3).
func kindOf(key string, e sessions.Entry) string {
	if key == "global" || key == "unknown" {
		return key
	}
	if t := e.Text("chatType"); t == "group" || t == "channel" || sessions.GroupKey(key) {
		return "group"
	}
	return "direct"
}

// addUsage fills in tokens, context window and cost (spec: sessions 5.2). The
// transcript is asked only for what the entry does not say.
func (g *Gateway) addUsage(row *protocol.Row, e sessions.Entry, look *transcript.Look, model config.ModelRef) {
	row.TotalTokens = freshTotal(e)
	row.ContextTokens = positive(e.Value("contextTokens"))
	if cost, ok := e.Number("estimatedCostUsd"); ok && cost >= 0 {
		row.EstimatedCostUSD = e.Value("estimatedCostUsd")
	} else if cost, ok := g.entryCost(e, model); ok {
		row.EstimatedCostUSD = rawjson.MustMarshal(cost)
	}
	if row.TotalTokens == nil || row.ContextTokens == nil || row.EstimatedCostUSD == nil {
		if u, ok := look.Usage(); ok {
			g.addTranscriptUsage(row, u, model)
		}
	}
	if row.ContextTokens == nil {
		if window, ok := g.cfg().ContextWindow(model); ok {
			row.ContextTokens = rawjson.MustMarshal(window)
		}
	}
	row.TotalTokensFresh = row.TotalTokens != nil
}

// addTranscriptUsage fills in what the transcript tells. Answers that do not
// name their model are of the row's.
func (g *Gateway) addTranscriptUsage(row *protocol.Row, u transcript.Usage, model config.ModelRef) {
	model = config.ModelRef{Provider: cmp.Or(u.Provider, model.Provider), Model: cmp.Or(u.Model, model.Model)}
	if row.TotalTokens == nil && u.TotalTokens > 0 {
		row.TotalTokens = rawjson.MustMarshal(u.TotalTokens)
	}
	if window, ok := g.cfg().ContextWindow(model); row.ContextTokens == nil && u.Model != "" && ok {
		row.ContextTokens = rawjson.MustMarshal(window)
	}
	if row.EstimatedCostUSD != nil {
		return
	}
	if u.HasCost {
		row.EstimatedCostUSD = rawjson.MustMarshal(u.Cost)
	} else if cost, ok := g.cost(model, u.Input, u.Output, u.CacheRead, u.CacheWrite); ok {
		row.EstimatedCostUSD = rawjson.MustMarshal(cost)
	}
}

// freshTotal is the stored number of tokens, unless it is out of date.
func freshTotal(e sessions.Entry) rawjson.Value {
	if fresh, ok := e.Bool("totalTokensFresh"); ok && !fresh {
		return nil
	}
	return positive(e.Value("totalTokens"))
}

// positive is v if it is a number above 0.
func positive(v rawjson.Value) rawjson.Value {
	if n, ok := rawjson.Number(v); !ok || n <= 0 {
		return nil
	}
	return v
}

// entryCost is the price of the usage that an entry holds.
func (g *Gateway) entryCost(e sessions.Entry, model config.ModelRef) (float64, bool) {
	tokens := func(name string) float64 {
		n, _ := e.Number(name)
		return max(0, n)
	}
	return g.cost(model, tokens("inputTokens"), tokens("outputTokens"), tokens("cacheRead"), tokens("cacheWrite"))
}

// cost is the price of tokens in dollars; there is none without tokens or
// without a configured price.
func (g *Gateway) cost(model config.ModelRef, input, output, cacheRead, cacheWrite float64) (float64, bool) {
	price, ok := g.cfg().Cost(model)
	if !ok || input+output+cacheRead+cacheWrite == 0 {
		return 0, false
	}
	return (input*price.Input + output*price.Output + cacheRead*price.CacheRead + cacheWrite*price.CacheWrite) / 1_000_000, true
}

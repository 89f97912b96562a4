package runs

import (
	"context"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
)

// webchat is the channel of every message that comes through the gateway.
const webchat = "webchat"

type place struct {
	Channel string `json:"channel"`
}

type beginning struct {
	Provider string `json:"provider"`
	Surface  string `json:"surface"`
	ChatType string `json:"chatType"`
}

// Fields that a new beginning removes, unless a person asked for it and they
// are settings.
var (
	droppedAlways = []string{
		"responseUsage", "sendPolicy", "queueMode", "queueDebounceMs", "queueCap", "queueDrop",
		"displayName", "channel", "groupId", "subject", "groupChannel", "space",
		"memoryFlushAt", "memoryFlushCompactionCount", "memoryFlushContextHash",
		"totalTokens", "inputTokens", "outputTokens", "estimatedCostUsd", "contextTokens",
	}
	droppedWhenStale = []string{
		"thinkingLevel", "verboseLevel", "reasoningLevel", "ttsAuto", "modelOverride", "providerOverride",
		"authProfileOverride", "authProfileOverrideSource", "authProfileOverrideCompactionCount", "label",
	}
)

// arrival is a message on its way into an entry.
type arrival struct {
	kind  Kind
	key   string
	fresh bool // a person asked for a new beginning
	stays bool // never begin anew (commands)
	now   time.Time
}

// taken is what a message made of an entry.
type taken struct {
	entry   sessions.Entry
	created bool
	// retired is the entry whose transcripts are to be archived, if anew.
	retired sessions.Entry
	anew    bool
}

// take finds or makes the entry of a message inside an update, and puts what
// change makes of it.
func (e *Engine) take(tx *sessions.Tx, st *sessions.Store, a arrival, change func(*rawjson.Object)) (taken, error) {
	old, ok := tx.Claim(a.key)
	t := taken{created: !ok}
	fields := old.Fields().Clone()
	stale := ok && !a.stays && !a.fresh && e.stale(a, old)
	switch {
	case !ok || old.SessionID() == "":
		t.created = !ok
		beginAnew(&fields, a, newID())
	case stale || a.fresh:
		t.retired, t.anew = old, true
		fields.Delete(droppedAlways...)
		if stale {
			fields.Delete(droppedWhenStale...)
		}
		fields.Delete("sessionFile", "chatType")
		beginAnew(&fields, a, newID())
	default:
		touch(&fields, a.now.UnixMilli())
	}
	if err := e.address(&fields, st, a, t.created || t.anew); err != nil {
		return taken{}, err
	}
	if change != nil {
		change(&fields)
	}
	t.entry = sessions.NewEntry(fields)
	tx.Put(a.key, t.entry)
	return t, nil
}

// beginAnew gives an entry a new transcript.
func beginAnew(fields *rawjson.Object, a arrival, id string) {
	fields.Put("sessionId", id)
	fields.Put("updatedAt", a.now.UnixMilli())
	if a.kind == Chat {
		fields.Put("systemSent", false)
		fields.Put("abortedLastRun", false)
	}
}

// address writes where a message came from and where its transcript lies.
func (e *Engine) address(fields *rawjson.Object, st *sessions.Store, a arrival, anew bool) error {
	if a.kind == Chat {
		if fields.Text("chatType") == "" {
			fields.Put("chatType", "direct")
		}
		fields.Put("deliveryContext", place{webchat})
		fields.Put("lastChannel", webchat)
		fields.Put("origin", beginning{webchat, webchat, "direct"})
	}
	path, err := e.o.Transcripts.File(Ref(st, a.key, sessions.NewEntry(fields.Clone())))
	if err != nil {
		return err
	}
	fields.Put("sessionFile", path)
	if a.kind == Chat && anew {
		fields.Put("compactionCount", 0)
	}
	return nil
}

// stale reports whether a session has rested long enough to begin anew.
func (e *Engine) stale(a arrival, old sessions.Entry) bool {
	if old.UpdatedAt() <= 0 {
		return false
	}
	channel := ""
	if a.kind == Chat {
		channel = webchat
	}
	policy := e.cfg().ResetPolicy(resetKind(a.key, old.Text("chatType")), channel)
	return policy.Stale(time.UnixMilli(old.UpdatedAt()), a.now)
}

// resetKind is the kind of session by which reset policies tell.
func resetKind(key, chatType string) string {
	switch {
	case strings.Contains(key, ":thread:"), strings.Contains(key, ":topic:"):
		return "thread"
	case strings.Contains(key, ":group:"), strings.Contains(key, ":channel:"), chatType == "group", chatType == "channel":
		return "group"
	}
	return "direct"
}

// start writes into an entry that a run goes on.
func (r *run) start(fields *rawjson.Object) {
	if r.turn.Kind == Chat {
		fields.Put("systemSent", true)
	}
	fields.Put("status", "running")
	fields.Put("startedAt", r.startedAt)
	touch(fields, r.startedAt)
	fields.Put("abortedLastRun", false)
	fields.Delete("endedAt", "runtimeMs")
}

// finish writes into an entry that a run ended.
func finish(fields *rawjson.Object, status Status, startedAt, endedAt int64) {
	fields.Put("status", status)
	fields.Put("startedAt", startedAt)
	fields.Put("endedAt", endedAt)
	fields.Put("runtimeMs", max(endedAt-startedAt, 0))
	touch(fields, endedAt)
	fields.Put("abortedLastRun", status == Killed)
}

// touch marks an entry as changed at a time. What a run writes may be older
// than the last change: a person can patch the session while it goes on, and
// Recover writes down what happened before. updatedAt never goes back, or the
// order of the list and the daily reset would forget the later change.
func touch(fields *rawjson.Object, at int64) {
	if was, ok := rawjson.Number(fields.Get("updatedAt")); !ok || was < float64(at) {
		fields.Put("updatedAt", at)
	}
}

// spent writes into an entry what a run used. u is nil where that is unknown.
func (r *run) spent(fields *rawjson.Object, u *model.Usage) {
	values := map[string]any{
		"modelProvider": r.spoken.Provider, "model": r.spoken.Model, "contextTokens": r.e.window(r.spoken),
		"totalTokensFresh": u != nil,
	}
	if u != nil {
		values["inputTokens"], values["outputTokens"] = u.Input, u.Output
		values["cacheRead"], values["cacheWrite"] = u.CacheRead, u.CacheWrite
		values["totalTokens"] = u.Input + u.CacheRead + u.CacheWrite // what fills the context
		if cost, ok := r.costWith(fields, *u); ok {
			values["estimatedCostUsd"] = cost
		}
	}
	for _, name := range usageFields[r.turn.Kind] {
		if v, ok := values[name]; ok {
			fields.Put(name, v)
		}
	}
}

// costWith is what an entry has cost when u is added, by the price of the model
// that is asked; there is none without a price.
func (r *run) costWith(fields *rawjson.Object, u model.Usage) (float64, bool) {
	price, ok := r.e.cfg().Cost(r.spoken)
	before, _ := rawjson.Number(fields.Get("estimatedCostUsd"))
	return before + costOf(u, price).Total, ok
}

// charge adds the price of u to what an entry has cost.
func (r *run) charge(fields *rawjson.Object, u model.Usage) {
	if cost, ok := r.costWith(fields, u); ok {
		fields.Put("estimatedCostUsd", cost)
	}
}

// usageFields are the fields of spent in the order in which each kind of run
// writes them.
var usageFields = map[Kind][]string{
	Chat: {"modelProvider", "model", "contextTokens", "inputTokens", "outputTokens", "cacheRead", "cacheWrite",
		"estimatedCostUsd", "totalTokens", "totalTokensFresh"},
	Agent: {"contextTokens", "modelProvider", "model", "inputTokens", "outputTokens", "totalTokens", "totalTokensFresh",
		"cacheRead", "cacheWrite", "estimatedCostUsd"},
}

// unknownWindow is the size assumed for a model that nobody described.
const unknownWindow = 200_000

func (e *Engine) window(ref config.ModelRef) int64 {
	if n := e.cfg().Agents.Defaults.ContextTokens; n > 0 {
		return n
	}
	if n, ok := e.cfg().ContextWindow(ref); ok {
		return n
	}
	return unknownWindow
}

// update changes the session's entry. Nothing happens when it is gone: a run
// does not bring back what was deleted meanwhile.
func (r *run) update(change func(*rawjson.Object)) error {
	return r.store.Update(r.span.In(context.WithoutCancel(r.ctx)), func(tx *sessions.Tx) error {
		e, ok := tx.Claim(r.turn.Key)
		if ok {
			tx.Put(r.turn.Key, e.With(change))
		}
		return nil
	})
}

// archive puts the transcripts of a retired entry away.
func (e *Engine) archive(st *sessions.Store, key string, old sessions.Entry) {
	if e.o.Retire != nil {
		e.o.Retire(st, key, old)
		return
	}
	lib := e.o.Transcripts
	_, err := lib.Archive(Ref(st, key, old), "reset", func(path string) bool { return InUse(lib, st, path) })
	if err != nil {
		e.o.Log.Error("the old transcript could not be archived", "session", old.SessionID(), "err", err)
	}
}

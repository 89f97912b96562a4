package gateway

import (
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/upkeep"
)

// changedFields are the fields of a row that sessions.changed repeats beside
// it, in this order.
var changedFields = []string{
	"updatedAt", "sessionId", "kind", "channel", "label", "displayName", "deliveryContext", "parentSessionKey", "childSessions",
	"thinkingLevel", "systemSent", "abortedLastRun", "lastChannel", "lastTo", "lastAccountId", "totalTokens", "totalTokensFresh",
	"contextTokens", "estimatedCostUsd", "modelProvider", "model", "status", "startedAt", "endedAt", "runtimeMs",
}

// rowFields appends the named fields of a row, those it has, to an object. A
// row has updatedAt in any case, but null there means that the entry has none.
func rowFields(o *rawjson.Object, row *protocol.Row, names []string) {
	for _, name := range names {
		if v := row.Member(name); v != nil && !(name == "updatedAt" && rawjson.Null(v)) {
			o.Set(name, v)
		}
	}
}

// addRow appends what events tell of a session beside its row, and that.
func addRow(o *rawjson.Object, row *protocol.Row, whole rawjson.Value, names []string) {
	o.Set("session", whole)
	rowFields(o, row, names)
}

// publishChanged tells that a method changed a session: sessions.changed with
// a reason (spec: sessions 15.2, shape a). extra members stand behind the
// reason. Nothing is built when nobody listens. Call it in call.After.
func (g *Gateway) publishChanged(key, reason string, extra ...rawjson.Member) {
	if !g.hub.SessionsHeard() {
		return
	}
	var o rawjson.Object
	o.Put("sessionKey", key)
	o.Put("reason", reason)
	for _, m := range extra {
		o.Set(m.Name, m.Value)
	}
	o.Put("ts", time.Now().UnixMilli())
	if reason != "delete" {
		if row, ok := g.row(key); ok {
			rowFields(&o, &row, changedFields)
		}
	}
	g.hub.Publish(changedEvent(o))
}

func changedEvent(payload rawjson.Object) hub.Event {
	return hub.Event{Name: "sessions.changed", Payload: payload.JSON(), To: hub.Sessions(), Policy: hub.DropIfSlow}
}

// messageEvents are what is told of a message that now stands in a transcript:
// session.message, and sessions.changed with the phase message (spec: sessions
// 15.2 shape b, 15.3). They are to be published together, and only after the
// message is on disk. There are none when nobody listens.
func (g *Gateway) messageEvents(key string, a transcript.Appended) []hub.Event {
	if !g.hub.MessagesHeard(key) {
		return nil
	}
	row, known := g.row(key)
	whole := rawjson.Value(row.AppendJSON(nil))
	var message rawjson.Object
	message.Put("sessionKey", key)
	message.Set("message", a.Message)
	addPosition(&message, a, known)
	if known {
		addRow(&message, &row, whole, changedFields)
	}
	events := []hub.Event{{Name: "session.message", Payload: message.JSON(), To: hub.Messages(key), Policy: hub.DropIfSlow}}
	if !g.hub.SessionsHeard() {
		return events
	}
	var changed rawjson.Object
	changed.Put("sessionKey", key)
	changed.Put("phase", "message")
	changed.Put("ts", time.Now().UnixMilli())
	addPosition(&changed, a, known)
	if known {
		addRow(&changed, &row, whole, changedFields)
	}
	return append(events, changedEvent(changed))
}

// addPosition says where in the transcript a message stands.
func addPosition(o *rawjson.Object, a transcript.Appended, known bool) {
	if a.ID != "" {
		o.Put("messageId", a.ID)
	}
	if known {
		o.Put("messageSeq", a.Seq)
	}
}

// removed is told by a store that maintenance took entries out: their
// transcripts are set aside, and the end of the sessions is announced like that
// of deleted ones.
func (g *Gateway) removed(st *sessions.Store, gone []sessions.Removed) {
	g.keeper().ArchiveRemoved(st, gone)
	for _, r := range gone {
		g.publishChanged(r.Key, "delete")
	}
}

// archive sets the transcripts of an entry aside that is no longer in the
// store.
func (g *Gateway) archive(st *sessions.Store, key string, e sessions.Entry, reason string) []string {
	return g.keeper().Archive(st, key, e, reason)
}

// keeper keeps the files of the sessions in order.
func (g *Gateway) keeper() upkeep.Keeper {
	return upkeep.Keeper{Config: g.cfg(), Stores: g.stores, Transcripts: g.transcripts, Records: g.records, Log: g.log}
}

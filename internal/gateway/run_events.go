package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// Lengths to which the text of a failure is cut in events.
const (
	agentErrorLimit = 400
	chatErrorLimit  = 240
)

// openEngine makes g.engine with the gateway as its Observer, and lets it
// settle what an earlier process left.
func (g *Gateway) openEngine(models *http.Client) error {
	g.engine = runs.New(runs.Options{
		Config: g.cfg(), Stores: g.stores, Transcripts: g.transcripts, Observer: runEvents{g}, Log: g.log, Disk: g.disk, Client: models,
		Ask: g.askApproval, Version: g.version,
		Retire: func(st *sessions.Store, key string, old sessions.Entry) { g.archive(st, key, old, "reset") },
	})
	if g.aside {
		return nil
	}
	if err := g.engine.Recover(context.Background()); err != nil {
		// What cannot be settled now stays in the journal for the next start.
		g.log.Error("runs of an earlier process could not be settled", "err", err)
	}
	return nil
}

// runEvents turns what runs report into events.
type runEvents struct{ g *Gateway }

// agentPayload is the payload of the event agent.
type agentPayload struct {
	RunID      string `json:"runId"`
	Stream     string `json:"stream"`
	Data       any    `json:"data"`
	SessionKey string `json:"sessionKey"`
	Seq        int    `json:"seq"`
	TS         int64  `json:"ts"`
}

// chatPayload is the payload of the event chat.
type chatPayload struct {
	RunID        string `json:"runId"`
	SessionKey   string `json:"sessionKey"`
	Seq          int    `json:"seq"`
	State        string `json:"state"`
	StopReason   string `json:"stopReason,omitzero"`
	Message      any    `json:"message,omitzero"` // a chatMessage or a rawjson.Object
	ErrorMessage string `json:"errorMessage,omitzero"`

	// From protocol 4 on, in deltas.
	DeltaText string `json:"deltaText,omitzero"`
	Replace   bool   `json:"replace,omitzero"`

	line string // id of the message's line in the transcript, "" when it has none
}

type chatMessage struct {
	Role      string      `json:"role"`
	Content   []textBlock `json:"content"`
	Timestamp int64       `json:"timestamp"`
	ID        string      `json:"id,omitzero"` // see encode
}

type textBlock struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// lifecycle is the data of an agent event that begins or ends a run.
type lifecycle struct {
	Phase      string `json:"phase"`
	Error      string `json:"error,omitzero"`
	StartedAt  int64  `json:"startedAt,omitzero"`
	EndedAt    int64  `json:"endedAt,omitzero"`
	Aborted    bool   `json:"aborted,omitzero"`
	StopReason string `json:"stopReason,omitzero"`
}

type assistantPiece struct {
	Text  string `json:"text"`
	Delta string `json:"delta"`
}

func agentEvent(runID, stream, key string, seq int, at int64, data any) hub.Event {
	return hub.Event{Name: "agent", To: hub.All(), Policy: hub.CloseIfSlow, Payload: rawjson.MustMarshal(agentPayload{
		RunID: runID, Stream: stream, Data: data, SessionKey: key, Seq: seq, TS: at,
	})}
}

// chatEvent is an event chat that ends something and must not be lost.
func chatEvent(p chatPayload) hub.Event {
	return hub.Event{Name: "chat", To: hub.All(), Policy: hub.CloseIfSlow, PayloadFor: p.encode}
}

// deltaEvent is a chat delta: the whole text so far, so it may be lost.
func deltaEvent(p chatPayload, d *runs.ChatDelta) hub.Event {
	p.State, p.DeltaText, p.Replace = "delta", d.Added, d.Replace
	return hub.Event{Name: "chat", To: hub.All(), Policy: hub.DropIfSlow, PayloadFor: p.encode}
}

// encode is the payload as a protocol version has it. From 4 on the message names
// its line in the transcript, so that a client which has read that does not show
// it twice.
func (p chatPayload) encode(version int) rawjson.Value {
	if version < 4 {
		p.DeltaText, p.Replace, p.line = "", false, ""
	}
	if p.line == "" {
		return rawjson.MustMarshal(p)
	}
	switch m := p.Message.(type) {
	case chatMessage:
		m.ID = p.line
		p.Message = m
	case rawjson.Object:
		m = m.Clone() // the other version has it without
		m.Put("id", p.line)
		p.Message = m
	}
	return rawjson.MustMarshal(p)
}

// chatText is the message of a chat event, nil when there is no text.
func chatText(text string) any {
	if text == "" {
		return nil
	}
	return chatMessage{Role: "assistant", Content: []textBlock{{"text", text}}, Timestamp: time.Now().UnixMilli()}
}

// Appended tells of a message in a transcript.
func (o runEvents) Appended(key string, a transcript.Appended) {
	o.g.hub.Publish(o.g.messageEvents(key, a)...)
}

// Started tells that a run goes.
func (o runEvents) Started(s runs.Start) {
	events := []hub.Event{agentEvent(s.RunID, "lifecycle", s.Key, s.Seq, s.At, lifecycle{Phase: "start", StartedAt: s.At})}
	o.g.hub.Publish(append(events, o.g.phaseEvents(s.Key, "start", s.RunID, runTimes{Status: "running", StartedAt: s.At})...)...)
}

// Said tells of a piece of an answer.
func (o runEvents) Said(p runs.Piece) {
	events := []hub.Event{agentEvent(p.RunID, "assistant", p.Key, p.Seq, p.At, assistantPiece{p.Text, p.Added})}
	if p.Chat != nil {
		events = append(events, deltaEvent(chatPayload{RunID: p.RunID, SessionKey: p.Key, Seq: p.Seq, Message: chatText(p.Text), line: p.MessageID}, p.Chat))
	}
	o.g.hub.Publish(events...)
}

// fallback is the data of an agent event that tells of a change of the model, in
// the words of existing clients.
type fallback struct {
	Phase            string        `json:"phase"`
	SelectedProvider string        `json:"selectedProvider"`
	SelectedModel    string        `json:"selectedModel"`
	ActiveProvider   string        `json:"activeProvider"`
	ActiveModel      string        `json:"activeModel"`
	Before           string        `json:"previousActiveModel,omitzero"`
	Reason           string        `json:"reasonSummary,omitzero"`
	Summaries        []string      `json:"attemptSummaries,omitzero"`
	Attempts         []failedModel `json:"attempts,omitzero"`
}

type failedModel struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	Reason   string `json:"error"`
}

// FellBack tells that another model answers than the session's, or that its own
// does so again.
func (o runEvents) FellBack(f runs.Fallback) {
	data := fallback{
		Phase: "fallback", SelectedProvider: f.Chosen.Provider, SelectedModel: f.Chosen.Model,
		ActiveProvider: f.Active.Provider, ActiveModel: f.Active.Model, Before: f.Before,
		Reason: cutText(f.Reason, agentErrorLimit, "…"),
	}
	if f.Before != "" {
		data.Phase = "fallback_cleared"
	}
	for _, a := range f.Attempts {
		reason := cutText(a.Reason, agentErrorLimit, "…")
		data.Summaries = append(data.Summaries, a.Model.String()+": "+reason)
		data.Attempts = append(data.Attempts, failedModel{a.Model.Provider, a.Model.Model, reason})
	}
	o.g.hub.Publish(agentEvent(f.RunID, "lifecycle", f.Key, f.Seq, f.At, data))
}

// summing is the data of an agent event about a compaction.
type summing struct {
	Phase     string `json:"phase"`
	WillRetry *bool  `json:"willRetry,omitzero"`
	Completed *bool  `json:"completed,omitzero"`
}

// Compacting tells that a conversation is being summed up, or was.
func (o runEvents) Compacting(s runs.Summing) {
	data := summing{Phase: "start"}
	if s.Ended {
		data = summing{Phase: "end", WillRetry: new(false), Completed: new(s.Done)}
	}
	o.g.hub.Publish(agentEvent(s.RunID, "compaction", s.Key, s.Seq, s.At, data))
}

// Aborted tells that a run was ended from outside.
func (o runEvents) Aborted(a runs.Abortion) {
	o.g.onlookers.ended(a.RunID)
	o.g.hub.Publish(chatEvent(chatPayload{
		RunID: a.RunID, SessionKey: a.Key, Seq: a.Seq, State: "aborted", StopReason: a.Reason, Message: chatText(a.Text), line: a.MessageID,
	}))
}

// Finished tells the end of a run: of an aborted one only how it ended, for its
// chat event has been sent.
func (o runEvents) Finished(e runs.End) {
	o.g.onlookers.ended(e.RunID)
	o.g.countRun(e)
	phase, data := "end", lifecycle{Phase: "end", EndedAt: e.EndedAt}
	switch e.Status {
	case runs.Failed:
		phase, data.Phase = "error", "error"
		data.Error = cutText(e.Error, agentErrorLimit, "…")
	case runs.Killed:
		data.Aborted, data.StopReason = true, "aborted"
	case runs.TimedOut:
		data.Aborted = true
	}
	events := []hub.Event{agentEvent(e.RunID, "lifecycle", e.Key, e.Seq, time.Now().UnixMilli(), data)}
	if !data.Aborted {
		events = append(events, endOfChat(e)...)
	}
	times := runTimes{Status: string(e.Status), StartedAt: e.StartedAt, EndedAt: e.EndedAt}
	o.g.hub.Publish(append(events, o.g.phaseEvents(e.Key, phase, e.RunID, times)...)...)
}

// endOfChat is the last of a run in the chat: what deltas have not shown yet,
// and the end.
func endOfChat(e runs.End) []hub.Event {
	last := chatPayload{RunID: e.RunID, SessionKey: e.Key, Seq: e.Seq, State: "final", Message: chatText(e.Text), line: e.MessageID}
	var events []hub.Event
	if e.Chat != nil {
		events = append(events, deltaEvent(last, e.Chat))
	}
	if e.Status == runs.Failed {
		last.State, last.Message, last.ErrorMessage = "error", nil, cutText(e.Error, chatErrorLimit, "...")
	}
	return append(events, chatEvent(last))
}

// cutText cuts a text that is longer than n characters and marks the cut.
func cutText(s string, n int, mark string) string {
	if jstext.Len(s) <= n {
		return s
	}
	return jstext.Cut(s, n) + mark
}

// runTimes is what an event tells of a run's state.
type runTimes struct {
	Status             string
	StartedAt, EndedAt int64 // ms; EndedAt is 0 while it goes on
}

// phaseFields are the fields of a row that tell what runs have used.
var phaseFields = []string{"totalTokens", "totalTokensFresh", "contextTokens", "estimatedCostUsd", "modelProvider", "model"}

// phaseEvents is the event sessions.changed of a run's start or end (spec:
// sessions 15.2, shape c); none when nobody listens.
func (g *Gateway) phaseEvents(key, phase, runID string, t runTimes) []hub.Event {
	if !g.hub.SessionsHeard() {
		return nil
	}
	return []hub.Event{g.runEvent(key, phase, runID, t)}
}

func (g *Gateway) runEvent(key, phase, runID string, t runTimes) hub.Event {
	var o rawjson.Object
	o.Put("sessionKey", key)
	o.Put("phase", phase)
	o.Put("runId", runID)
	o.Put("ts", time.Now().UnixMilli())
	if row, ok := g.row(key); ok {
		addRow(&o, &row, row.AppendJSON(nil), phaseFields)
	}
	o.Put("status", t.Status)
	o.Put("startedAt", t.StartedAt)
	updated := t.StartedAt
	if t.EndedAt > 0 {
		o.Put("endedAt", t.EndedAt)
		o.Put("runtimeMs", max(t.EndedAt-t.StartedAt, 0))
		updated = t.EndedAt
	}
	o.Put("updatedAt", updated)
	o.Put("abortedLastRun", t.Status == string(runs.Killed))
	return changedEvent(o)
}

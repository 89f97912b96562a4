package gateway

import (
	"context"
	"strconv"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const chatHistoryLimit = 200

// chatHistoryResult is the answer: head, messages, settings. The messages are JSON
// already, for they are most of it and often the same as before.
type chatHistoryResult struct {
	historyHead
	Messages rawjson.Value // a list
	historySettings
}

type historyHead struct {
	SessionKey string
	SessionID  string // "" for none
}

// historySettings are what follows the messages; what is zero is left out, except
// for the level of thinking.
type historySettings struct {
	ThinkingLevel string
	FastMode      *bool
	VerboseLevel  string
	InFlightRun   *inFlightRun

	*historyPlace
}

// AppendJSON appends {sessionKey, sessionId, messages} and the settings.
func (r chatHistoryResult) AppendJSON(dst []byte) []byte {
	dst = rawjson.AppendString(append(dst, `{"sessionKey":`...), r.SessionKey)
	if r.SessionID != "" {
		dst = rawjson.AppendString(append(dst, `,"sessionId":`...), r.SessionID)
	}
	dst = append(append(dst, `,"messages":`...), r.Messages...)
	return append(r.appendMembers(dst), '}')
}

// appendMembers appends the settings, each behind a comma.
func (s historySettings) appendMembers(dst []byte) []byte {
	dst = rawjson.AppendString(append(dst, `,"thinkingLevel":`...), s.ThinkingLevel)
	if s.FastMode != nil {
		dst = strconv.AppendBool(append(dst, `,"fastMode":`...), *s.FastMode)
	}
	if s.VerboseLevel != "" {
		dst = rawjson.AppendString(append(dst, `,"verboseLevel":`...), s.VerboseLevel)
	}
	if s.InFlightRun != nil {
		dst = append(append(dst, `,"inFlightRun":`...), rawjson.MustMarshal(s.InFlightRun)...)
	}
	if s.historyPlace != nil {
		place := rawjson.MustMarshal(s.historyPlace)
		dst = append(append(dst, ','), place[1:len(place)-1]...)
	}
	return dst
}

// historyPlace is where a page stands in the transcript. An answer has it when
// the request named a before.
type historyPlace struct {
	TotalCount int  `json:"totalCount"`
	HasMore    bool `json:"hasMore"`
	NextBefore *int `json:"nextBefore"` // null before the first message
}

// inFlightRun is the answer that is just being given: a client that comes in the
// middle shows Text and goes on with the chat deltas of the run whose seq is
// greater. MessageID is the id of the message that it will be.
type inFlightRun struct {
	RunID     string `json:"runId"`
	MessageID string `json:"messageId"`
	Text      string `json:"text"`
	Seq       int    `json:"seq"`
}

// chatHistory gives the last messages of a session cleaned for showing, and
// the settings a chat window needs. An unknown session has no messages. With
// before it gives the last of the messages before that number, and says where
// they stand.
func (g *Gateway) chatHistory(_ context.Context, _ *call, p protocol.ChatHistoryParams) (chatHistoryResult, error) {
	r := chatHistoryResult{historyHead: historyHead{SessionKey: p.SessionKey}, Messages: noMessages}
	if p.Before != nil {
		r.historyPlace = &historyPlace{}
	}
	key := g.keys().Main()
	var entry sessions.Entry
	if !jstext.Blank(p.SessionKey) {
		found, ok, err := g.stores.Lookup(p.SessionKey)
		if err != nil {
			return r, err
		}
		key, entry = found.Key, found.Entry
		if r.SessionID = entry.SessionID(); ok && r.SessionID != "" {
			limit := chatHistoryLimit
			if p.Limit > 0 {
				limit = int(p.Limit)
			}
			before, going := g.engine.Answering(key)
			if err := g.readHistory(&r, runs.Ref(found.Store, key, entry), p.Before, limit); err != nil {
				return r, err
			}
			// A run that ended meanwhile may be in the messages, too.
			if now, still := g.engine.Answering(key); going && still && now.RunID == before.RunID {
				r.InFlightRun = &inFlightRun{before.RunID, before.MessageID, before.Text, before.Seq}
			}
		}
	}
	g.chatSettings(&r, key, entry)
	return r, nil
}

// readHistory fills in the last messages, or the last of those before a number.
func (g *Gateway) readHistory(r *chatHistoryResult, ref transcript.Ref, before *protocol.Int, limit int) error {
	if before == nil {
		messages, err := g.transcripts.Answer(ref, transcript.Question{Kind: "history", Last: limit}, func() (rawjson.Value, error) {
			list, err := g.transcripts.Messages(ref, limit)
			if err != nil {
				return nil, err
			}
			return rawjson.List(transcript.History(list))
		})
		r.Messages = messages
		return err
	}
	list, err := g.transcripts.Before(ref, int(*before), limit)
	if err != nil {
		return err
	}
	if r.TotalCount, err = g.transcripts.Count(ref); err != nil {
		return err
	}
	messages, first := transcript.HistoryPage(list)
	if r.Messages, err = rawjson.List(messages); err != nil {
		return err
	}
	if first == 0 { // none of them can be read
		first = min(r.TotalCount, int(*before)-1) - limit + 1
	}
	if first > 1 {
		r.HasMore, r.NextBefore = true, &first
	}
	return nil
}

// chatSettings fills in what the entry says of a session, or what holds
// without it.
func (g *Gateway) chatSettings(r *chatHistoryResult, key string, entry sessions.Entry) {
	if r.ThinkingLevel = entry.Text("thinkingLevel"); r.ThinkingLevel == "" {
		model := sessions.ResolvedModel(g.cfg(), g.keys().Agent(key), entry)
		r.ThinkingLevel = g.cfg().ThinkingDefault(model)
	}
	if fast, ok := entry.Bool("fastMode"); ok {
		r.FastMode = &fast
	}
	if r.VerboseLevel = entry.Text("verboseLevel"); r.VerboseLevel == "" {
		r.VerboseLevel = g.cfg().Agents.Defaults.VerboseDefault
	}
}

package gateway

import (
	"context"
	"math"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/runs"
	"github.com/parleyd/parley/internal/transcript"
)

const sessionsGetLimit = 200

type sessionsGetResult struct {
	messages rawjson.Value // a list
}

// AppendJSON appends {messages}.
func (r sessionsGetResult) AppendJSON(dst []byte) []byte {
	return append(append(append(dst, `{"messages":`...), r.messages...), '}')
}

// sessionsGet gives the last messages of a session as they are stored. It is
// lenient where a schema would refuse; an unknown session has no messages.
func (g *Gateway) sessionsGet(_ context.Context, _ *call, p protocol.SessionsGetParams) (sessionsGetResult, error) {
	key := p.Key
	if rawjson.Null(key) {
		key = p.SessionKey
	}
	name := looseText(key)
	if name == "" {
		return sessionsGetResult{}, protocol.Invalidf("key required")
	}
	found, ok, err := g.stores.Lookup(name)
	if err != nil || !ok || found.Entry.SessionID() == "" {
		return sessionsGetResult{noMessages}, err
	}
	ref, last := runs.Ref(found.Store, found.Key, found.Entry), looseCount(p.Limit, sessionsGetLimit, math.MaxInt32)
	messages, err := g.transcripts.Answer(ref, transcript.Question{Kind: "get", Last: last}, func() (rawjson.Value, error) {
		list, err := g.transcripts.Messages(ref, last)
		if err != nil {
			return nil, err
		}
		out := make([]rawjson.Value, len(list))
		for i, m := range list {
			out[i] = m.Raw
		}
		return rawjson.List(out)
	})
	return sessionsGetResult{messages}, err
}

var noMessages = rawjson.Value("[]")

// looseText is a text parameter without a schema, trimmed: numbers count as
// their text, anything else as absent.
func looseText(v rawjson.Value) string {
	if s, ok := rawjson.Text(v); ok {
		return jstext.Trim(s)
	}
	if f, ok := rawjson.Number(v); ok {
		return string(rawjson.MustMarshal(f + 0)) // -0 is 0
	}
	return ""
}

// looseCount is a number parameter without a schema, cut to an integer from 1
// to most; what is no number gives the default.
func looseCount(v rawjson.Value, byDefault, most int) int {
	f, ok := rawjson.Number(v)
	if !ok {
		return byDefault
	}
	return int(min(max(1, math.Floor(f)), float64(most)))
}

package protocol

import (
	"strconv"

	"github.com/parleyd/parley/internal/rawjson"
)

// Row is what clients see of a session: in sessions.list, and as the session
// of events. A value that comes from the stored entry is passed on as it is
// stored, whatever its type; a nil one is left out, except updatedAt, which is
// then null.
type Row struct {
	Key                string        `json:"key"`
	SpawnedBy          rawjson.Value `json:"spawnedBy,omitzero"`
	Kind               string        `json:"kind"`
	Label              rawjson.Value `json:"label,omitzero"`
	DisplayName        rawjson.Value `json:"displayName,omitzero"`
	DerivedTitle       string        `json:"derivedTitle,omitzero"`
	LastMessagePreview string        `json:"lastMessagePreview,omitzero"`
	Channel            rawjson.Value `json:"channel,omitzero"`
	Subject            rawjson.Value `json:"subject,omitzero"`
	GroupChannel       rawjson.Value `json:"groupChannel,omitzero"`
	Space              rawjson.Value `json:"space,omitzero"`
	ChatType           rawjson.Value `json:"chatType,omitzero"`
	Origin             rawjson.Value `json:"origin,omitzero"`
	UpdatedAt          rawjson.Value `json:"updatedAt"`
	SessionID          rawjson.Value `json:"sessionId,omitzero"`
	SystemSent         rawjson.Value `json:"systemSent,omitzero"`
	AbortedLastRun     rawjson.Value `json:"abortedLastRun,omitzero"`
	ThinkingLevel      rawjson.Value `json:"thinkingLevel,omitzero"`
	FastMode           rawjson.Value `json:"fastMode,omitzero"`
	VerboseLevel       rawjson.Value `json:"verboseLevel,omitzero"`
	ReasoningLevel     rawjson.Value `json:"reasoningLevel,omitzero"`
	ElevatedLevel      rawjson.Value `json:"elevatedLevel,omitzero"`
	SendPolicy         rawjson.Value `json:"sendPolicy,omitzero"`
	InputTokens        rawjson.Value `json:"inputTokens,omitzero"`
	OutputTokens       rawjson.Value `json:"outputTokens,omitzero"`
	TotalTokens        rawjson.Value `json:"totalTokens,omitzero"`
	TotalTokensFresh   bool          `json:"totalTokensFresh"`
	EstimatedCostUSD   rawjson.Value `json:"estimatedCostUsd,omitzero"`
	Status             rawjson.Value `json:"status,omitzero"`
	StartedAt          rawjson.Value `json:"startedAt,omitzero"`
	EndedAt            rawjson.Value `json:"endedAt,omitzero"`
	RuntimeMs          rawjson.Value `json:"runtimeMs,omitzero"`
	ParentSessionKey   rawjson.Value `json:"parentSessionKey,omitzero"`
	ChildSessions      []string      `json:"childSessions,omitempty"`
	ResponseUsage      rawjson.Value `json:"responseUsage,omitzero"`
	ModelProvider      string        `json:"modelProvider,omitzero"`
	Model              string        `json:"model,omitzero"`
	ContextTokens      rawjson.Value `json:"contextTokens,omitzero"`
	DeliveryContext    rawjson.Value `json:"deliveryContext,omitzero"`
	LastChannel        rawjson.Value `json:"lastChannel,omitzero"`
	LastTo             rawjson.Value `json:"lastTo,omitzero"`
	LastAccountID      rawjson.Value `json:"lastAccountId,omitzero"`
}

// rowMember is one member of a row. append appends a comma and the member,
// nothing when the row does not have it.
type rowMember struct {
	name   string
	append func(dst []byte, r *Row) []byte
}

// rowMembers are the members of a row in the order of the wire.
var rowMembers = []rowMember{
	{"key", func(dst []byte, r *Row) []byte { return rawjson.AppendString(memberName(dst, "key"), r.Key) }},
	storedMember("spawnedBy", func(r *Row) rawjson.Value { return r.SpawnedBy }),
	{"kind", func(dst []byte, r *Row) []byte { return rawjson.AppendString(memberName(dst, "kind"), r.Kind) }},
	storedMember("label", func(r *Row) rawjson.Value { return r.Label }),
	storedMember("displayName", func(r *Row) rawjson.Value { return r.DisplayName }),
	textMember("derivedTitle", func(r *Row) string { return r.DerivedTitle }),
	textMember("lastMessagePreview", func(r *Row) string { return r.LastMessagePreview }),
	storedMember("channel", func(r *Row) rawjson.Value { return r.Channel }),
	storedMember("subject", func(r *Row) rawjson.Value { return r.Subject }),
	storedMember("groupChannel", func(r *Row) rawjson.Value { return r.GroupChannel }),
	storedMember("space", func(r *Row) rawjson.Value { return r.Space }),
	storedMember("chatType", func(r *Row) rawjson.Value { return r.ChatType }),
	storedMember("origin", func(r *Row) rawjson.Value { return r.Origin }),
	{"updatedAt", func(dst []byte, r *Row) []byte { return appendOr(memberName(dst, "updatedAt"), r.UpdatedAt, "null") }},
	storedMember("sessionId", func(r *Row) rawjson.Value { return r.SessionID }),
	storedMember("systemSent", func(r *Row) rawjson.Value { return r.SystemSent }),
	storedMember("abortedLastRun", func(r *Row) rawjson.Value { return r.AbortedLastRun }),
	storedMember("thinkingLevel", func(r *Row) rawjson.Value { return r.ThinkingLevel }),
	storedMember("fastMode", func(r *Row) rawjson.Value { return r.FastMode }),
	storedMember("verboseLevel", func(r *Row) rawjson.Value { return r.VerboseLevel }),
	storedMember("reasoningLevel", func(r *Row) rawjson.Value { return r.ReasoningLevel }),
	storedMember("elevatedLevel", func(r *Row) rawjson.Value { return r.ElevatedLevel }),
	storedMember("sendPolicy", func(r *Row) rawjson.Value { return r.SendPolicy }),
	storedMember("inputTokens", func(r *Row) rawjson.Value { return r.InputTokens }),
	storedMember("outputTokens", func(r *Row) rawjson.Value { return r.OutputTokens }),
	storedMember("totalTokens", func(r *Row) rawjson.Value { return r.TotalTokens }),
	{"totalTokensFresh", func(dst []byte, r *Row) []byte {
		return strconv.AppendBool(memberName(dst, "totalTokensFresh"), r.TotalTokensFresh)
	}},
	storedMember("estimatedCostUsd", func(r *Row) rawjson.Value { return r.EstimatedCostUSD }),
	storedMember("status", func(r *Row) rawjson.Value { return r.Status }),
	storedMember("startedAt", func(r *Row) rawjson.Value { return r.StartedAt }),
	storedMember("endedAt", func(r *Row) rawjson.Value { return r.EndedAt }),
	storedMember("runtimeMs", func(r *Row) rawjson.Value { return r.RuntimeMs }),
	storedMember("parentSessionKey", func(r *Row) rawjson.Value { return r.ParentSessionKey }),
	{"childSessions", func(dst []byte, r *Row) []byte { return memberTexts(dst, "childSessions", r.ChildSessions) }},
	storedMember("responseUsage", func(r *Row) rawjson.Value { return r.ResponseUsage }),
	textMember("modelProvider", func(r *Row) string { return r.ModelProvider }),
	textMember("model", func(r *Row) string { return r.Model }),
	storedMember("contextTokens", func(r *Row) rawjson.Value { return r.ContextTokens }),
	storedMember("deliveryContext", func(r *Row) rawjson.Value { return r.DeliveryContext }),
	storedMember("lastChannel", func(r *Row) rawjson.Value { return r.LastChannel }),
	storedMember("lastTo", func(r *Row) rawjson.Value { return r.LastTo }),
	storedMember("lastAccountId", func(r *Row) rawjson.Value { return r.LastAccountID }),
}

// rowPlaces are the places of rowMembers by their names.
var rowPlaces = func() map[string]int {
	places := map[string]int{}
	for i, m := range rowMembers {
		places[m.name] = i
	}
	return places
}()

func storedMember(name string, of func(*Row) rawjson.Value) rowMember {
	return rowMember{name, func(dst []byte, r *Row) []byte {
		v := of(r)
		if v == nil {
			return dst
		}
		return append(memberName(dst, name), v...)
	}}
}

func textMember(name string, of func(*Row) string) rowMember {
	return rowMember{name, func(dst []byte, r *Row) []byte {
		text := of(r)
		if text == "" {
			return dst
		}
		return rawjson.AppendString(memberName(dst, name), text)
	}}
}

// MarshalJSON is AppendJSON.
func (r Row) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// AppendJSON appends the row as one JSON object. Lists and events consist of
// rows, so they are not encoded by reflection.
func (r *Row) AppendJSON(dst []byte) []byte {
	start := len(dst)
	for i := range rowMembers {
		dst = rowMembers[i].append(dst, r)
	}
	dst[start] = '{' // every row has members
	return append(dst, '}')
}

// Member is the named member of the row, nil when the row does not have it.
func (r *Row) Member(name string) rawjson.Value {
	i, ok := rowPlaces[name]
	if !ok {
		return nil
	}
	m := rowMembers[i].append(nil, r)
	if len(m) == 0 {
		return nil
	}
	return rawjson.Value(m[len(`,"":`)+len(name):])
}

func memberName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':') // no name of ours needs escapes
}

func memberTexts(dst []byte, name string, texts []string) []byte {
	if len(texts) == 0 {
		return dst
	}
	dst = append(memberName(dst, name), '[')
	for i, t := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, t)
	}
	return append(dst, ']')
}

func appendOr(dst []byte, v rawjson.Value, none string) []byte {
	if len(v) == 0 {
		return append(dst, none...)
	}
	return append(dst, v...)
}

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

// rowMember is one member of a row: how its value is appended, nothing where the
// row does not have it.
type rowMember struct {
	name string
	raw  func(*Row) rawjson.Value // a value as it is stored, nil when there is none
	text func(*Row) string        // a text, "" when there is none
	rest func(*Row, []byte) []byte
}

// rowMembers are the members of a row in the order of the wire.
var rowMembers = []rowMember{
	{name: "key", rest: func(r *Row, dst []byte) []byte { return rawjson.AppendString(memberName(dst, "key"), r.Key) }},
	{name: "spawnedBy", raw: func(r *Row) rawjson.Value { return r.SpawnedBy }},
	{name: "kind", rest: func(r *Row, dst []byte) []byte { return rawjson.AppendString(memberName(dst, "kind"), r.Kind) }},
	{name: "label", raw: func(r *Row) rawjson.Value { return r.Label }},
	{name: "displayName", raw: func(r *Row) rawjson.Value { return r.DisplayName }},
	{name: "derivedTitle", text: func(r *Row) string { return r.DerivedTitle }},
	{name: "lastMessagePreview", text: func(r *Row) string { return r.LastMessagePreview }},
	{name: "channel", raw: func(r *Row) rawjson.Value { return r.Channel }},
	{name: "subject", raw: func(r *Row) rawjson.Value { return r.Subject }},
	{name: "groupChannel", raw: func(r *Row) rawjson.Value { return r.GroupChannel }},
	{name: "space", raw: func(r *Row) rawjson.Value { return r.Space }},
	{name: "chatType", raw: func(r *Row) rawjson.Value { return r.ChatType }},
	{name: "origin", raw: func(r *Row) rawjson.Value { return r.Origin }},
	{name: "updatedAt", rest: func(r *Row, dst []byte) []byte { return appendOr(memberName(dst, "updatedAt"), r.UpdatedAt, "null") }},
	{name: "sessionId", raw: func(r *Row) rawjson.Value { return r.SessionID }},
	{name: "systemSent", raw: func(r *Row) rawjson.Value { return r.SystemSent }},
	{name: "abortedLastRun", raw: func(r *Row) rawjson.Value { return r.AbortedLastRun }},
	{name: "thinkingLevel", raw: func(r *Row) rawjson.Value { return r.ThinkingLevel }},
	{name: "fastMode", raw: func(r *Row) rawjson.Value { return r.FastMode }},
	{name: "verboseLevel", raw: func(r *Row) rawjson.Value { return r.VerboseLevel }},
	{name: "reasoningLevel", raw: func(r *Row) rawjson.Value { return r.ReasoningLevel }},
	{name: "elevatedLevel", raw: func(r *Row) rawjson.Value { return r.ElevatedLevel }},
	{name: "sendPolicy", raw: func(r *Row) rawjson.Value { return r.SendPolicy }},
	{name: "inputTokens", raw: func(r *Row) rawjson.Value { return r.InputTokens }},
	{name: "outputTokens", raw: func(r *Row) rawjson.Value { return r.OutputTokens }},
	{name: "totalTokens", raw: func(r *Row) rawjson.Value { return r.TotalTokens }},
	{name: "totalTokensFresh", rest: func(r *Row, dst []byte) []byte {
		return strconv.AppendBool(memberName(dst, "totalTokensFresh"), r.TotalTokensFresh)
	}},
	{name: "estimatedCostUsd", raw: func(r *Row) rawjson.Value { return r.EstimatedCostUSD }},
	{name: "status", raw: func(r *Row) rawjson.Value { return r.Status }},
	{name: "startedAt", raw: func(r *Row) rawjson.Value { return r.StartedAt }},
	{name: "endedAt", raw: func(r *Row) rawjson.Value { return r.EndedAt }},
	{name: "runtimeMs", raw: func(r *Row) rawjson.Value { return r.RuntimeMs }},
	{name: "parentSessionKey", raw: func(r *Row) rawjson.Value { return r.ParentSessionKey }},
	{name: "childSessions", rest: func(r *Row, dst []byte) []byte { return memberTexts(dst, "childSessions", r.ChildSessions) }},
	{name: "responseUsage", raw: func(r *Row) rawjson.Value { return r.ResponseUsage }},
	{name: "modelProvider", text: func(r *Row) string { return r.ModelProvider }},
	{name: "model", text: func(r *Row) string { return r.Model }},
	{name: "contextTokens", raw: func(r *Row) rawjson.Value { return r.ContextTokens }},
	{name: "deliveryContext", raw: func(r *Row) rawjson.Value { return r.DeliveryContext }},
	{name: "lastChannel", raw: func(r *Row) rawjson.Value { return r.LastChannel }},
	{name: "lastTo", raw: func(r *Row) rawjson.Value { return r.LastTo }},
	{name: "lastAccountId", raw: func(r *Row) rawjson.Value { return r.LastAccountID }},
}

func (m *rowMember) append(r *Row, dst []byte) []byte {
	switch {
	case m.raw != nil:
		return memberRaw(dst, m.name, m.raw(r))
	case m.text != nil:
		return memberText(dst, m.name, m.text(r))
	}
	return m.rest(r, dst)
}

// MarshalJSON is AppendJSON.
func (r Row) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// AppendJSON appends the row as one JSON object. Lists and events consist of
// rows, so they are not encoded by reflection.
func (r *Row) AppendJSON(dst []byte) []byte {
	start := len(dst)
	for i := range rowMembers {
		dst = rowMembers[i].append(r, dst)
	}
	dst[start] = '{' // every row has members
	return append(dst, '}')
}

// AppendMember appends a comma and the named member of the row, nothing when the
// row does not have it.
func (r *Row) AppendMember(dst []byte, name string) []byte {
	for i := range rowMembers {
		if rowMembers[i].name == name {
			return rowMembers[i].append(r, dst)
		}
	}
	return dst
}

// Member is the named member of the row, nil when the row does not have it.
func (r *Row) Member(name string) rawjson.Value {
	m := r.AppendMember(nil, name)
	if len(m) == 0 {
		return nil
	}
	return rawjson.Value(m[len(memberName(nil, name)):])
}

func memberName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':') // no name of ours needs escapes
}

func memberRaw(dst []byte, name string, v rawjson.Value) []byte {
	if v == nil {
		return dst
	}
	return append(memberName(dst, name), v...)
}

func memberText(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return rawjson.AppendString(memberName(dst, name), text)
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

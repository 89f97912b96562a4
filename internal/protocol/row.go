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

// rowNames are the members of a row in the order of the wire.
var rowNames = []string{
	"key", "spawnedBy", "kind", "label", "displayName", "derivedTitle", "lastMessagePreview", "channel", "subject",
	"groupChannel", "space", "chatType", "origin", "updatedAt", "sessionId", "systemSent", "abortedLastRun",
	"thinkingLevel", "fastMode", "verboseLevel", "reasoningLevel", "elevatedLevel", "sendPolicy", "inputTokens",
	"outputTokens", "totalTokens", "totalTokensFresh", "estimatedCostUsd", "status", "startedAt", "endedAt", "runtimeMs",
	"parentSessionKey", "childSessions", "responseUsage", "modelProvider", "model", "contextTokens", "deliveryContext",
	"lastChannel", "lastTo", "lastAccountId",
}

// MarshalJSON is AppendJSON.
func (r Row) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// AppendJSON appends the row as one JSON object. Lists and events consist of
// rows, so they are not encoded by reflection.
func (r *Row) AppendJSON(dst []byte) []byte {
	start := len(dst)
	for _, name := range rowNames {
		dst = r.AppendMember(dst, name)
	}
	dst[start] = '{' // every row has members
	return append(dst, '}')
}

// AppendMember appends a comma and the named member of the row, nothing when the
// row does not have it.
func (r *Row) AppendMember(dst []byte, name string) []byte {
	switch name {
	case "key":
		return rawjson.AppendString(memberName(dst, name), r.Key)
	case "spawnedBy":
		return memberRaw(dst, name, r.SpawnedBy)
	case "kind":
		return rawjson.AppendString(memberName(dst, name), r.Kind)
	case "label":
		return memberRaw(dst, name, r.Label)
	case "displayName":
		return memberRaw(dst, name, r.DisplayName)
	case "derivedTitle":
		return memberText(dst, name, r.DerivedTitle)
	case "lastMessagePreview":
		return memberText(dst, name, r.LastMessagePreview)
	case "channel":
		return memberRaw(dst, name, r.Channel)
	case "subject":
		return memberRaw(dst, name, r.Subject)
	case "groupChannel":
		return memberRaw(dst, name, r.GroupChannel)
	case "space":
		return memberRaw(dst, name, r.Space)
	case "chatType":
		return memberRaw(dst, name, r.ChatType)
	case "origin":
		return memberRaw(dst, name, r.Origin)
	case "updatedAt":
		return appendOr(memberName(dst, name), r.UpdatedAt, "null")
	case "sessionId":
		return memberRaw(dst, name, r.SessionID)
	case "systemSent":
		return memberRaw(dst, name, r.SystemSent)
	case "abortedLastRun":
		return memberRaw(dst, name, r.AbortedLastRun)
	case "thinkingLevel":
		return memberRaw(dst, name, r.ThinkingLevel)
	case "fastMode":
		return memberRaw(dst, name, r.FastMode)
	case "verboseLevel":
		return memberRaw(dst, name, r.VerboseLevel)
	case "reasoningLevel":
		return memberRaw(dst, name, r.ReasoningLevel)
	case "elevatedLevel":
		return memberRaw(dst, name, r.ElevatedLevel)
	case "sendPolicy":
		return memberRaw(dst, name, r.SendPolicy)
	case "inputTokens":
		return memberRaw(dst, name, r.InputTokens)
	case "outputTokens":
		return memberRaw(dst, name, r.OutputTokens)
	case "totalTokens":
		return memberRaw(dst, name, r.TotalTokens)
	case "estimatedCostUsd":
		return memberRaw(dst, name, r.EstimatedCostUSD)
	case "status":
		return memberRaw(dst, name, r.Status)
	case "startedAt":
		return memberRaw(dst, name, r.StartedAt)
	case "endedAt":
		return memberRaw(dst, name, r.EndedAt)
	case "runtimeMs":
		return memberRaw(dst, name, r.RuntimeMs)
	case "parentSessionKey":
		return memberRaw(dst, name, r.ParentSessionKey)
	case "responseUsage":
		return memberRaw(dst, name, r.ResponseUsage)
	case "modelProvider":
		return memberText(dst, name, r.ModelProvider)
	case "model":
		return memberText(dst, name, r.Model)
	case "contextTokens":
		return memberRaw(dst, name, r.ContextTokens)
	case "deliveryContext":
		return memberRaw(dst, name, r.DeliveryContext)
	case "lastChannel":
		return memberRaw(dst, name, r.LastChannel)
	case "lastTo":
		return memberRaw(dst, name, r.LastTo)
	case "lastAccountId":
		return memberRaw(dst, name, r.LastAccountID)
	case "totalTokensFresh":
		return strconv.AppendBool(memberName(dst, name), r.TotalTokensFresh)
	case "childSessions":
		return memberTexts(dst, name, r.ChildSessions)
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

package protocol

import "github.com/parleyd/parley/internal/rawjson"

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

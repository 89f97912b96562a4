package protocol

import "github.com/parleyd/parley/internal/rawjson"

// ChatSendParams are the params of chat.send.
type ChatSendParams struct {
	SessionKey              string          `json:"sessionKey"`
	Message                 string          `json:"message"`
	Thinking                *string         `json:"thinking,omitzero"`
	Deliver                 *bool           `json:"deliver,omitzero"`
	Attachments             []rawjson.Value `json:"attachments,omitzero"`
	TimeoutMs               *Int            `json:"timeoutMs,omitzero"`
	SystemInputProvenance   rawjson.Value   `json:"systemInputProvenance,omitzero"`
	SystemProvenanceReceipt string          `json:"systemProvenanceReceipt,omitzero"`
	IdempotencyKey          string          `json:"idempotencyKey"`
}

// ChatHistoryParams are the params of chat.history.
type ChatHistoryParams struct {
	SessionKey string `json:"sessionKey"`
	Limit      Int    `json:"limit,omitzero"`
	Before     *Int   `json:"before,omitzero"`
}

// ChatAbortParams are the params of chat.abort.
type ChatAbortParams struct {
	SessionKey string `json:"sessionKey"`
	RunID      string `json:"runId,omitzero"`
}

// ChatInjectParams are the params of chat.inject.
type ChatInjectParams struct {
	SessionKey string `json:"sessionKey"`
	Message    string `json:"message"`
	Label      string `json:"label,omitzero"`
}

// AgentParams are the params of agent.
type AgentParams struct {
	Message           string          `json:"message"`
	AgentID           string          `json:"agentId,omitzero"`
	Provider          string          `json:"provider,omitzero"`
	Model             string          `json:"model,omitzero"`
	To                string          `json:"to,omitzero"`
	ReplyTo           string          `json:"replyTo,omitzero"`
	SessionID         string          `json:"sessionId,omitzero"`
	SessionKey        string          `json:"sessionKey,omitzero"`
	Thinking          *string         `json:"thinking,omitzero"`
	Deliver           *bool           `json:"deliver,omitzero"`
	Attachments       []rawjson.Value `json:"attachments,omitzero"`
	Channel           string          `json:"channel,omitzero"`
	ReplyChannel      string          `json:"replyChannel,omitzero"`
	AccountID         string          `json:"accountId,omitzero"`
	ReplyAccountID    string          `json:"replyAccountId,omitzero"`
	ThreadID          string          `json:"threadId,omitzero"`
	GroupID           string          `json:"groupId,omitzero"`
	GroupChannel      string          `json:"groupChannel,omitzero"`
	GroupSpace        string          `json:"groupSpace,omitzero"`
	Timeout           *Int            `json:"timeout,omitzero"` // seconds
	BestEffortDeliver *bool           `json:"bestEffortDeliver,omitzero"`
	Lane              string          `json:"lane,omitzero"`
	ExtraSystemPrompt string          `json:"extraSystemPrompt,omitzero"`
	InternalEvents    []rawjson.Value `json:"internalEvents,omitzero"`
	InputProvenance   rawjson.Value   `json:"inputProvenance,omitzero"`
	IdempotencyKey    string          `json:"idempotencyKey"`
	Label             string          `json:"label,omitzero"`
}

// AgentWaitParams are the params of agent.wait.
type AgentWaitParams struct {
	RunID     string `json:"runId"`
	TimeoutMs *Int   `json:"timeoutMs,omitzero"`
}

// AgentIdentityGetParams are the params of agent.identity.get.
type AgentIdentityGetParams struct {
	AgentID    string `json:"agentId,omitzero"`
	SessionKey string `json:"sessionKey,omitzero"`
}

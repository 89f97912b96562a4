package client

import "encoding/json"

// Names of the events of a gateway. The comment says how the payload is read.
const (
	EventChat            = "chat"                  // ChatEvent
	EventAgent           = "agent"                 // AgentEvent
	EventSessionMessage  = "session.message"       // SessionMessageEvent
	EventSessionsChanged = "sessions.changed"      // SessionsChangedEvent
	EventPairRequested   = "device.pair.requested" // PairRequest
	EventPairResolved    = "device.pair.resolved"  // PairResolvedEvent
	EventPresence        = "presence"
	EventHealth          = "health"
	EventTick            = "tick"
	EventShutdown        = "shutdown"
)

// ChatEvent is the payload of EventChat: an answer for a chat window.
type ChatEvent struct {
	RunID      string `json:"runId"`
	SessionKey string `json:"sessionKey"`
	Seq        int    `json:"seq"`
	// State is delta, and at the end final, aborted or error.
	State      string `json:"state"`
	StopReason string `json:"stopReason"`
	// Message has the whole text so far; nil when there is none.
	Message      *Message `json:"message"`
	ErrorMessage string   `json:"errorMessage"`
	// DeltaText is what was added since the last delta, or, with Replace, the
	// whole text. Protocol 3 has neither.
	DeltaText string `json:"deltaText"`
	Replace   bool   `json:"replace"`
}

// AgentEvent is the payload of EventAgent: the steps of a run.
type AgentEvent struct {
	RunID      string          `json:"runId"`
	SessionKey string          `json:"sessionKey"`
	Stream     string          `json:"stream"` // lifecycle, assistant …
	Seq        int             `json:"seq"`
	TS         int64           `json:"ts"`
	Data       json.RawMessage `json:"data"`
}

// SessionMessageEvent is the payload of EventSessionMessage: a message that now
// stands in a transcript.
type SessionMessageEvent struct {
	SessionKey string   `json:"sessionKey"`
	Message    Message  `json:"message"`
	MessageID  string   `json:"messageId"`
	MessageSeq int      `json:"messageSeq"`
	Session    *Session `json:"session"`
}

// SessionsChangedEvent is the payload of EventSessionsChanged. Reason is there
// when a method changed the session (create, patch, reset, delete, send …), Phase
// when a run did (start, message, end, error).
type SessionsChangedEvent struct {
	SessionKey string   `json:"sessionKey"`
	Reason     string   `json:"reason"`
	Phase      string   `json:"phase"`
	RunID      string   `json:"runId"`
	TS         int64    `json:"ts"`
	Session    *Session `json:"session"`
}

// PairResolvedEvent is the payload of EventPairResolved.
type PairResolvedEvent struct {
	RequestID string `json:"requestId"`
	DeviceID  string `json:"deviceId"`
	Decision  string `json:"decision"` // approved, rejected
	TS        int64  `json:"ts"`
}

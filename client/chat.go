package client

import (
	"encoding/json"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// Message is a message of a conversation. Raw has what these fields leave out.
type Message struct {
	Role       string          `json:"role"`    // user, assistant, toolResult, system …
	Content    json.RawMessage `json:"content"` // a text, or an array of parts
	Timestamp  int64           `json:"timestamp"`
	Provider   string          `json:"provider"`
	Model      string          `json:"model"`
	StopReason string          `json:"stopReason"`
	Error      string          `json:"errorMessage"`
	Place      struct {
		ID  string `json:"id"`
		Seq int    `json:"seq"`
	} `json:"__openclaw"` // its id, and its number among the session's messages

	// Raw is all that the gateway sent.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads a message; of one in another form only Raw is known.
func (m *Message) UnmarshalJSON(data []byte) error {
	type plain Message
	var p plain
	if rawjson.Unmarshal(data, &p) != nil {
		p = plain{}
	}
	*m = Message(p)
	m.Raw = rawjson.Value(append([]byte(nil), data...))
	return nil
}

// Text is what the message says: its text parts, joined by line ends.
func (m Message) Text() string {
	if t, ok := rawjson.Text(m.Content); ok {
		return t
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	_ = rawjson.Unmarshal(m.Content, &parts) // another form has no text
	var texts []string
	for _, p := range parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// ChatSendParams are a message to a session, which is made if need be.
type ChatSendParams struct {
	SessionKey              string            `json:"sessionKey"`
	Message                 string            `json:"message"`
	Thinking                string            `json:"thinking,omitzero"`
	Deliver                 *bool             `json:"deliver,omitzero"`
	Attachments             []json.RawMessage `json:"attachments,omitzero"`
	TimeoutMs               *int64            `json:"timeoutMs,omitzero"` // of the run; 0 for none
	SystemInputProvenance   json.RawMessage   `json:"systemInputProvenance,omitzero"`
	SystemProvenanceReceipt string            `json:"systemProvenanceReceipt,omitzero"`
	// IdempotencyKey names the run. The same one sent again starts no second run.
	IdempotencyKey string `json:"idempotencyKey"`
}

// SessionsSendParams are a message to a session that is there.
type SessionsSendParams struct {
	Key            string            `json:"key"`
	Message        string            `json:"message"`
	Thinking       string            `json:"thinking,omitzero"`
	Attachments    []json.RawMessage `json:"attachments,omitzero"`
	TimeoutMs      *int64            `json:"timeoutMs,omitzero"`
	IdempotencyKey string            `json:"idempotencyKey,omitzero"` // made by the gateway when it is empty
}

// SendResult says that a run has started, goes on (in_flight) or is over (ok).
// A message that asked to stop what goes on has no run: OK is true and Aborted
// says whether there was something to stop.
type SendResult struct {
	RunID                string   `json:"runId,omitzero"`
	Status               string   `json:"status,omitzero"`
	MessageSeq           int      `json:"messageSeq,omitzero"`
	InterruptedActiveRun bool     `json:"interruptedActiveRun,omitzero"`
	OK                   bool     `json:"ok,omitzero"`
	Aborted              bool     `json:"aborted,omitzero"`
	RunIDs               []string `json:"runIds,omitzero"`
}

// ChatHistoryParams name the session for ChatHistory.
type ChatHistoryParams struct {
	SessionKey string `json:"sessionKey"`
	Limit      int    `json:"limit,omitzero"` // 200 when it is zero
	// Before asks for the last messages before this number; 1 or more. LastPage
	// stands for the last ones of all, told with their place.
	Before int64 `json:"before,omitzero"`
}

// LastPage is a Before behind every message.
const LastPage = 1<<53 - 1

// ChatHistoryResult has the last messages, cleaned for showing.
type ChatHistoryResult struct {
	SessionKey    string    `json:"sessionKey"`
	SessionID     string    `json:"sessionId,omitzero"`
	Messages      []Message `json:"messages"`
	ThinkingLevel string    `json:"thinkingLevel"`
	FastMode      *bool     `json:"fastMode,omitzero"`
	VerboseLevel  string    `json:"verboseLevel,omitzero"`
	// InFlightRun is the answer that is just being given; nil when there is none.
	InFlightRun *InFlightRun `json:"inFlightRun,omitzero"`

	// Where the page stands, when Before was given: NextBefore is the Before of the
	// page before it, nil when there is none.
	TotalCount int    `json:"totalCount,omitzero"`
	HasMore    bool   `json:"hasMore,omitzero"`
	NextBefore *int64 `json:"nextBefore,omitzero"`
}

// InFlightRun is an answer as far as it is given: chat deltas of the run with a
// greater Seq go on from Text.
type InFlightRun struct {
	RunID string `json:"runId"`
	Text  string `json:"text"`
	Seq   int    `json:"seq"`
}

// ChatAbortParams name what to end: all runs of a session, or one.
type ChatAbortParams struct {
	SessionKey string `json:"sessionKey"`
	RunID      string `json:"runId,omitzero"`
}

// AbortResult says what was ended.
type AbortResult struct {
	OK      bool     `json:"ok"`
	Aborted bool     `json:"aborted"`
	RunIDs  []string `json:"runIds"`
}

// SessionsAbortParams name what to end: all runs of a session, or one.
type SessionsAbortParams struct {
	Key   string `json:"key"`
	RunID string `json:"runId,omitzero"`
}

// SessionsAbortResult says what was ended.
type SessionsAbortResult struct {
	OK           bool   `json:"ok"`
	AbortedRunID string `json:"abortedRunId"` // "" for none
	Status       string `json:"status"`       // aborted or no-active-run
}

// ChatInjectParams are a note that stands in the conversation as the
// assistant's.
type ChatInjectParams struct {
	SessionKey string `json:"sessionKey"`
	Message    string `json:"message"`
	Label      string `json:"label,omitzero"`
}

// ChatInjectResult is the result of ChatInject.
type ChatInjectResult struct {
	OK        bool   `json:"ok"`
	MessageID string `json:"messageId"`
}

// AgentWaitParams name the run whose end is awaited.
type AgentWaitParams struct {
	RunID     string `json:"runId"`
	TimeoutMs *int64 `json:"timeoutMs,omitzero"` // 30 s when it is nil
}

// AgentWaitResult says how a run ended; the status timeout says that it did not
// in time.
type AgentWaitResult struct {
	RunID     string `json:"runId"`
	Status    string `json:"status"` // ok, error, timeout
	StartedAt int64  `json:"startedAt,omitzero"`
	EndedAt   int64  `json:"endedAt,omitzero"`
	Error     string `json:"error,omitzero"`
}

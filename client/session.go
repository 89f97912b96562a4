package client

import (
	"encoding/json"
	"time"

	"github.com/parleyd/parley/internal/rawjson"
)

// Session is what a gateway shows of a session. What a session does not have is
// zero. The gateway passes stored values on whatever their type is: one that is
// no text where a text belongs is left out here, and is in Raw.
type Session struct {
	Key                string `json:"key"`
	Kind               string `json:"kind"` // direct, group, global, unknown …
	Label              string `json:"label"`
	DisplayName        string `json:"displayName"`
	DerivedTitle       string `json:"derivedTitle"`
	LastMessagePreview string `json:"lastMessagePreview"`
	SessionID          string `json:"sessionId"`
	UpdatedAt          int64  `json:"updatedAt"` // ms
	Status             string `json:"status"`    // of the last run: running, done, failed, killed, timeout
	StartedAt          int64  `json:"startedAt"`
	EndedAt            int64  `json:"endedAt"`
	RuntimeMs          int64  `json:"runtimeMs"`
	AbortedLastRun     bool   `json:"abortedLastRun"`

	ModelProvider string `json:"modelProvider"`
	Model         string `json:"model"`
	ContextTokens int64  `json:"contextTokens"`
	InputTokens   int64  `json:"inputTokens"`
	OutputTokens  int64  `json:"outputTokens"`
	TotalTokens   int64  `json:"totalTokens"`
	// TotalTokensFresh says that TotalTokens is what the context holds now.
	TotalTokensFresh bool    `json:"totalTokensFresh"`
	EstimatedCostUSD float64 `json:"estimatedCostUsd"`

	ThinkingLevel  string `json:"thinkingLevel"`
	FastMode       bool   `json:"fastMode"`
	VerboseLevel   string `json:"verboseLevel"`
	ReasoningLevel string `json:"reasoningLevel"`
	ElevatedLevel  string `json:"elevatedLevel"`
	SendPolicy     string `json:"sendPolicy"`
	ResponseUsage  string `json:"responseUsage"`

	Channel          string   `json:"channel"`
	ChatType         string   `json:"chatType"`
	Subject          string   `json:"subject"`
	LastChannel      string   `json:"lastChannel"`
	LastTo           string   `json:"lastTo"`
	SpawnedBy        string   `json:"spawnedBy"`
	ParentSessionKey string   `json:"parentSessionKey"`
	ChildSessions    []string `json:"childSessions"`

	// Raw is all that the gateway sent.
	Raw json.RawMessage `json:"-"`
}

// Updated is the time of the last activity, zero when there was none.
func (s Session) Updated() time.Time {
	if s.UpdatedAt == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.UpdatedAt)
}

// Title is the best name for people: the label, what the session is about, or
// its key.
func (s Session) Title() string {
	for _, t := range []string{s.Label, s.DisplayName, s.DerivedTitle, s.Subject} {
		if t != "" {
			return t
		}
	}
	return s.Key
}

// UnmarshalJSON reads a session; members of another type than is usual are left
// out.
func (s *Session) UnmarshalJSON(data []byte) error {
	type plain Session
	var p plain
	if rawjson.Unmarshal(data, &p) != nil {
		o, err := rawjson.Parse(data)
		if err != nil {
			return err
		}
		p = plain{}
		for name, value := range o.All() {
			one := rawjson.NewObject(rawjson.Member{Name: name, Value: value})
			before := p
			if rawjson.Unmarshal(one.JSON(), &p) != nil {
				p = before
			}
		}
	}
	*s = Session(p)
	s.Raw = rawjson.Value(append([]byte(nil), data...))
	return nil
}

// SessionsListParams filter and page SessionsList; the zero value lists all.
type SessionsListParams struct {
	Limit                int    `json:"limit,omitzero"`
	Offset               *int   `json:"offset,omitzero"` // the result has TotalCount and more only with it
	ActiveMinutes        int    `json:"activeMinutes,omitzero"`
	IncludeGlobal        bool   `json:"includeGlobal,omitzero"`
	IncludeUnknown       bool   `json:"includeUnknown,omitzero"`
	IncludeDerivedTitles bool   `json:"includeDerivedTitles,omitzero"`
	IncludeLastMessage   bool   `json:"includeLastMessage,omitzero"`
	Label                string `json:"label,omitzero"`
	SpawnedBy            string `json:"spawnedBy,omitzero"`
	AgentID              string `json:"agentId,omitzero"`
	Search               string `json:"search,omitzero"`
}

// SessionsListResult is the result of SessionsList, the session that was used
// last first.
type SessionsListResult struct {
	TS       int64     `json:"ts"`
	Path     string    `json:"path"`
	Count    int       `json:"count"`
	Defaults Defaults  `json:"defaults"`
	Sessions []Session `json:"sessions"`
	// What follows is there when an Offset was given.
	TotalCount int  `json:"totalCount,omitzero"`
	HasMore    bool `json:"hasMore,omitzero"`
	NextOffset *int `json:"nextOffset,omitzero"`
}

// Defaults are what holds for a session that says nothing else.
type Defaults struct {
	ModelProvider string `json:"modelProvider"`
	Model         string `json:"model"`
	ContextTokens int64  `json:"contextTokens"`
}

// SessionsDescribeParams name the session for SessionsDescribe.
type SessionsDescribeParams struct {
	Key                  string `json:"key"`
	IncludeDerivedTitles bool   `json:"includeDerivedTitles,omitzero"`
	IncludeLastMessage   bool   `json:"includeLastMessage,omitzero"`
}

// SessionsDescribeResult is the result of SessionsDescribe.
type SessionsDescribeResult struct {
	Session *Session `json:"session"` // nil when there is no such session
}

// SessionsResolveParams name a session in one of three ways.
type SessionsResolveParams struct {
	Key            string `json:"key,omitzero"`
	SessionID      string `json:"sessionId,omitzero"`
	Label          string `json:"label,omitzero"`
	AgentID        string `json:"agentId,omitzero"`
	SpawnedBy      string `json:"spawnedBy,omitzero"`
	IncludeGlobal  bool   `json:"includeGlobal,omitzero"`
	IncludeUnknown bool   `json:"includeUnknown,omitzero"`
}

// SessionsResolveResult has the session's own key.
type SessionsResolveResult struct {
	OK  bool   `json:"ok"`
	Key string `json:"key"`
}

// SessionsPreviewParams name the sessions for SessionsPreview.
type SessionsPreviewParams struct {
	Keys     []string `json:"keys"`
	Limit    int      `json:"limit,omitzero"`
	MaxChars int      `json:"maxChars,omitzero"`
}

// SessionsPreviewResult is the result of SessionsPreview.
type SessionsPreviewResult struct {
	TS       int64     `json:"ts"`
	Previews []Preview `json:"previews"`
}

// Preview is the end of a conversation in short form.
type Preview struct {
	Key    string        `json:"key"`
	Status string        `json:"status"` // ok, empty, missing, error
	Items  []PreviewItem `json:"items"`
}

// PreviewItem is a message in short form.
type PreviewItem struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// SessionsGetParams name the session for SessionsGet.
type SessionsGetParams struct {
	Key   string `json:"key"`
	Limit int    `json:"limit,omitzero"` // 200 when it is zero
}

// SessionsGetResult has the last messages as they are stored.
type SessionsGetResult struct {
	Messages []Message `json:"messages"`
}

// SessionKey names a session, by any spelling of its key.
type SessionKey struct {
	Key string `json:"key"`
}

// SubscribeResult is the result of subscribing and of taking it back.
type SubscribeResult struct {
	Subscribed bool   `json:"subscribed"`
	Key        string `json:"key,omitzero"` // the session's own key, as events have it
}
